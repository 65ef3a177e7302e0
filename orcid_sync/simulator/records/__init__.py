"""The records of the simulated Registry, their items and who sees them, and edits of them."""
