"""Asking people, taking their permission, letting them go, and the pages on which they do it."""
