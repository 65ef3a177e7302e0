"""What operators see: what needs them, how it is shown, and why something is so."""
