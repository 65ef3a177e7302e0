"""What goes wrong on request: faults of requests and connections, caches that serve old content."""
