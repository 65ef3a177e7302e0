"""Writing tables, views and the answers of queries to files: Parquet, CSV, NDJSON.

The rows come out of PostgreSQL by COPY and are never all in memory. What is exported together is of one moment, and as
one of the roles of readers may see it.
"""
