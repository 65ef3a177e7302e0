"""The loop: workers reconcile what is due, at a shared pace; nets find what nothing announced."""
