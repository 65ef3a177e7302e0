"""What ORCID's answers leave in doubt, for `status`: a table of kinds and sentences, no I/O."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from orcid_sync.model.record.doubts import UNCONFIRMED, Kind
from orcid_sync.model.text.phrases import number
from orcid_sync.model.text.wording import duration
from orcid_sync.service.explain.status_findings import Finding

if TYPE_CHECKING:
    from orcid_sync.store.console.in_doubt import DoubtCount

_SENTENCES: Mapping[Kind, tuple[str, str]] = {
    Kind.SECTION: (
        "section",
        "{number} of {records} {were} left out of ORCID's last answer: the mirror keeps what it had, unverified",
    ),
    Kind.ITEM: ("part", "{number} of {records} cannot be understood and {were} set aside; all else is applied"),
    Kind.FULL_FORM: (
        "item",
        "The full form of {number} of {records} could not be read: the mirror shows what the summary says",
    ),
    Kind.REMOVAL: (
        "item",
        "{number} of {records} {are} gone from ORCID's last answer: not removed until a second read agrees",
    ),
    Kind.SHOWN: (
        "item",
        "{number} of {records} would be shown to more people under an unmoved date: not until a second read agrees",
    ),
    Kind.OLDER: (
        "item",
        "{number} of {records} would go back to an older version under an unmoved date: not until a second read agrees",
    ),
}
"""What is counted, and what is said of it."""


def doubtful(counts: "Iterable[DoubtCount]") -> list[Finding]:
    """What is in doubt, kind by kind; nothing if nothing is."""
    return [Finding("warn", _sentence(count)) for count in counts]


def _sentence(count: "DoubtCount") -> str:
    noun, said = _SENTENCES[count.kind]
    one = count.number == 1
    sentence = said.format(
        number=number(count.number, noun),
        records=number(count.records, "record"),
        were="was" if one else "were",
        are="is" if one else "are",
    )
    oldest = duration(count.oldest_seconds)
    since = f"for {oldest}" if one else f"the oldest for {oldest}"
    return f"{sentence} ({since}). {_what_to_do(count)}"


def _what_to_do(count: "DoubtCount") -> str:
    if count.kind in UNCONFIRMED:
        return "Whose, and to decide it: orcid-sync holds list"
    if count.kind is Kind.ITEM:
        return "What ORCID sent: orcid-sync doubts list --kind item --documents"
    return f"The service asks again by itself. For example: orcid-sync explain {count.example}"
