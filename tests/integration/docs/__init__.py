"""What the README, the runbook and the data dictionary say is true."""
