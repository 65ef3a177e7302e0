"""Subscriptions, and the outbox from which their messages are sent."""
