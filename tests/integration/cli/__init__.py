"""Commands as they are typed, on a real database."""
