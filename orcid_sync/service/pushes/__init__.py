"""Pushes: sending changes to subscribers in signed requests, and never into our own network."""
