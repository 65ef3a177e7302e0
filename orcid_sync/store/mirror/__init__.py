"""Writing and reading what the records say (schema orcid), their past, and hiding what must not be seen."""
