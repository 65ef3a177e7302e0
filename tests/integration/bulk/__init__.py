"""Loading records from files, and reading them from the Registry later."""
