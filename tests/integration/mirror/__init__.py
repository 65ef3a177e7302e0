"""The mirror in PostgreSQL: what is written and read, its past, who sees it, and what is hidden or forgotten."""
