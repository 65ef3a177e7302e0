"""ORCID's JSON as typed values, and taking it apart."""
