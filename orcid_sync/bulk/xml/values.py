"""The values of ORCID's XML as its JSON has them: dates, numbers, flags, tokens (contract sections 3.6 and 7.1).

XML Schema has white space around all of them mean nothing (whiteSpace=collapse), and ORCID's own samples have it there:
a date and the end of a line. In a text it is part of the text, for the API gives it back as it was typed.

What makes no sense stays the text that it was: it is for `model.wire` to pass over it, as over the same in a JSON.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

Form: TypeAlias = Callable[[str], Any]

_SPACE: Final = " \t\r\n"
"""White space of XML, which is less than Unicode's."""
_RUN: Final = re.compile(f"[{_SPACE}]+")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
"""As XML Schema writes it: Python's int() would also take 1_000 and the digits of other scripts."""
_TOO_LARGE: Final = 2**63
_FLAGS: Final[Mapping[str, bool]] = {"true": True, "1": True, "false": False, "0": False}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def collapse(text: str) -> str:
    """A token: without white space around it, and with single spaces in it."""
    inner = text.strip(_SPACE)
    # Almost all of them are a word, and this is asked more often than anything else.
    return _RUN.sub(" ", inner) if " " in inner or not inner.isprintable() else inner


def moment(text: str) -> datetime:
    """A moment as XML writes it; ORCID's are in UTC even if they do not say so. Raises ValueError."""
    found = datetime.fromisoformat(text.strip(_SPACE))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _milliseconds(text: str) -> Any:
    try:
        return {"value": (moment(text) - _EPOCH) // _MILLISECOND}
    except (ValueError, OverflowError):
        return {"value": text}


def _number(text: str) -> Any:
    digits = text.strip(_SPACE)
    if not _NUMBER.fullmatch(digits) or abs(number := int(digits)) >= _TOO_LARGE:
        return text
    return number


def _flag(text: str) -> Any:
    return _FLAGS.get(text.strip(_SPACE), text)


FORMS: Final[Mapping[str, Form]] = {
    "wrapped": lambda text: {"value": text},
    "token": collapse,
    "wrapped token": lambda text: {"value": collapse(text)},
    "moment": _milliseconds,
    "number": _number,
    "flag": _flag,
    # "Member-referred" in XML, MEMBER_REFERRED in JSON (contract section 3.6).
    "constant": lambda text: collapse(text).upper().replace("-", "_"),
}
"""What becomes of a text, by the name of its form in `shapes`; a plain text stays as it is."""
