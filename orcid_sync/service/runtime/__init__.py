"""What everything that runs shares: its health, its scheduled jobs, and how it is woken."""
