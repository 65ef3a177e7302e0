"""What an ORCID record says, its sections and rows, and how two states of them differ."""
