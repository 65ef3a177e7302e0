"""What needs neither PostgreSQL nor a Registry."""
