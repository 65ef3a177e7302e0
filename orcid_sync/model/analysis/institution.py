"""What makes a record one of the institution's: its identifiers in registers of organisations, and its mail domains."""

import re
from typing import Final

from msgspec import Struct


class InvalidInstitutionId(ValueError):
    """The text identifies no organisation; the message says what would."""


class OrganizationId(Struct, frozen=True, order=True):
    """An identifier of an organisation, in the form in which ORCID's members write it (contract section 3.6)."""

    source: str
    """ORCID's name of the register: ROR, GRID, RINGGOLD or FUNDREF."""
    value: str

    def __str__(self) -> str:
        return self.value if self.source in {"ROR", "GRID"} else f"{self.source.lower()}:{self.value}"


_FORMS: Final = (
    ("ROR", re.compile(r"(?:https?://)?(?:ror(?:\.org)?[/:])?(0[a-z0-9]{6}[0-9]{2})/?", re.ASCII)),
    ("GRID", re.compile(r"(?:grid:)?(grid\.[0-9]+\.[0-9a-f]+)", re.ASCII)),
    ("RINGGOLD", re.compile(r"ringgold:0*([1-9][0-9]*)", re.ASCII)),
    ("FUNDREF", re.compile(r"(?:fundref:|(?:https?://(?:dx\.)?doi\.org/)?10\.13039/)([0-9]+)", re.ASCII)),
)
_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{1,62}", re.ASCII)

EXPECTED: Final = "such as https://ror.org/05gq02987, grid.40263.33, ringgold:6752 or fundref:100007803"


class Institution(Struct, frozen=True):
    """Whose record holders are looked for."""

    ids: tuple[OrganizationId, ...] = ()
    domains: tuple[str, ...] = ()
    """Of e-mail addresses, in lower case; those below them belong to it, too."""
    names: tuple[str, ...] = ()
    """What it is called where nobody gave an identifier; empty: only identifiers count."""

    def owns(self, address: str) -> str | None:
        """The domain of the institution that an e-mail address is in."""
        host = address.lower().rpartition("@")[2]
        return next((domain for domain in self.domains if host == domain or host.endswith(f".{domain}")), None)

    def recognises(self, source: str | None, value: str | None, name: str | None) -> str | None:
        """By what an organisation is the institution: a register, name, or None if it is another one."""
        if source and value:
            # An identifier that is another one's is better evidence than a name.
            known = identified(source, value)
            return known.source if known in self.ids else None
        return "name" if name and name.casefold().strip() in self._called else None

    @property
    def _called(self) -> frozenset[str]:
        return frozenset(name.casefold().strip() for name in self.names)


def parse_organization_id(text: str) -> OrganizationId:
    """Read an identifier in any form that people write. Raises InvalidInstitutionId."""
    given = text.strip().lower()
    for source, form in _FORMS:
        if found := form.fullmatch(given):
            return OrganizationId(source, f"https://ror.org/{found[1]}" if source == "ROR" else found[1])
    raise InvalidInstitutionId(
        f"{text.strip()[:60]!a} is not an identifier of an organisation; expected one {EXPECTED}"
    )


def identified(source: str, value: str) -> OrganizationId | None:
    """What an item says about its organisation, in the same form; None for registers and forms that are unknown."""
    given = value if source.upper() in {"ROR", "GRID"} else f"{source}:{value.rpartition('/')[2]}"
    try:
        found = parse_organization_id(given)
    except InvalidInstitutionId:
        return None
    return found if found.source == source.upper() else None


def parse_domain(text: str) -> str:
    """A domain in lower case, without @ before it. Raises ValueError."""
    domain = text.strip().lower().removeprefix("@").rstrip(".")
    if not _DOMAIN.fullmatch(domain):
        raise ValueError(f"{text.strip()[:60]!a} is not a domain; expected one such as example.edu")
    return domain
