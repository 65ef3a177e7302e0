"""What simulated records look like: groups, orders, dates, samples, and the shapes of real data."""

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from orcid_sync.simulator.api.read_record import Answerer, Target
from orcid_sync.simulator.oauth.access import reader
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.records.sections import ACTIVITY_ORDER, PERSON_LISTS
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.samples.sample_records import sample_orcid
from orcid_sync.simulator.world import CLIENT_ID

O = numbered_orcid(4_000_001)  # noqa: E741 - the iD of the one record in most tests
CORPUS = Path(os.environ.get("ORCID_SYNC_CORPUS", Path(__file__).parents[4] / "shared/corpus/dev"))
ROOTS = {
    "record": "$",
    "works": "$.activities-summary.works",
    "person": "$.person",
    "email": "$.person.emails",
    "work-N": "$work",
    "funding-N": "$funding",
    "personal-details": "$personal-details",
}
# Damaged by the projects that keep them (corpus section 4), and a member that came and went (corpus finding 2).
DAMAGED = (
    "CSCfi_research-fi-mydata__aspnetcore__src__api.Tests__Infrastructure__orcid",
    "work_1526002",
    "profile-single-affiliation",
)
GONE = {"verification-date"}


@pytest.fixture
def sim() -> SimulatedRegistry:
    registry = SimulatedRegistry(start_ms=1_790_000_000_000)
    registry.edit.create_record(O, given_names="Max", family_name="Mustermann")
    return registry


def token(sim: SimulatedRegistry, orcid: str = O, *scopes: str) -> str:
    granted = scopes or ("/read-limited", "/email/read-private")
    return sim.token_service.issue(CLIENT_ID, granted, orcid=orcid).text


def public(sim: SimulatedRegistry) -> str:
    return sim.token_service.issue(CLIENT_ID, ["/read-public"]).text


def test_items_that_share_an_identifier_are_one_group_transitively(sim: SimulatedRegistry) -> None:
    ids = [
        [("doi", "10.5555/A")],
        [("doi", "https://doi.org/10.5555/a"), ("eid", "1")],
        [("eid", "1")],
        [("eid", "2")],
        [],
    ]
    for number, listed in enumerate(ids):
        sim.edit.add_item(O, "work", {"title": str(number), "external-ids": listed}, display_index=number)
    groups = sim.view(O, token(sim))["activities-summary"]["works"]["group"]
    titles = sorted([one["title"]["title"]["value"] for one in group["work-summary"]] for group in groups)
    assert titles == [["2", "1", "0"], ["3"], ["4"]], "the highest display index comes first"
    alone = next(group for group in groups if group["work-summary"][0]["title"]["title"]["value"] == "4")
    assert alone["external-ids"] == {"external-id": []}


def test_a_later_item_joins_two_groups(sim: SimulatedRegistry) -> None:
    for listed in ([("doi", "10.5555/a")], [("doi", "10.5555/b")], [("doi", "10.5555/a"), ("doi", "10.5555/b")]):
        sim.edit.add_item(O, "work", {"title": "t", "external-ids": listed})
    groups = sim.view(O, token(sim))["activities-summary"]["works"]["group"]
    assert [len(group["work-summary"]) for group in groups] == [3]
    assert len(groups[0]["external-ids"]["external-id"]) == 2


def test_what_is_part_of_the_same_book_is_no_group(sim: SimulatedRegistry) -> None:
    for title in "ab":
        sim.edit.add_item(O, "work", {"title": title, "external-ids": [("isbn", "9780000000002", "part-of")]})
    assert len(sim.view(O, token(sim))["activities-summary"]["works"]["group"]) == 2


def test_works_come_newest_first_and_affiliations_with_what_goes_on_first(sim: SimulatedRegistry) -> None:
    for date in ("2001", None, "2020-05", "2020-05-02", "2020"):
        sim.edit.add_item(O, "work", {"title": str(date), "publication-date": date})
    for end in ("2001", None, "2020"):
        sim.edit.add_item(O, "employment", {"role-title": str(end), "end-date": end})
    activities = sim.view(O, token(sim))["activities-summary"]
    works = [group["work-summary"][0]["title"]["title"]["value"] for group in activities["works"]["group"]]
    assert works == ["2020-05-02", "2020-05", "2020", "2001", "None"]
    groups = activities["employments"]["affiliation-group"]
    roles = [group["summaries"][0]["employment-summary"]["role-title"] for group in groups]
    assert roles == ["None", "2020", "2001"]


def test_reviews_are_grouped_twice_and_change_their_member_names(sim: SimulatedRegistry) -> None:
    for group, identifier in (("issn:1", "a"), ("issn:1", "a"), ("issn:1", "b"), ("issn:2", "c")):
        content = {"review-group-id": group, "review-identifiers": [("source-work-id", identifier)]}
        sim.edit.add_item(O, "peer-review", {**content, "review-completion-date": "2020"})
    groups = sim.view(O, token(sim))["activities-summary"]["peer-reviews"]["group"]
    sizes = [[len(inner["peer-review-summary"]) for inner in outer["peer-review-group"]] for outer in groups]
    assert sizes == [[2, 1], [1]]
    identifier = groups[0]["external-ids"]["external-id"][0]
    assert (identifier["external-id-type"], identifier["external-id-value"]) == ("peer-review", "issn:1")
    assert identifier["external-id-relationship"] is identifier["external-id-url"] is None
    summary = groups[0]["peer-review-group"][0]["peer-review-summary"][0]
    assert "completion-date" in summary
    assert "review-identifiers" not in summary


