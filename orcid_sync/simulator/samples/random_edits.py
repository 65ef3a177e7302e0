"""What researchers, organisations and importers do on an ordinary day, by chance and repeatably."""

from collections.abc import Callable
from random import Random

import msgspec

from orcid_sync.simulator.records import vocabulary as words
from orcid_sync.simulator.records.profiles import RecordState
from orcid_sync.simulator.records.sections import AFFILIATIONS, PERSON_LISTS
from orcid_sync.simulator.samples import random_items
from orcid_sync.simulator.samples.record_builder import another_version
from orcid_sync.simulator.world import CLIENT_ID, World

Deed = Callable[[World, RecordState, Random], bool]
"""Changes a record; False if there was nothing to do it to."""


class Edit(msgspec.Struct, frozen=True):
    """What was done."""

    orcid: str
    deed: str
    version: int
    """Of the record, afterwards."""


def random_edit(world: World, rng: Random, *, orcid: str | None = None) -> Edit | None:
    """One edit of some (or this) record that can be edited; None if there is none."""
    for _ in range(100):
        chosen = orcid or rng.choice(list(world.profiles) or [""])
        state = world.find_state(chosen)
        if state is None or state.locked or state.deactivated_ms or state.primary_orcid or not state.claimed:
            if orcid is not None:
                return None
            continue
        deed = rng.choices(list(DEEDS), list(DEEDS.values()))[0]
        if deed(world, state, rng):
            return Edit(chosen, deed.__name__, world.profiles.state(chosen).version)
    return None


def add_work(world: World, state: RecordState, rng: Random) -> bool:
    """A new work, by hand or from a source."""
    source = rng.choice((None, words.DOI_REGISTRY, words.CITATION_INDEX, words.DATA_REPOSITORY, CLIENT_ID))
    world.editor.add_item(state.orcid, "work", random_items.work(rng), source=source)
    return True


def add_version(world: World, state: RecordState, rng: Random) -> bool:
    """Another source adds a work that is there already."""
    chosen = _one(state, "work", rng)
    if chosen is None:
        return False
    content = state.of("work")[chosen].content
    held = content["external-ids"]["external-id"] if content["external-ids"] else []
    members = ("external-id-type", "external-id-value", "external-id-relationship", "external-id-url")
    title = (content["title"] or {}).get("title") or {"value": ""}
    brief = {**content, "title": {"title": title["value"]}}
    brief["external-ids"] = [tuple(one[member] for member in members) for one in held]
    world.editor.add_item(state.orcid, "work", another_version(brief, rng), source=words.CITATION_INDEX)
    return True


def fix_title(world: World, state: RecordState, rng: Random) -> bool:
    """A typing error is mended."""
    chosen = _one(state, "work", rng)
    if chosen is not None:
        world.editor.edit_item(state.orcid, "work", chosen, {"title": random_items.title(rng)})
    return chosen is not None


def remove_work(world: World, state: RecordState, rng: Random) -> bool:
    """A work is deleted."""
    chosen = _one(state, "work", rng)
    if chosen is not None:
        world.editor.remove_item(state.orcid, "work", chosen)
    return chosen is not None


def start_job(world: World, state: RecordState, rng: Random) -> bool:
    """A new employment, often asserted by the employer."""
    content = {**random_items.affiliation(rng, "employment"), "start-date": "2026", "end-date": None}
    world.editor.add_item(state.orcid, "employment", content, source=rng.choice((None, CLIENT_ID)))
    return True


def end_job(world: World, state: RecordState, rng: Random) -> bool:
    """An employment ends."""
    running = [code for code, item in state.of("employment").items() if item.content["end-date"] is None]
    if running:
        world.editor.edit_item(state.orcid, "employment", rng.choice(running), {"end-date": "2026-06"})
    return bool(running)


def add_affiliation(world: World, state: RecordState, rng: Random) -> bool:
    """An affiliation of any kind."""
    kind = rng.choice(AFFILIATIONS)
    world.editor.add_item(state.orcid, kind, random_items.affiliation(rng, kind))
    return True


