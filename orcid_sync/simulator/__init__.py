"""A simulated ORCID Registry: a real HTTP server for the demo, the tests and the benchmarks.

Production never imports it.
"""
