"""The command line, and the lists of people that it reads."""
