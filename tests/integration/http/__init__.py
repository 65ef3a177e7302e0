"""The internal listener: who is let in, health and metrics, and the interface below /v1."""