def change_visibility(world: World, state: RecordState, rng: Random) -> bool:
    """Something is hidden, or shown again."""
    section = rng.choice(("work", "work", "employment", "education", "funding", "keyword", "email"))
    chosen = _one(state, section, rng)
    if chosen is not None:
        visibility = rng.choice(("public", "limited", "private"))
        world.editor.set_visibility(state.orcid, section, chosen, visibility)
    return chosen is not None


def prefer_version(world: World, state: RecordState, rng: Random) -> bool:
    """Another version comes first: dates move, nobody is called."""
    chosen = _one(state, "work", rng)
    if chosen is not None:
        world.editor.set_display_index(state.orcid, "work", chosen, rng.randint(1, 300))
    return chosen is not None


def add_personal(world: World, state: RecordState, rng: Random) -> bool:
    """A keyword, a web link, an e-mail address and the like."""
    section = rng.choice((*PERSON_LISTS, "keyword", "keyword"))
    visibility = rng.choice(("public", "public", "limited", "private"))
    world.editor.add_item(state.orcid, section, random_items.personal(rng, section), visibility=visibility)
    return True


def remove_personal(world: World, state: RecordState, rng: Random) -> bool:
    """One of these goes."""
    section = rng.choice(PERSON_LISTS)
    chosen = _one(state, section, rng)
    if chosen is not None:
        world.editor.remove_item(state.orcid, section, chosen)
    return chosen is not None


def change_name(world: World, state: RecordState, rng: Random) -> bool:
    """Marriage, spelling, or hiding it."""
    given, family = rng.choice(words.PEOPLE)
    visibility = rng.choice(("public", "public", "public", "limited"))
    world.editor.set_name(state.orcid, given_names=given, family_name=family, visibility=visibility)
    return True


def write_biography(world: World, state: RecordState, rng: Random) -> bool:
    """A new biography."""
    world.editor.set_biography(
        state.orcid, f"Now at work on {rng.choice(words.SUBJECTS)}.\n\n({random_items.title(rng)})"
    )
    return True


def add_funding(world: World, state: RecordState, rng: Random) -> bool:
    """A grant."""
    world.editor.add_item(state.orcid, "funding", random_items.funding(rng), source=words.FUNDER_PORTAL)
    return True


def add_review(world: World, state: RecordState, rng: Random) -> bool:
    """A review, asserted by the service that knows of it."""
    world.editor.add_item(state.orcid, "peer-review", random_items.peer_review(rng), source=words.REVIEW_SERVICE)
    return True


def add_resource(world: World, state: RecordState, rng: Random) -> bool:
    """Time at a facility."""
    world.editor.add_item(state.orcid, "research-resource", random_items.research_resource(rng), source=CLIENT_ID)
    return True


def change_language(world: World, state: RecordState, rng: Random) -> bool:
    """The account's language: announced, hardly visible."""
    world.editor.set_locale(state.orcid, rng.choice(words.LOCALES))
    return True


def change_settings(world: World, state: RecordState, _rng: Random) -> bool:
    """Something nobody sees: only the record's date moves."""
    world.editor.change_settings(state.orcid)
    return True


def _one(state: RecordState, section: str, rng: Random) -> int | None:
    codes = list(state.of(section))
    return rng.choice(codes) if codes else None


DEEDS: dict[Deed, float] = {
    add_work: 30,
    fix_title: 12,
    add_version: 8,
    add_personal: 8,
    add_review: 6,
    start_job: 6,
    change_visibility: 6,
    end_job: 5,
    add_funding: 4,
    add_affiliation: 4,
    remove_work: 3,
    remove_personal: 2,
    prefer_version: 3,
    write_biography: 3,
    change_settings: 2,
    change_name: 1,
    change_language: 1,
    add_resource: 1,
}
"""Every deed with its weight."""
