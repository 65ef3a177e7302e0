"""A line of the change feed, the cursor of its readers, and what a field lost and gained."""
