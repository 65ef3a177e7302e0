"""When a record is read, in which lane, and what becomes of it then."""
