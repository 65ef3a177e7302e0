"""What every part of the simulation needs: clock, journal, clients and tokens, rate limits, errors."""
