"""The pure parts of the simulated Registry."""
