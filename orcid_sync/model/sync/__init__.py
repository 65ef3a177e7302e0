"""When a record is read again, whose turn it is, and what becomes of a record and of our access to it."""
