"""Loading in bulk: records from files instead of from the API (contract section 7).

    files -> names -> [processes: documents -> deciding -> one transaction per batch] -> tally

Nothing here talks to ORCID, and nothing of the service needs it: only the command line does.
"""
