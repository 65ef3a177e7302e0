"""Commands about subscriptions: the receivers to which the service sends changes in signed requests."""
