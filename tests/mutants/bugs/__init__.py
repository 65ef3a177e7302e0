"""The seeded bugs, a table for each room of the code."""
