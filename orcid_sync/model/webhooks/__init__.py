"""Which webhooks there should be, when one counts as dead, and what is evidence of it."""
