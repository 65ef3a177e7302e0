"""The settings: what there is, where values come from, what must not be shown, and how logs are written."""
