"""What ORCID has of ours, and the evidence whether it still works."""
