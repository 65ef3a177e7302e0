"""Records from files: their names, their documents, and whether they may be written."""
