"""Tests and files that several tables name."""

INTERLEAVINGS = "tests/acceptance/test_interleavings.py"
RECONCILE = "tests/integration/reconcile"
BULK = "tests/integration/bulk"
COMPARISON = "orcid_sync/service/record/comparison.py"
FULL_FORMS = "orcid_sync/service/record/full_forms.py"
