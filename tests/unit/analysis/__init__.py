"""What people ask of the mirror as a whole: audits, plans, reports, discovery."""
