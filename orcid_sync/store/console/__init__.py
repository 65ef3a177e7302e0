"""What operators see: the overview, lists of connections, facts about one iD, audits, API tokens."""
