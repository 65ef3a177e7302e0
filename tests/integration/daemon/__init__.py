"""The service as a whole: its start and end, outages, and secrets that stay inside."""
