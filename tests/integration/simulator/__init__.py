"""The simulated Registry along the contract."""
