"""What people ask of the mirror as a whole: questions, reports, exports, audits, plans, discovery."""
