"""The service for tests: its settings, its parts, its commands, its whole."""
