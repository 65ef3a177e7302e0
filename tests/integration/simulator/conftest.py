"""What the tests of the simulated Registry can ask for: the Registry, a client, a hub, a researcher."""

from rig.researcher import max_, tokens  # noqa: F401 - fixtures
from rig.simulator import ask, http, hub, sim  # noqa: F401 - fixtures