def test_dates_are_maxima_of_what_is_seen_and_go_backwards(sim: SimulatedRegistry) -> None:
    old = sim.edit.add_item(O, "work", {"title": "old"})
    sim.clock.advance(60)
    new = sim.edit.add_item(O, "work", {"title": "new"})
    reader = public(sim)
    before = sim.view(O, reader)["activities-summary"]
    sim.edit.set_visibility(O, "work", new, "private")
    after = sim.view(O, reader)
    assert after["activities-summary"]["works"]["last-modified-date"]["value"] < before["last-modified-date"]["value"]
    assert after["history"]["last-modified-date"]["value"] > before["last-modified-date"]["value"]
    sim.edit.remove_item(O, "work", old)
    assert sim.view(O, reader)["activities-summary"]["last-modified-date"] is None


def test_the_persons_date_ignores_name_and_biography(sim: SimulatedRegistry) -> None:
    sim.edit.set_biography(O, "text")
    assert sim.view(O, token(sim))["person"]["last-modified-date"] is None
    sim.edit.add_item(O, "keyword", {"content": "k"})
    assert sim.view(O, token(sim))["person"]["last-modified-date"] is not None


def test_names_of_sources_drift_without_any_date(sim: SimulatedRegistry) -> None:
    sim.edit.add_item(O, "work", {"title": "t"}, source=CLIENT_ID)
    reader = public(sim)
    before = sim.view(O, reader)
    sim.edit.rename_client(CLIENT_ID, "Renamed University")
    after = sim.view(O, reader)
    assert after["history"] == before["history"]
    assert "Renamed University" in json.dumps(after)


def test_a_funding_contributors_name_is_that_of_the_contributors_record(sim: SimulatedRegistry) -> None:
    other = numbered_orcid(4_000_002)
    sim.edit.create_record(other, given_names="Erika", family_name="Musterfrau")
    given = {"contributor-orcid": other, "credit-name": "Old Name", "contributor-email": "e@example.org"}
    code = sim.edit.add_item(O, "funding", {"title": "f", "contributors": [given]})
    item = sim.profiles.state(O).of("funding")[code]

    def shown() -> Any:
        full = sim.world.renderer.item(sim.profiles.state(O), item)
        return full["contributors"]["contributor"][0]

    assert shown()["credit-name"] == {"value": "Erika Musterfrau"}
    assert shown()["contributor-email"] is None
    sim.edit.set_name(other, given_names="Erika", visibility="private")
    assert shown()["credit-name"] == {"value": ""}


def sim_viewer(sim: SimulatedRegistry) -> Any:
    return reader(sim.token_service, token(sim), on_public_host=False).viewer


def test_a_hidden_name_is_null_and_takes_the_source_names_with_it(sim: SimulatedRegistry) -> None:
    sim.edit.add_item(O, "work", {"title": "t"})
    sim.edit.set_name(O, given_names="Max", visibility="private")
    record = sim.view(O, public(sim))
    assert record["person"]["name"] is None
    assert record["activities-summary"]["works"]["group"][0]["work-summary"][0]["source"]["source-name"] is None


def test_the_owners_source_name_is_null_whoever_reads_if_the_name_is_not_public(sim: SimulatedRegistry) -> None:
    sim.edit.add_item(O, "keyword", {"content": "k"})
    sim.edit.set_name(O, given_names="Max", visibility="limited")
    record = sim.view(O, token(sim))
    assert record["person"]["name"]["given-names"] == {"value": "Max"}, "this reader sees the name"
    assert record["person"]["keywords"]["keyword"][0]["source"]["source-name"] is None


def test_a_summary_of_a_work_never_has_a_subtitle(sim: SimulatedRegistry) -> None:
    title = {"title": "t", "subtitle": "s", "translated-title": {"value": "u", "language-code": "de"}}
    code = sim.edit.add_item(O, "work", {"title": title})
    state = sim.profiles.state(O)
    summary = sim.view(O, token(sim))["activities-summary"]["works"]["group"][0]["work-summary"][0]["title"]
    full = sim.world.renderer.item(state, state.of("work")[code])["title"]
    assert full["subtitle"] == {"value": "s"}
    assert summary == {**full, "subtitle": None}


def test_every_version_ever_shown_can_be_asked_for(sim: SimulatedRegistry) -> None:
    code = sim.edit.add_item(O, "work", {"title": "first"})
    version = sim.profiles.state(O).version
    sim.edit.edit_item(O, "work", code, {"title": "second"})
    sim.edit.remove_item(O, "work", code)
    reader = public(sim)
    assert "first" in json.dumps(sim.view(O, reader, version=version))
    assert "second" in json.dumps(sim.view(O, reader, version=version + 1))
    assert "second" not in json.dumps(sim.view(O, reader))


