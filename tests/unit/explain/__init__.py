"""The answer to why the mirror of an iD is as it is: facts in, words out."""
