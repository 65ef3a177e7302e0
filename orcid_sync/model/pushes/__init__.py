"""Which changes a subscription wants, where they may be sent, and when a delivery is tried again."""
