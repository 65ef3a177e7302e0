"""Listeners, health and metrics."""
