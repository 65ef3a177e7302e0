"""The HTTP server, and its control interface for simulations that run as a process of their own."""