def test_answers_are_remembered_until_the_record_moves(sim: SimulatedRegistry) -> None:
    target, access = Target(O, "record"), reader(sim.token_service, public(sim), on_public_host=False)

    def answer() -> bytes:
        return sim.world.answerer.answer(target, sim.profiles.state(O), access, as_json=True, epoch=0)

    first = answer()
    assert answer() is first
    sim.edit.change_settings(O)
    assert answer() != first


def test_what_is_remembered_has_a_limit(sim: SimulatedRegistry) -> None:
    answerer, access = (
        Answerer(sim.world.renderer, cache_bytes=10_000),
        reader(sim.token_service, None, on_public_host=True),
    )
    for number in range(50):
        sim.edit.create_record(numbered_orcid(4_000_100 + number))
    states = [sim.profiles.state(orcid) for orcid in sim.profiles]
    answers = [answerer.answer(Target(state.orcid, "record"), state, access, as_json=True, epoch=0) for state in states]
    last = answerer.answer(Target(states[-1].orcid, "record"), states[-1], access, as_json=True, epoch=0)
    first = answerer.answer(Target(states[0].orcid, "record"), states[0], access, as_json=True, epoch=0)
    assert last is answers[-1]
    assert first == answers[0]
    assert first is not answers[0]


def test_samples_and_edits_repeat_for_a_seed() -> None:
    seen = []
    for _ in range(2):
        sim = SimulatedRegistry(start_ms=1_790_000_000_000)
        orcids, rng = sim.add_samples(20), Random(3)
        edits = [sim.random_edit(rng) for _ in range(200)]
        seen.append((edits, [sim.view(orcid, public(sim)) for orcid in orcids]))
    assert seen[0] == seen[1]
    assert len({edit.deed for edit in seen[0][0] if edit}) > 12


def test_samples_have_something_in_every_section_and_the_oddities_of_real_data() -> None:
    sim = SimulatedRegistry()
    orcids = sim.add_samples(40)
    full = sim.profiles.state(sample_orcid(0))
    assert all(full.of(section) for section in (*ACTIVITY_ORDER, *PERSON_LISTS, "name", "biography"))
    assert len(sim.profiles.state(sample_orcid(1)).of("work")) == 450
    text = json.dumps([sim.view(orcid, token(sim, orcid)) for orcid in orcids])
    for oddity in ('"month": {"value": "00"}', '"day": {"value": "31"}', '"year": {"value": "0"}', "<sub>", '"8001"'):
        assert oddity in text
    for oddity in ('"name": null', '"family-name": null', '"title": null', '{"value": ""}', '"organization": null'):
        assert oddity in text
    assert '"display-index": "-1"' in text
    assert '"display-index": -1' in text


def shapes_of(value: Any, path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every object in a document: where it is, and its members in order."""
    if isinstance(value, dict):
        yield path, tuple(key for key in value if key not in GONE)
        for key, member in value.items():
            yield from shapes_of(member, f"{path}.{key}")
    elif isinstance(value, list):
        for member in value:
            yield from shapes_of(member, f"{path}[]")


def real_shapes() -> dict[str, set[tuple[str, ...]]]:
    shapes = defaultdict(set)
    for file in (*CORPUS.glob("v3_json/*.json"), *CORPUS.glob("official_samples/*__record__*-full-3.0.json")):
        kind = re.match(r"[^_]*__([^_]+)__", file.name)
        if kind and kind[1] in ROOTS and not any(damaged in file.name for damaged in DAMAGED):
            for path, members in shapes_of(json.loads(file.read_text()), ROOTS[kind[1]]):
                shapes[path].add(members)
    return shapes


def simulated_shapes() -> dict[str, set[tuple[str, ...]]]:
    sim, shapes = SimulatedRegistry(), defaultdict(set)
    for orcid in sim.add_samples(40):
        viewer, state = sim_viewer(sim), sim.profiles.state(orcid)
        documents = [("$", sim.view(orcid, token(sim, orcid)))]
        documents.append(("$personal-details", sim.world.renderer.personal_details(state, viewer)))
        for section in ("work", "funding"):
            items = state.of(section).values()
            documents += [(f"${section}", sim.world.renderer.item(state, item)) for item in items]
        for root, document in documents:
            for path, members in shapes_of(document, root):
                shapes[path].add(members)
    return shapes


@pytest.mark.skipif(not CORPUS.is_dir(), reason="real data is not here")
def test_every_object_has_the_members_of_real_data_in_their_order() -> None:
    real, simulated = real_shapes(), simulated_shapes()
    assert len(real) > 400
    foreign = {path: shapes - real[path] for path, shapes in simulated.items() if path in real and shapes - real[path]}
    assert foreign == {}
    missing = {path for path in real if path not in simulated and not path.endswith(tuple(GONE))}
    assert missing == set(), "the samples exercise everything that real data does"
