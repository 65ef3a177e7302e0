"""Invitations, permissions, disconnecting and erasing, and the pages on which people do this."""
