"""What is tried on a real PostgreSQL, beside a simulated Registry."""
