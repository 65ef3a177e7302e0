"""The pure parts of the simulated Registry, against the contract's own examples."""

from random import Random

import pytest

from orcid_sync.simulator.answers.http_answer import accepted
from orcid_sync.simulator.base.clock import VirtualClock
from orcid_sync.simulator.base.errors import Refusal
from orcid_sync.simulator.base.rate_limits import DailyQuota, RateLimit
from orcid_sync.simulator.base.tokens import TokenService
from orcid_sync.simulator.faults.faults import NOTIFICATION, Faults
from orcid_sync.simulator.records.forms import complete, fuzzy_date
from orcid_sync.simulator.records.identifiers import check_digit, external_id, group_key, normalised, numbered_orcid
from orcid_sync.simulator.records.profiles import Item, Profiles, RecordState, Source
from orcid_sync.simulator.records.sections import SECTIONS
from orcid_sync.simulator.records.visibility import PUBLIC, Viewer, sees, viewer_of
from orcid_sync.simulator.webhooks.registrations import Webhooks

ORCID = "0000-0002-1825-0097"


@pytest.mark.parametrize("orcid", [ORCID, "0000-0002-1694-233X"])
def test_check_digits_are_those_of_the_contract(orcid: str) -> None:
    plain = orcid.replace("-", "")
    assert check_digit(plain[:15]) == plain[15]
    assert numbered_orcid(int(plain[:15])) == orcid


def test_the_clock_stands_still_until_it_is_advanced_and_stamps_never_repeat() -> None:
    clock = VirtualClock(start_ms=1_000)
    assert clock.now_ms() == clock.now_ms() == 1_000
    stamps = [clock.stamp() for _ in range(3)]
    assert stamps == [1_001, 1_002, 1_003]
    assert clock.advance(3600) == 3_601_003
    with pytest.raises(ValueError, match="forwards"):
        clock.advance(-1)


@pytest.mark.parametrize(
    ("kind", "value", "normal"),
    [
        ("doi", "https://doi.org/10.5555/ABC", "10.5555/abc"),
        ("doi", " 10.5555/abc ", "10.5555/abc"),
        ("doi", "book1", None),
        ("isbn", "978-0-00-000000-2", "9780000000002"),
        ("isbn", "not-a-number", None),
        ("eid", " 2-s2.0-1 ", "2-s2.0-1"),
    ],
)
def test_normal_forms(kind: str, value: str, normal: str | None) -> None:
    assert normalised(kind, value) == normal
    rendered = external_id((kind, value))
    assert (rendered["external-id-normalized"] or {}).get("value") == normal
    assert (rendered["external-id-normalized-error"] is None) == (normal is not None)


@pytest.mark.parametrize(
    ("relationship", "groups"),
    [("self", True), ("version-of", True), (None, True), ("part-of", False), ("funded-by", False)],
)
def test_which_relationships_group(relationship: str | None, groups: bool) -> None:  # noqa: FBT001 - a table's column
    assert (group_key(external_id(("doi", "10.5555/A", relationship))) is not None) == groups


def test_brief_contents_become_complete_wire_forms() -> None:
    work = complete(SECTIONS["work"], {"title": "A", "publication-date": "2012-10", "url": "https://example.org"})
    assert work["title"] == {"title": {"value": "A"}, "subtitle": None, "translated-title": None}
    assert work["publication-date"] == {"year": {"value": "2012"}, "month": {"value": "10"}, "day": None}
    assert work["url"] == {"value": "https://example.org"}
    assert work["external-ids"] is None
    assert complete(SECTIONS["work"], work) == work, "a complete form stays as it is"
    with pytest.raises(KeyError, match="titel"):
        complete(SECTIONS["work"], {"titel": "misspelt"})
    assert fuzzy_date(None) is None


@pytest.mark.parametrize(
    ("accept", "content_type", "form"),
    [
        (None, None, "application/xml"),
        ("*/*", None, "application/xml"),
        ("application/json", None, "application/json"),
        ("application/vnd.orcid+json", None, "application/vnd.orcid+json"),
        ("application/xml;q=0.5, application/json;q=0.9", None, "application/json"),
        ("*/*", "application/json", "application/json"),
        ("text/html", None, None),
    ],
)
def test_xml_unless_json_is_asked_for(accept: str | None, content_type: str | None, form: str | None) -> None:
    assert accepted(accept, content_type) == form


OWN, OTHER = "APP-0000000000000001", "APP-0000000000000002"
LIMITED = viewer_of(OWN, frozenset({"/read-limited"}), personal=True)
WITH_EMAIL = viewer_of(OWN, frozenset({"/read-limited", "/email/read-private"}), personal=True)
MEMBER = viewer_of(OWN, frozenset({"/read-public"}), personal=False)
PERSON_ONLY = viewer_of(OWN, frozenset({"/person/read-limited"}), personal=True)


