"""A simulated ORCID Registry: a real HTTP server for demo, tests and benchmarks, never imported by production."""
