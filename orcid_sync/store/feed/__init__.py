"""The change feed: appending to it, reading it in pages, its consumers, and forgetting its contents."""