@pytest.mark.parametrize(
    ("section", "visibility", "source", "seen_by"),
    [
        ("work", "public", None, {"public", "member", "limited", "person-only", "email"}),
        ("work", "limited", None, {"limited", "email"}),
        ("work", "private", None, set()),
        ("work", "private", OWN, {"member", "limited", "person-only", "email"}),
        ("work", "private", OTHER, set()),
        ("keyword", "limited", None, {"limited", "person-only", "email"}),
        ("email", "private", None, {"email"}),
        ("email", "limited", None, {"limited", "person-only", "email"}),
    ],
)
def test_who_sees_what(section: str, visibility: str, source: str | None, seen_by: set[str]) -> None:
    given = Source(client_id=source) if source else Source(orcid=ORCID)
    item = Item(section, 1, {"verified": True}, given, visibility, 0, 1, 1)
    viewers = {"public": PUBLIC, "member": MEMBER, "limited": LIMITED, "person-only": PERSON_ONLY, "email": WITH_EMAIL}
    assert {name for name, viewer in viewers.items() if sees(viewer, item)} == seen_by


def test_own_items_include_those_asserted_on_our_behalf_and_unverified_emails_are_nobodys() -> None:
    assert viewer_of(OWN, frozenset({"/read-limited"}), personal=False) == MEMBER
    behalf = Item("work", 1, {}, Source(client_id=OTHER, origin_client_id=OWN), "private", 0, 1, 1)
    assert sees(MEMBER, behalf)
    assert not sees(Viewer(client_id="APP-0000000000000003"), behalf)
    assert not sees(WITH_EMAIL, Item("email", 1, {"verified": False}, Source(orcid=ORCID), "public", 0, 1, 1))


def test_the_rate_limit_slows_down_then_refuses() -> None:
    limit = RateLimit(rate=24, queue=40)
    waits = [limit.reserve("client", 100.0) for _ in range(43)]
    assert waits[0] == 0
    assert waits[40] == pytest.approx(40 / 24)
    assert waits[41:] == [None, None]
    assert limit.reserve("another", 100.0) == 0
    assert limit.reserve("client", 103.0) == 0, "the queue drains"


def test_the_quota_starts_again_on_the_next_day() -> None:
    quota = DailyQuota(limit=2)
    assert [quota.take("192.0.2.1", 10.0) for _ in range(3)] == [True, True, False]
    assert quota.take("192.0.2.2", 10.0)
    assert quota.take("192.0.2.1", 86_410.0)


def test_faults_fire_where_and_as_often_as_they_should() -> None:
    faults = Faults(Random(1))
    faults.add("error", "work*", count=2, status=503)
    faults.add("lost", NOTIFICATION, orcid=ORCID)
    assert [fault.kind for fault in faults.draw("works-bulk", None)] == ["error"]
    assert faults.draw("record", None) == []
    assert [fault.kind for fault in faults.draw("work", None)] == ["error"]
    assert faults.draw("work", None) == [], "used up"
    assert faults.draw(NOTIFICATION, "0000-0002-1694-233X") == []
    assert [fault.kind for fault in faults.draw(NOTIFICATION, ORCID)] == ["lost"]
    assert faults.fired == {"error": 2, "lost": 1}
    with pytest.raises(ValueError, match="no fault"):
        faults.add("lost", "record")


def test_chance_decides_how_often_a_fault_fires() -> None:
    faults = Faults(Random(1))
    faults.add("reset", probability=0.25)
    fired = sum(bool(faults.draw("record", None)) for _ in range(1000))
    assert 200 < fired < 300


@pytest.mark.parametrize(
    ("segment", "code"),
    [
        ("https%3A%2F%2Fhub.example%2Fhooks%2Fa", None),
        ("example.org%2Fx", None),
        ("https%3A%2F%2Fhub.example%2F%3Fq%3D1%26r%3D2%23f", None),
        ("https%3A%2F%2Fhub.example%2Fa%20b", 9012),
        ("https%3A%2F%2Fhub.example%2F%7Bid%7D", 9012),
        ("https%3A%2F%2Fhub.example%2F%25zz", 9012),
        ("https%3A%2F%2Fhub.example%2F%2541", None),
    ],
)
def test_callback_addresses_that_java_refuses(segment: str, code: int | None) -> None:
    clock = VirtualClock(start_ms=1)
    profiles = Profiles(clock, keep_history=False)
    profiles.create(RecordState(orcid=ORCID, submitted_ms=1, modified_ms=1))
    webhooks = Webhooks(profiles, clock)
    if code is None:
        assert webhooks.put(ORCID, segment, OWN)
        assert not webhooks.put(ORCID, segment, OTHER), "a second PUT changes nothing"
        assert webhooks.of(ORCID)[0].client_id == OWN
    else:
        with pytest.raises(Refusal) as refused:
            webhooks.put(ORCID, segment, OWN)
        assert refused.value.code == code


def test_tokens_of_one_kind_of_grant_do_not_get_scopes_of_the_other() -> None:
    token_service = TokenService(VirtualClock(start_ms=1), Random(1))
    from orcid_sync.simulator.base.tokens import Client

    client = Client("APP-0000000000000001", "s", "n")
    token_service.clients[client.client_id] = client
    assert token_service.client_credentials(client, "/webhook /read-limited").scopes == {"/webhook"}
