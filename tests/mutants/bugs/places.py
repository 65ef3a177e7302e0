"""Tests and files that several tables name."""

INTERLEAVINGS = "tests/acceptance/test_interleavings.py"
RECONCILE = "tests/integration/reconcile"
BULK = "tests/integration/bulk"
