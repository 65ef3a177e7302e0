"""The promises of the whole service, kept over processes that are killed and in any order of events."""
