"""The HTTP server, its control interface, and the simulation as a process of its own."""
