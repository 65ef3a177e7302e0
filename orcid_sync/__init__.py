"""Researchers' ORCID records, live in an institution's own PostgreSQL."""

__version__ = "0.1.0"
