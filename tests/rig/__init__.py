"""What tests start and hold: servers, clients, and the watch over secrets."""
