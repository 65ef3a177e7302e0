"""The loop around reconciliations: queue, worker, lanes, pace, and the nets."""
