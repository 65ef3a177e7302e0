"""Seeded bugs: each a small edit of the code that breaks a promise, and the tests that must notice.

Every one of them was an idea that somebody could have, and most were somebody's bug (reliability section 2.9). An edit
replaces a text that must occur exactly once; when the code moves on, `test_seeded.py` says which edit has to follow.
"""

from bugs import bulk, consent, containment, database, feed, pushes, record, sync, webhooks

MUTANTS = [
    bug for table in (bulk, consent, containment, database, feed, pushes, record, sync, webhooks) for bug in table.BUGS
]
