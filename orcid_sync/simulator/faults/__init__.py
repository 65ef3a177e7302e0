"""What goes wrong on request: faults of requests and connections, rate limits, stale caches."""
