"""Telling others of changes: subscriptions, delivery, where pushes may go, what they may say."""
