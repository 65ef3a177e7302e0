"""What subscriptions get, where pushes may go, and when they are tried again."""
