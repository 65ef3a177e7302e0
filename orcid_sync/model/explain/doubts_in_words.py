"""What is in doubt, as people read it: like things together, since when, how often tried, when next."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from orcid_sync.model.record.doubts import UNCONFIRMED, Doubt, Kind
from orcid_sync.model.text.phrases import kinds, moment, number, series, tally, until

SECTIONS_NAMED = 3
"""Sections that a sentence names, if there are many."""

NAMES: Mapping[Kind, str] = {
    Kind.SECTION: "left out",
    Kind.ITEM: "set aside",
    Kind.FULL_FORM: "full form unread",
    Kind.REMOVAL: "removal waits",
    Kind.SHOWN: "wider visibility waits",
    Kind.OLDER: "older version waits",
}
"""What each kind is called in lists."""

WOULD: Mapping[Kind, str] = {
    Kind.REMOVAL: "remove {items}",
    Kind.SHOWN: "show {items} to more people",
    Kind.OLDER: "take {items} back to an older version",
}
"""What the last answer would do, if a second read said it again."""


class Together(Struct, frozen=True, kw_only=True):
    """Doubts of one kind about one section."""

    kind: Kind
    section: str
    number: int
    since: datetime
    """Of the oldest."""
    attempts: int
    """The most of any."""
    due_at: datetime | None
    """The earliest; None: with the next regular read."""
    reasons: Collection[str]
    """Each once, the oldest first."""
    released: bool
    """An operator has agreed to all of it."""

    @property
    def what(self) -> str:
        """What is in doubt: "section work", "1 part of the section work", "3 works"."""
        if self.kind is Kind.SECTION:
            return f"section {self.section}"
        if self.kind is Kind.ITEM:
            return f"{number(self.number, 'part')} of the section {self.section}"
        return kinds(self.section, self.number)


def together(doubts: Iterable[Doubt]) -> list[Together]:
    """Like things together, the oldest first."""
    groups: dict[tuple[Kind, str], list[Doubt]] = {}
    for doubt in sorted(doubts, key=lambda one: one.since):
        groups.setdefault((doubt.kind, doubt.section), []).append(doubt)
    return [_group(kind, section, members) for (kind, section), members in groups.items()]


def _group(kind: Kind, section: str, members: list[Doubt]) -> Together:
    return Together(
        kind=kind,
        section=section,
        number=len(members),
        since=members[0].since,
        attempts=max(doubt.attempts for doubt in members),
        due_at=min((doubt.due_at for doubt in members if doubt.due_at), default=None),
        reasons=list(dict.fromkeys(doubt.reason for doubt in members)),
        released=all(doubt.released for doubt in members),
    )


def tried(group: Together, now: datetime) -> str:
    """Since when, how often tried, when next: "since 3 May 2026, 14:02 UTC, tried 4 times, again in 2 hours"."""
    since = f"since {moment(group.since)}"
    if group.kind is Kind.ITEM:  # asking again gives the same
        return f"{since}, until an edit at ORCID or a later version of this software ends it"
    if group.kind in UNCONFIRMED:
        return f"{since}, the second read {_next(group.due_at, now)}"
    times = {0: "not tried yet", 1: "tried once"}.get(group.attempts, f"tried {group.attempts} times")
    return f"{since}, {times}, again {_next(group.due_at, now)}"


def _next(due_at: datetime | None, now: datetime) -> str:
    return until(due_at, now) if due_at else "with the next regular read"


def would(doubts: Iterable[Doubt]) -> str:
    """What waits for a second read: "remove 8 works and show 1 keyword to more people"."""
    counts: dict[Kind, dict[str, int]] = {}
    for doubt in doubts:
        of_kind = counts.setdefault(doubt.kind, {})
        of_kind[doubt.section] = of_kind.get(doubt.section, 0) + 1
    return series(text.format(items=tally(counts[kind])) for kind, text in WOULD.items() if kind in counts)


def named_sections(sections: Iterable[str]) -> str:
    """The section work; the sections work, funding and 3 more."""
    names = list(dict.fromkeys(sections))
    more = len(names) - SECTIONS_NAMED
    if more > 1:
        names = [*names[:SECTIONS_NAMED], f"{more} more"]
    return f"{'the section' if len(names) == 1 else 'the sections'} {series(names)}"
