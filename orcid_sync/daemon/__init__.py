"""The composition root: everything that runs is put together here, and only here with clocks and random numbers."""
