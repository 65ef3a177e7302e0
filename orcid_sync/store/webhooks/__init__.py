"""The inventory of the webhooks at ORCID, and the evidence whether they still work."""
