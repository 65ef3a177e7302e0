"""The change feed: its lines, their order, and what each reader sees of them."""
