"""The addresses of the Registry, and what each of them does."""
