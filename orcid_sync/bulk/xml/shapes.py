"""ORCID's XML as JSON: the table of which element becomes which member; part one: what is shared.

ORCID writes both from one model (contract sections 3.6, 3.7 and 7): an element or attribute is a member of the same
name. What the table adds is what JSON has and XML has not: the order of the members (an item's digest is taken of its
text, so a record from a file and the same record from the API are equal byte by byte), which of them are attributes,
numbers, lists, dates or wrapped in `{"value": …}`, and that all of them are there: absent elements are null, and absent
lists empty. An element that is there but has no text is an empty text, as it is for ORCID.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Leaf:
    """A text, as the JSON has it."""

    form: str
    """text, wrapped ({"value": text}), token (a text without white space around it), wrapped token, moment ({"value":
    milliseconds}), number, flag, constant (a token in upper case)."""
    attribute: bool = False
    """It is an attribute of the element, not an element in it."""


@dataclass(frozen=True)
class Content:
    """A member that is the text of the element itself."""


@dataclass(frozen=True, eq=False)
class Object:
    """An element with members, in the order of the JSON."""

    members: Mapping[str, "Shape"]


@dataclass(frozen=True)
class Many:
    """A list: the elements of this name, one after another."""

    item: Object
    inside: str = ""
    """Name of an element around all of them, which the JSON leaves out."""


Shape: TypeAlias = Leaf | Content | Object | Many

TEXT = Leaf("text")
WRAPPED = Leaf("wrapped")
TOKEN = Leaf("token")
WRAPPED_TOKEN = Leaf("wrapped token")
MOMENT = Leaf("moment")
FLAG = Leaf("flag")
CONSTANT = Leaf("constant")
PUT_CODE = Leaf("number", attribute=True)
TOKEN_ATTRIBUTE = Leaf("token", attribute=True)
FLAG_ATTRIBUTE = Leaf("flag", attribute=True)
VISIBILITY = PATH = TOKEN_ATTRIBUTE

IDENTITY = Object({"uri": TOKEN, "path": TOKEN, "host": TOKEN})
SOURCE = Object(
    {
        "source-orcid": IDENTITY,
        "source-client-id": IDENTITY,
        "source-name": WRAPPED,
        "assertion-origin-orcid": IDENTITY,
        "assertion-origin-client-id": IDENTITY,
        "assertion-origin-name": WRAPPED,
    }
)
ASSERTED: Mapping[str, Shape] = {"created-date": MOMENT, "last-modified-date": MOMENT, "source": SOURCE}
FUZZY_DATE = Object({"year": WRAPPED_TOKEN, "month": WRAPPED_TOKEN, "day": WRAPPED_TOKEN})
EXTERNAL_ID = Object(
    {
        "external-id-type": TEXT,
        "external-id-value": TEXT,
        "external-id-normalized": Object({"value": Content(), "transient": FLAG_ATTRIBUTE}),
        "external-id-normalized-error": Object(
            {"error-code": TEXT, "error-message": TEXT, "transient": FLAG_ATTRIBUTE}
        ),
        "external-id-url": WRAPPED,
        "external-id-relationship": TOKEN,
    }
)
EXTERNAL_IDS = Object({"external-id": Many(EXTERNAL_ID)})
ORGANIZATION = Object(
    {
        "name": TEXT,
        "address": Object({"city": TEXT, "region": TEXT, "country": TOKEN}),
        "disambiguated-organization": Object(
            {"disambiguated-organization-identifier": TEXT, "disambiguation-source": TEXT}
        ),
    }
)
HOSTS = Object({"organization": Many(ORGANIZATION)})
TRANSLATED_TITLE = Object({"value": Content(), "language-code": TOKEN_ATTRIBUTE})
TITLE = Object({"title": WRAPPED, "translated-title": TRANSLATED_TITLE})
WORK_TITLE = Object({"title": WRAPPED, "subtitle": WRAPPED, "translated-title": TRANSLATED_TITLE})


_ATTRIBUTES: Mapping[str, Shape] = {"contributor-sequence": TOKEN, "contributor-role": TEXT}


def contributors(*attributes: str) -> Object:
    """A list of contributors; works say more about them than fundings."""
    attributed = Object({name: _ATTRIBUTES[name] for name in attributes})
    contributor: Mapping[str, Shape] = {
        "contributor-orcid": IDENTITY,
        "credit-name": WRAPPED,
        "contributor-email": WRAPPED,
        "contributor-attributes": attributed,
    }
    return Object({"contributor": Many(Object(contributor))})


PROPOSAL = Object(
    {
        "title": TITLE,
        "hosts": HOSTS,
        "external-ids": EXTERNAL_IDS,
        "start-date": FUZZY_DATE,
        "end-date": FUZZY_DATE,
        "url": WRAPPED,
    }
)
