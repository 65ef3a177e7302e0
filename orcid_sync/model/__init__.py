"""The core, pure (no I/O, no clock, no chance, no asyncio): what a record is and what should happen to it."""
