"""A request as the Registry looks at it, and the reading part of the API, with the data sync of premium members."""
