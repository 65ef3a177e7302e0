"""ORCID's search: the index, and the part of Solr's query language that is used on it."""
