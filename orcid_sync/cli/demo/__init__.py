"""The demo: the real daemon, a real PostgreSQL and a simulated Registry, on one machine, visibly syncing."""
