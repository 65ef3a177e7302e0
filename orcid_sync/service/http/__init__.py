"""What the HTTP listeners share: their limits, who is let in, errors, headers and metrics."""
