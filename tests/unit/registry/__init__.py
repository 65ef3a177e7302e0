"""ORCID over HTTP: requests, answers, errors, and our callback addresses."""
