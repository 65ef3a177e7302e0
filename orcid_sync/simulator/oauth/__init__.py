"""Who asks, and what was granted: access, consent, authorization codes, browsers that are signed in."""
