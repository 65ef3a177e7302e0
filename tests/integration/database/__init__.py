"""PostgreSQL itself: pools, migrations, roles, keys, and servers in trouble."""
