"""ORCID's XML as ORCID's JSON: the tables of its elements, and what reads by them (contract section 3.6)."""
