"""Invitations, grants, the chain of the ledger, and the pages for people."""
