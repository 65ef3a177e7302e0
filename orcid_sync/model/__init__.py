"""The core: what a record is and what should happen to it. Pure: no I/O, no clock, no chance, no asyncio."""
