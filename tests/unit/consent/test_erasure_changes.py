"""What the feed says of somebody who was erased, and the names under which nobody recognises them."""

import hashlib
from datetime import UTC, datetime

import pytest

from orcid_sync.model.consent.erasure import REASON, erasure_changes, fingerprint, pseudonym
from orcid_sync.model.record.diff import RECORD, Held, Known, RecordContent

AT = datetime(2026, 1, 2, tzinfo=UTC)
ACTIVE = RecordContent("active", "read-limited")
ORCID = "0009-9990-0000-0013"


def held(*items: tuple[str, str, str | None]) -> Held:
    return Held(ACTIVE, {(section, key): Known(b"", visibility) for section, key, visibility in items}, AT)


@pytest.mark.invariant("S11")
def test_each_item_goes_then_the_record_and_no_line_names_an_address() -> None:
    changes = erasure_changes(
        held(
            ("work", "9", "public"),
            ("keyword", "2", "limited"),
            ("work", "10", None),
            ("email", "a@example.org", "public"),
            ("email", "b@example.org", "public"),
            ("email", "c@example.org", "limited"),
        )
    )

    assert [(one.section, one.key, one.visibility) for one in changes] == [
        ("email", "", "limited"),  # one for each visibility: a reader sees the lines of what it may see
        ("email", "", "public"),
        ("keyword", "2", "limited"),
        ("work", "10", None),
        ("work", "9", "public"),
        (RECORD, "", "public"),
    ]
    for one in changes:
        assert (one.op, one.reason, one.source_modified_at) == ("removed", REASON, AT)
        assert one.visibility_before == one.visibility


def test_of_somebody_whom_the_mirror_does_not_hold_nothing_is_said() -> None:
    assert erasure_changes(Held()) == []


def test_pseudonyms_are_told_apart_by_key_and_by_person() -> None:
    names = {pseudonym(key, orcid) for key in (b"one", b"two") for orcid in (ORCID, "0009-9990-0000-0021")}
    assert len(names) == 4
    assert all(len(name) == 64 and ORCID not in name for name in names)


def test_a_fingerprint_tells_keys_apart_and_is_none_of_what_the_key_makes() -> None:
    assert fingerprint(b"one") != fingerprint(b"two")
    assert fingerprint(b"one") == hashlib.sha256(b"orcid_sync|erasure|one").hexdigest()[:16]  # it is written down
