"""Why the mirror of an iD is as it is, and what needs an operator's attention: findings and sentences."""
