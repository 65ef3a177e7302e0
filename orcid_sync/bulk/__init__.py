"""Loading in bulk: records from files instead of from the API (contract section 7)."""
