"""The reconciliation of one record, whatever the Registry answers and whoever else is at work."""
