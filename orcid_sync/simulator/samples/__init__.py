"""Lifelike records and edits, made by chance and repeatably."""
