"""The database itself: connections, migrations, roles, encryption and the catalogue of what it offers."""
