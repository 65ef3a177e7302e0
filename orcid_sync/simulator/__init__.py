"""A simulated ORCID Registry: a real HTTP server for the demo, the tests and the benchmarks.

Production never imports it.
"""

from orcid_sync.simulator.building import big_record, make_record
from orcid_sync.simulator.identifiers import numbered_orcid
from orcid_sync.simulator.profiles import Source
from orcid_sync.simulator.random_edits import Edit
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.samples import sample_orcid
from orcid_sync.simulator.serving import serve_simulator
from orcid_sync.simulator.world import CLIENT_ID, CLIENT_SECRET, OTHER_CLIENT_ID, OTHER_CLIENT_SECRET

__all__ = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "OTHER_CLIENT_ID",
    "OTHER_CLIENT_SECRET",
    "Edit",
    "SimulatedRegistry",
    "Source",
    "big_record",
    "make_record",
    "numbered_orcid",
    "sample_orcid",
    "serve_simulator",
]
