"""Commands for those who run the service: serve, migrate, check, status, keys, token, config."""
