"""What items are called on one line."""

from typing import Any

import msgspec
import pytest

from orcid_sync.model.text.labels import Label, label


def value(text: str) -> dict[str, str]:
    """ORCID's way of giving a text."""
    return {"value": text}


YEAR = {"year": value("2020"), "month": value("03"), "day": None}
PLACE = {"name": "Example University", "address": {"city": "Exampleville"}}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (
            {"title": {"title": value("On T")}, "journal-title": value("J"), "publication-date": YEAR},
            Label("On T", "J", "2020-03"),
        ),
        (
            {"role-title": "Lecturer", "organization": PLACE, "start-date": YEAR, "end-date": {"year": value("2021")}},
            Label("Lecturer", "Example University", "2020-03 to 2021"),
        ),
        ({"role-title": None, "organization": PLACE}, Label("Example University", "", "")),
        ({"title": {"title": value("Grant")}, "organization": PLACE}, Label("Grant", "Example University", "")),
        (
            {"reviewer-role": "editor", "convening-organization": PLACE, "completion-date": YEAR},
            Label("editor", "Example University", "2020-03"),
        ),
        ({"proposal": {"title": {"title": value("P")}, "start-date": YEAR}}, Label("P", "", "2020-03")),
        ({"given-names": value("Ada"), "family-name": value("Example")}, Label("Ada Example", "", "")),
        ({"credit-name": value("A. Example"), "given-names": value("Ada")}, Label("A. Example", "", "")),
        ({"content": "physics"}, Label("physics", "", "")),
        ({"email": "a@example.org"}, Label("a@example.org", "", "")),
        ({"url-name": "Home", "url": value("https://example.org")}, Label("Home", "https://example.org", "")),
        ({"url-name": None, "url": value("https://example.org")}, Label("", "https://example.org", "")),
        ({"country": value("GB")}, Label("GB", "", "")),
        ({"external-id-type": "Scopus", "external-id-value": "1"}, Label("1", "Scopus", "")),
        ({}, Label("", "", "")),
        ({"title": "of another shape", "organization": [], "start-date": {"year": 2020}}, Label("", "", "")),
        (None, Label("", "", "")),
    ],
)
def test_finds_title_place_and_dates_in_every_kind(item: Any, expected: Label) -> None:
    assert label(msgspec.json.encode(item)) == expected
