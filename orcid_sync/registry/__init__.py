"""ORCID, seen over HTTP."""
