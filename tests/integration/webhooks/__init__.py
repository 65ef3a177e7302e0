"""Webhooks: registered, received, watched, rotated, removed."""
