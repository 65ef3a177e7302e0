"""The internal listener, and the status pages on which operators look and act."""
