"""Why the mirror of one iD is as it is: facts, reasons, one sentence and a time line."""
