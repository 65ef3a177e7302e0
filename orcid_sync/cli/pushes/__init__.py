"""Commands about subscriptions: who is told of changes by signed requests."""
