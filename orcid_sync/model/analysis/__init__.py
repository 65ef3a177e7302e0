"""Figures about all records: audits, reports, plans, what makes a record one of the institution."""
