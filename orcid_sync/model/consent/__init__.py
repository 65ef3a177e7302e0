"""Grants, invitations and erasure, and the chain of hashes that proves them."""
