"""Commands about webhooks: the inventory of those at ORCID, and correcting, reviving and replacing them."""
