"""Telling others of changes by signed requests, and never reaching into our own network."""
