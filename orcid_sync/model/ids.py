"""ORCID iDs: the forms in which people write them, and the check digit (contract section 8)."""

import re
from typing import NewType

Orcid = NewType("Orcid", str)
"""An iD in path form, `0000-0002-1825-0097`, whose check digit is right."""

ENVIRONMENTS = {"sandbox.orcid.org": "sandbox", "qa.orcid.org": "qa", "orcid.org": "production"}
"""ORCID's environments by the ends of their hosts; the longer end counts (contract section 0, hosts)."""

# http and https, with or without www., any environment; hyphens and the case of the X are forgiven.
# ASCII digits only: `\d` would accept Arabic-Indic ones, which no one at ORCID would recognise.
_FORM = re.compile(
    r"(?:https?://)?(?:www\.)?(?:(?P<host>(?:sandbox\.|qa\.)?orcid\.org)/)?"
    r"(?P<digits>[0-9]{4}-?[0-9]{4}-?[0-9]{4}-?[0-9]{3}[0-9Xx])/?",
    re.ASCII | re.IGNORECASE,
)


class InvalidOrcid(ValueError):
    """The text is not an ORCID iD; the message says what is wrong with it."""


def parse_orcid(text: str, *, home: str | None = None) -> Orcid:
    """Read an iD in any form that people write.

    Accepted: the path form, the URI with http or https and with or without `www.`, missing hyphens, a lower-case x,
    white space around it. Raises InvalidOrcid for anything else, for a wrong check digit, and for an address in another
    environment of ORCID's than `home`, if that is one: there the same iD is another person's, or nobody's (fault F45).
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        shown = ascii(text.strip()[:60])
        raise InvalidOrcid(f"{shown} is not an ORCID iD; expected a form such as 0000-0002-1825-0097")
    environment = ENVIRONMENTS.get((match["host"] or "").lower())
    if None not in (home, environment) and environment != home:
        raise InvalidOrcid(
            f"{text.strip()[:60]!a} is an iD of ORCID's {environment}, but this is its {home}, where the same iD is "
            "another person's, or nobody's"
        )
    digits = match["digits"].replace("-", "").upper()
    expected = check_character(digits[:15])
    if digits[15] != expected:
        raise InvalidOrcid(
            f"{hyphenated(digits)} has a wrong check digit: it ends in {digits[15]}, but {expected} belongs there; "
            "was it mistyped?"
        )
    return Orcid(hyphenated(digits))


def check_character(base: str) -> str:
    """The check character of the first 15 digits: ISO 7064 MOD 11-2 (contract section 8)."""
    total = 0
    for digit in base:
        total = (total + int(digit)) * 2
    remainder = (12 - total % 11) % 11
    return "X" if remainder == 10 else str(remainder)


def hyphenated(characters: str) -> str:
    """The 16 characters of an iD in groups of four."""
    return "-".join(characters[i : i + 4] for i in range(0, 16, 4))
