"""Taking ORCID's JSON apart."""
