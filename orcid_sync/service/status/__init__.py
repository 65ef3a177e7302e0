"""The status pages of the internal listener: what operators look at, and the few things that they do there.

HTML and one style sheet, made here, nothing from elsewhere; all of it works without the script, which only keeps a page
up to date. What comes from ORCID is text and stays text. What a reader may see is decided by PostgreSQL: names, items
and history are read under the role of their view (store/viewing.py), and what the service knows of its own work
(queue, webhooks, jobs) is shown as numbers, of single iDs only as far as the view `orcid.freshness` does; tokens,
webhooks and holds of single iDs only to administrators.
"""
