"""Which items are meant by what somebody pasted."""

from typing import Any

import msgspec
import pytest

from orcid_sync.model.explain.item_query import answers, identifiers, needle, quoted


def work(title: str, *external: Any) -> bytes:
    return msgspec.json.encode({"title": {"title": {"value": title}}, "external-ids": {"external-id": list(external)}})


def external(kind: Any, value: Any) -> dict[str, Any]:
    return {"external-id-type": kind, "external-id-value": value}


TIDES = work("On Tides", external("isbn", "978-3"), external("doi", "https://doi.org/10.5555/AB"))


@pytest.mark.parametrize(
    ("text", "sought"),
    [
        (" https://doi.org/10.5555/7 ", "10.5555/7"),
        ("HTTP://dx.doi.org/10.5555/7", "10.5555/7"),
        ("doi: 10.5555/7", "10.5555/7"),
        ("https://www.example.org/doi:7", "example.org/doi:7"),  # only what stands before it
        ("tides", "tides"),
    ],
)
def test_what_people_paste_around_it_is_taken_off(text: str, sought: str) -> None:
    assert needle(text) == sought


@pytest.mark.parametrize(
    ("document", "sought", "meant"),
    [
        (TIDES, "7", True),  # its key
        (TIDES, "77", False),
        (TIDES, "tides", True),  # a part of its title
        (TIDES, "ON TI", True),
        (TIDES, "moon", False),
        (TIDES, "978-3", True),  # an identifier, as it is written
        (TIDES, "978", False),  # and the whole of it
        (TIDES, "10.5555/ab", True),  # without what people write before it
        (TIDES, "https://doi.org/10.5555/ab", True),
        (TIDES, "10.5555", False),
        (None, "7", True),  # its content was forgotten
        (None, "tides", False),
        (work("On Tides"), "10.5555/ab", False),
        (work("x", external(None, "978"), external("isbn", None)), "978", False),
        (b'{"external-ids":null}', "978", False),
        (b'{"external-ids":{"external-id":null}}', "978", False),
        (b'{"external-ids":[]}', "978", False),
        (b"[]", "978", False),
    ],
)
def test_which_item_is_meant(document: bytes | None, sought: str, *, meant: bool) -> None:
    assert answers(document, "7", sought) is meant


def test_a_key_is_met_in_any_case() -> None:
    assert answers(None, "A@Example.org", "a@example.ORG")


def test_identifiers_are_shown_once_and_dois_first() -> None:
    said = work("x", external("isbn", "1"), external("doi", "10.1/2"), external("isbn", "1"), external("isbn", 3))
    assert identifiers(said) == ["doi 10.1/2", "isbn 1"]


def test_a_text_is_looked_for_as_json_has_it() -> None:
    assert quoted('say "Aé"\\') == 'say \\"Aé\\"\\\\'
