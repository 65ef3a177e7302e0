"""Commands about webhooks: what ORCID has of ours, and putting it right."""
