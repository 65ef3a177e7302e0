"""PostgreSQL: one module and one file of named queries per concern."""
