"""What runs: listeners, workers, scheduled sweeps."""
