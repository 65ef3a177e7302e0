"""Commands that ask the mirror, or ORCID, as a whole: reports, exports, searches, audits, bulk loads."""
