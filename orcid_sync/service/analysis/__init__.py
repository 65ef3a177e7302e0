"""What is asked of all records together: audits, reports, searches, discovery."""
