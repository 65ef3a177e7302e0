"""What an ORCID record says, what its parts are called, and how two of them differ."""
