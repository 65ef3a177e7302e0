"""Scopes in all the forms in which people have them."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.model.record.access import access_with
from orcid_sync.model.sync.schedule import READ_LIMITED
from orcid_sync.model.wire.orcid_scopes import SCOPES, Scopes, doubts_about, read_scopes

TWO = ("/read-limited", "/activities/update")


@pytest.mark.parametrize(
    "text",
    [
        "/read-limited /activities/update",
        "/read-limited  /activities/update /read-limited",
        "/read-limited,/activities/update",
        "/read-limited, /activities/update,",
        "/read-limited; /activities/update",
        "/READ-LIMITED /Activities/Update",
        "read-limited activities/update",
        "READ_LIMITED /activities/update/",
        "%2Fread-limited%20%2Factivities%2Fupdate",
        "%2fread-limited+%2factivities%2fupdate",
        "%252Fread-limited%2520%252Factivities%252Fupdate",
        '["/read-limited", "/activities/update"]',
        "{/read-limited,/activities/update}",
        "/read-limited\n/activities/update",
        "/read-limited profile email offline_access /activities/update",
    ],
)
def test_every_form_says_the_same(text: str) -> None:
    assert read_scopes(text) == Scopes(TWO, ())


def test_any_order_keeps_what_it_shows() -> None:
    for words in permutations(["openid", "/authenticate", "/read-limited", "/person/update", "/READ-LIMITED"]):
        read = read_scopes(" ".join(words))
        assert (set(read.known), read.unknown) == ({"openid", "/authenticate", "/read-limited", "/person/update"}, ())
        assert access_with(list(read.known)).kind == READ_LIMITED


@given(st.lists(st.sampled_from(SCOPES)), st.sampled_from([" ", ",", ", ", "%20", "+", "|", "\t"]))
def test_all_of_orcids_scopes_are_known(scopes: list[str], between: str) -> None:
    assert read_scopes(between.join(scopes)) == Scopes(tuple(dict.fromkeys(scopes)), ())


@given(st.text())
def test_what_was_read_reads_the_same_again(text: str) -> None:
    known = read_scopes(text).known
    assert read_scopes(" ".join(known)) == Scopes(known, ())


def test_earlier_names_count_for_what_they_show() -> None:
    read = read_scopes("/orcid-profile/read-limited /orcid-works/create")
    assert read.unknown == ()
    assert access_with(list(read.known)) == access_with(["/read-limited"])


@pytest.mark.fault("F87")
@pytest.mark.parametrize("word", ["f5a3c3f2-1111-4222-8333-c0ffeec0ffee", "kestrel9", "\x1b[31m", "r\xf6d"])
def test_a_word_that_may_be_a_token_is_not_shown(word: str) -> None:
    doubt = doubts_about(read_scopes(f"/read-limited {word}"), given=True)
    assert doubt is not None
    assert word not in doubt
    assert "a word of" in doubt


def test_all_is_well() -> None:
    assert doubts_about(read_scopes("/read-limited openid"), given=True) is None
