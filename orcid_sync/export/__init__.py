"""Writing tables, views and the answers of queries to files: Parquet, CSV, NDJSON."""
