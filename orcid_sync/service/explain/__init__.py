"""Why something is as it is, and what needs somebody: findings and sentences."""
