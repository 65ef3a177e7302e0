"""The Registry client against real sockets and against the simulated Registry."""
