"""A Registry under way: records, edits of every kind by chance, and everything that can go wrong between it and us."""

from dataclasses import dataclass, field
from random import Random

from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID

HOT = 12
"""iDs that are edited all the time. Most are cold: among hot ones a lost update is soon repaired (lesson (a) of
reliability section 2.9)."""

SCOPES = ("/read-limited",)

STRANGER = numbered_orcid(1_000_000_001)
"""A record that nobody follows or edits, served in place of others. (Errors name no record: that another one was closed
cannot be told from one's own, so a stranger whose state changes would prove nothing.)"""

# (kind, probability, options); about a quarter of all requests.
REQUEST_FAULTS = [
    ("error", 0.02, {"status": 429}),
    ("error", 0.03, {"status": 500}),
    ("error", 0.02, {"status": 503}),
    ("error", 0.02, {"status": 502}),
    ("timeout", 0.01, {"seconds": 4}),
    ("truncated", 0.03, {}),
    ("wrong-length", 0.01, {}),
    ("html", 0.02, {}),
    ("reset", 0.02, {}),
    ("lost-answer", 0.02, {}),
    ("wrong-shape", 0.01, {}),
    ("slow-drip", 0.01, {"seconds": 0.5}),
    ("delay", 0.06, {"seconds": 0.3}),
]
NOTIFICATION_FAULTS = [
    ("lost", 0.08, {}),
    ("duplicate", 0.10, {"times": 3}),
    ("delayed", 0.08, {"seconds": 1}),
    ("lost-answer", 0.05, {}),
]


@dataclass
class World:
    """The simulated Registry with its records, and who granted us what."""

    sim: SimulatedRegistry
    orcids: list[Orcid]
    granted: dict[Orcid, str]
    """The tokens of those who let us read limited items."""
    stale: set[Orcid] = field(default_factory=set)
    """Those whose records are now and then served from old caches."""
    edits: int = 0
    states: int = 0
    """Edits that changed a record's state."""

    @property
    def public(self) -> list[Orcid]:
        """Those who granted us nothing."""
        return [orcid for orcid in self.orcids if orcid not in self.granted]


def make_world(count: int, *, seed: int) -> World:
    """Small records, every second one with a token of its holder's; virtual time is real time, the delivery hurries."""
    sim = SimulatedRegistry(seed=seed, speed=1.0)
    settings = sim.settings
    settings.indexing_delay, settings.indexer_period, settings.hook_period = 0, 0.15, 0.15
    settings.retry_delay, settings.timeout, settings.threads, settings.max_attempts = 0.3, 1.0, 16, 1000
    orcids = [Orcid(numbered_orcid(900_000_000_000 + number)) for number in range(count)]
    for orcid in orcids:
        sim.add_record(orcid, works=2, employments=1, fundings=0, seed=seed)
    sim.add_record(STRANGER, works=7)
    granted = {orcid: sim.token_service.issue(CLIENT_ID, SCOPES, orcid=orcid).text for orcid in orcids[::2]}
    return World(sim, orcids, granted)


def switch_faults_on(world: World, rng: Random) -> None:
    """Everything of the lists above, for whatever is asked; stale reads for some records only."""
    faults = world.sim.faults
    for kind, probability, options in REQUEST_FAULTS:
        faults.add(kind, probability=probability, **options)
    faults.add("wrong-record", "record", probability=0.01, other=STRANGER)
    for kind, probability, options in NOTIFICATION_FAULTS:
        faults.add(kind, "notification", probability=probability, **options)
    world.stale = {*world.orcids[: HOT // 3], *rng.sample(world.orcids, len(world.orcids) // 20)}
    for orcid in sorted(world.stale):
        faults.add("stale", "record", orcid=orcid, probability=0.5, seconds=2)


def edit(world: World, rng: Random) -> None:
    """One thing that happens at the Registry."""
    orcid = rng.choice(world.orcids[:HOT] if rng.random() < 0.3 else world.orcids)
    if rng.random() < 0.08:
        world.states += _change_state(world, orcid, rng)
    else:
        world.edits += world.sim.random_edit(rng, orcid=orcid) is not None


def _change_state(world: World, orcid: Orcid, rng: Random) -> bool:
    """What opens a closed record again, else one of the things that close it."""
    state = world.sim.profiles.state(orcid)
    closings = ["lock", "lock", "hide", "hide", "deprecate"] + ["deactivate"] * (orcid not in world.granted) * 2
    change = "unlock" if state.locked else "reactivate" if state.deactivated_ms else rng.choice(closings)
    other = rng.choice([other for other in world.orcids if other != orcid])
    return change_state(world.sim, orcid, change, other)


CHANGES_OF_STATE = ("lock", "unlock", "deactivate", "reactivate", "deprecate", "hide")


def change_state(sim: SimulatedRegistry, orcid: str, change: str, other: str) -> bool:
    """Close or open a record, if it is in a state in which that happens; with a closed account goes its token."""
    state = sim.profiles.state(orcid)
    closed = {"locked": state.locked, "deactivated": state.deactivated_ms is not None}
    allowed = {"unlock": {"locked"}, "reactivate": {"deactivated"}}.get(change, set())
    if state.primary_orcid or {name for name, is_so in closed.items() if is_so} != allowed:
        return False
    if change == "deprecate":
        if other == orcid or sim.profiles.state(other).primary_orcid:
            return False
        sim.edit.deprecate(orcid, other)
    elif change == "hide":
        for put_code in list(state.of("work")):
            sim.edit.set_visibility(orcid, "work", put_code, "private")
    else:
        getattr(sim.edit, change)(orcid)
    return True
