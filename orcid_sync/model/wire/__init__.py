"""ORCID's JSON and the words of its protocol as typed values, and taking them apart."""
