"""The change feed and the mirror over HTTP, on the internal listener below /v1."""
