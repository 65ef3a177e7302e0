"""Settings and where they come from, logs, and secrets that stay secret."""
