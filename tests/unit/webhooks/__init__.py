"""What ORCID has of our webhooks, and whether they still live."""
