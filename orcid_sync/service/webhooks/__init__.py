"""Receiving ORCID's notifications, registering webhooks, and knowing whether they still live."""
