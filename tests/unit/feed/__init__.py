"""Parts of the feed, without a database."""
