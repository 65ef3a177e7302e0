"""Registered webhooks, and the jobs that turn a change into an empty POST."""
