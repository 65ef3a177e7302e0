"""Commands about single records: show, diff, explain, changes, holds, drift and rebuild."""
