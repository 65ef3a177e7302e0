"""What every part of the simulation needs: the clock, the journal, clients with their tokens, errors."""
