"""The client of ORCID's Registry over HTTP: requests, answers, tokens, search."""
