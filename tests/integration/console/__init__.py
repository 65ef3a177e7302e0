"""The status pages, and the answers to why something is so."""
