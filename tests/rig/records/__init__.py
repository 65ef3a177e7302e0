"""Records for tests: made up, mirrored, marked, edited."""
