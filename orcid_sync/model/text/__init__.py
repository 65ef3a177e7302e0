"""Words for people: labels of items, moments, durations, parts of sentences."""
