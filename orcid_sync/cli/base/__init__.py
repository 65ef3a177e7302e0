"""What all commands share: options, settings, the database, and how results and errors are printed."""
