"""How the status pages are made: HTML, style sheet, charts, pages that stay up to date."""
