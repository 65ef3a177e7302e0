"""What tokens show, and why an item is not shown any more."""

import pytest

from orcid_sync.model.record.access import PUBLIC, Access, access_from, access_with, part_of
from orcid_sync.model.record.diff import Change, Known
from orcid_sync.model.record.removals import readdition, reason_gone, removal_of_emails
from orcid_sync.model.record.sections import Content


def proven(*scopes: str) -> Access:
    """All that these scopes show was seen."""
    said = access_with(list(scopes))
    return said.has_shown(said.shows)


FULL = proven("/read-limited", "/authenticate")
PERSON = proven("/person/read-limited")
ACTIVITIES = proven("/activities/read-limited", "/activities/update")
EMAILS = proven("/read-limited", "/email/read-private")
SAID = access_with(["/read-limited"])


@pytest.mark.parametrize(
    ("access", "kind"),
    [
        (PUBLIC, "read-public"),
        (access_with(["/authenticate", "openid"]), "read-public"),
        (access_with(["/read-public", "/webhook"]), "read-public"),
        (access_with(["/activities/update", "/person/update"]), "read-public"),
        (access_with(["/authenticate", "/activities/read-limited"]), "read-limited"),
        (FULL, "read-limited"),
        (SAID, "read-limited"),
        (PERSON, "read-limited"),
        (access_with(["/orcid-profile/read-limited"]), "read-limited"),
        (access_with(["/email/read-private"]), "read-public"),
    ],
)
def test_an_access_in_one_word(access: Access, kind: str) -> None:
    assert access.kind == kind


PARTLY = SAID.has_shown(PERSON.seen)


@pytest.mark.parametrize("access", [PUBLIC, SAID, PARTLY, FULL, PERSON, ACTIVITIES, EMAILS], ids=lambda one: one.text)
def test_what_is_stored_is_read_again(access: Access) -> None:
    assert access_from(access.text) == access
    assert access.text.startswith(access.kind)


def test_what_earlier_releases_stored() -> None:
    assert access_from("read-limited") == access_from("read-limited, activities-summary, person") == FULL
    assert access_from("read-public") == access_from("") == access_from(None) == PUBLIC


def test_which_access_covers_which() -> None:
    assert FULL.covers(PERSON)
    assert FULL.covers(ACTIVITIES)
    assert not PERSON.covers(ACTIVITIES)
    assert not FULL.covers(EMAILS)
    assert EMAILS.covers(FULL)
    assert all(access.covers(PUBLIC) for access in (PUBLIC, PERSON))
    assert SAID.covers(FULL)  # as long as nothing was read


def test_what_a_token_has_shown_counts_whatever_is_said_of_it() -> None:
    assert PUBLIC.has_shown(PERSON.seen) == PERSON
    assert SAID.has_shown(PERSON.seen).seen == PERSON.seen
    assert SAID.seen == PUBLIC.seen


WORK, KEYWORD, EMAIL = ("work", "1"), ("keyword", "2"), ("email", "a@example.org")


@pytest.mark.fault("F59")
@pytest.mark.invariant("S8")
@pytest.mark.parametrize(
    ("key", "visibility", "before", "now", "reason"),
    [
        (WORK, "limited", FULL, PUBLIC, "access-lost"),
        (WORK, "limited", FULL, FULL, "removed"),
        (WORK, "limited", PUBLIC, PUBLIC, "removed"),  # our own item, which our token always saw
        (WORK, "limited", PUBLIC, FULL, "removed"),
        (WORK, "public", FULL, PUBLIC, "removed"),  # shown to everybody: its absence is an absence
        (WORK, "limited", FULL, SAID, "access-lost"),  # a new token that has shown nothing, whatever is said of it
        (WORK, "limited", SAID, SAID, "removed"),  # our own item: the token has never shown any other
        (WORK, "limited", SAID, PUBLIC, "removed"),
        (WORK, "limited", FULL, PARTLY, "access-lost"),
        (KEYWORD, "limited", FULL, PARTLY, "removed"),
        (WORK, "limited", FULL, PERSON, "access-lost"),
        (WORK, "limited", FULL, ACTIVITIES, "removed"),
        (KEYWORD, "limited", FULL, ACTIVITIES, "access-lost"),
        (KEYWORD, "limited", FULL, PERSON, "removed"),
        (EMAIL, "private", EMAILS, FULL, "access-lost"),
        (EMAIL, "limited", EMAILS, FULL, "removed"),
        (WORK, None, FULL, PUBLIC, "access-lost"),  # a visibility that we do not know counts as private
        (WORK, "registered-only", FULL, FULL, "removed"),
    ],
)
def test_a_read_with_less_access_never_deletes(
    key: tuple[str, str], visibility: str | None, before: Access, now: Access, reason: str
) -> None:
    assert reason_gone(key, Known(b"", visibility), before, now) == reason


@pytest.mark.parametrize(
    ("key", "visibility", "part"),
    [
        (WORK, "public", None),
        (WORK, "limited", "activities-summary"),
        (WORK, "private", "activities-summary"),
        (WORK, None, "activities-summary"),
        (EMAIL, "limited", "person"),
        (EMAIL, "private", "private e-mails"),
    ],
)
def test_to_which_part_an_item_belongs(key: tuple[str, str], visibility: str | None, part: str | None) -> None:
    assert part_of(key, visibility) == part


@pytest.mark.parametrize(
    ("visibilities", "shown"),
    [
        (["public", "limited"], "public"),
        (["limited", "private"], "limited"),
        (["private"], None),
        ([None], None),
    ],
)
def test_e_mails_that_go_for_good_are_not_named(visibilities: list[str | None], shown: str | None) -> None:
    """Whoever was shown one of them hears it."""
    emails = [Known(b"", visibility) for visibility in visibilities]
    change = removal_of_emails(emails, reason="access-lost", at=None)
    assert change == Change("email", "", "withdrawn", shown, "access-lost", visibility_before=shown)


def test_e_mails_that_stay_are_added_again() -> None:
    content = Content(b'{"email":"a@example.org"}')
    change = readdition(EMAIL, Known(b"", "public"), content)
    assert (change.op, change.key, change.new, change.old) == ("added", EMAIL[1], content, content)
