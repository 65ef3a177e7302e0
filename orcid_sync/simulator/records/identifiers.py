"""iDs and external identifiers, as the Registry makes and normalises them (contract sections 3.6, 8).

Written independently of the rest of the product, so that the simulation can contradict it.
"""

import re
from typing import Any

ORCID_SHAPE = re.compile(r"(?:[0-9]{4}-){3}[0-9]{3}[0-9X]", re.ASCII)
UNGROUPED = frozenset({"part-of", "funded-by"})

_DOI = re.compile(r"10\.[0-9]+(?:\.[0-9]+)*/\S+", re.ASCII)
_ISBN = re.compile(r"(?:97[89])?[0-9]{9}[0-9X]", re.ASCII)
_ISSN = re.compile(r"[0-9]{4}-?[0-9]{3}[0-9Xx]", re.ASCII)


def check_digit(base: str) -> str:
    """ISO 7064 MOD 11-2 over 15 digits (contract section 8)."""
    remainder = 0
    for digit in base:
        remainder = (remainder + int(digit)) * 2 % 11
    return "0123456789X"[(12 - remainder) % 11]


def numbered_orcid(number: int) -> str:
    """The iD with this base number, in path form."""
    base = f"{number:015d}"
    text = base + check_digit(base)
    return "-".join(text[i : i + 4] for i in range(0, 16, 4))


def normalised(kind: str, value: str) -> str | None:
    """The normal form of an external identifier, None if it has none (error 8001, contract section 3.6)."""
    text = value.strip()
    if kind == "doi":
        found = _DOI.search(text.lower())
        return found[0] if found else None
    if kind == "isbn":
        plain = text.upper().replace("-", "").replace(" ", "")
        return plain if _ISBN.fullmatch(plain) else None
    if kind == "issn":
        return f"{text[:4]}-{text[-4:]}".upper() if _ISSN.fullmatch(text) else None
    return text or None


def external_id(given: Any, *, with_normal_form: bool = True) -> dict[str, Any]:
    """An external identifier in wire form, from (type, value[, relationship[, url]]) or from a partial wire form."""
    if not isinstance(given, dict):
        kind, value, relationship, url = (*given, *("self", None)[len(given) - 2 :])[:4]
        given = {"external-id-type": kind, "external-id-value": value, "external-id-relationship": relationship}
        given["external-id-url"] = url
    kind, value = given["external-id-type"], given["external-id-value"]
    normal = normalised(kind, value) if with_normal_form else None
    failed = with_normal_form and normal is None
    url = given.get("external-id-url")
    return {
        "external-id-type": kind,
        "external-id-value": value,
        "external-id-normalized": None if normal is None else {"value": normal, "transient": True},
        "external-id-normalized-error": {
            "error-code": "8001",
            "error-message": f"Cannot normalize identifier value {kind}:{value}",
            "transient": True,
        }
        if failed
        else None,
        "external-id-url": {"value": url} if isinstance(url, str) else url,
        "external-id-relationship": given.get("external-id-relationship", "self"),
    }


def group_key(identifier: dict[str, Any]) -> tuple[str, str] | None:
    """What makes two items one group: type and normalised value; None if the identifier does not group."""
    if identifier["external-id-relationship"] in UNGROUPED or not identifier["external-id-value"]:
        return None
    normal = identifier["external-id-normalized"]
    return identifier["external-id-type"], normal["value"] if normal else identifier["external-id-value"]
