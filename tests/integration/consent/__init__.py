"""Asking, granting, the ledger, disconnecting, erasing, and the pages for people."""
