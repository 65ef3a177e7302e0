"""What the acceptance tests start, do to it, and judge it by."""
