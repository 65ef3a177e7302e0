"""What the HTTP listeners share: their limits, authentication, errors, headers and metrics."""
