"""Reading one record, and finding out everything in which the mirror differs from it."""
