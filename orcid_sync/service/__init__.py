"""What runs: listeners, workers, scheduled jobs."""
