"""Reasons that lie with what ORCID's last answer left in doubt: unknown, or to be said again."""

from collections.abc import Iterable

from orcid_sync.model.explain.diagnosis import Diagnosis, DiagnosisKind
from orcid_sync.model.explain.doubts_in_words import Together, named_sections, together, tried, would
from orcid_sync.model.explain.facts import Facts, Item
from orcid_sync.model.record.doubts import UNCONFIRMED, Doubt, Kind
from orcid_sync.model.text.phrases import moment, named, series, tally, until

PARTS_NAMED = 2
"""Reasons that a sentence gives, if there are many."""


def held(facts: Facts) -> Diagnosis | None:
    """What an independent second read must say again (contract section 3.9)."""
    waiting = [doubt for doubt in _others(facts) if doubt.kind in UNCONFIRMED]
    if not waiting:
        return None
    agreed = "An operator has approved it: it" if all(doubt.released for doubt in waiting) else "This"
    due = min((doubt.due_at for doubt in waiting if doubt.due_at), default=None)
    soon = until(due, facts.at) if due else "with the next regular read"
    return Diagnosis(
        DiagnosisKind.HELD,
        f"The answer of {moment(min(doubt.since for doubt in waiting))} would {would(waiting)}. {agreed} is held until "
        f"a second read says the same, {soon}; everything else is applied.",
        f"To approve it: orcid-sync holds release {facts.orcid}. "
        f"To read the record again: orcid-sync holds discard {facts.orcid}",
    )


def unspoken(facts: Facts) -> Diagnosis | None:
    """Half an answer: what it leaves out is not empty, but unknown."""
    found = _groups(facts, Kind.SECTION)
    if not found:
        return None
    what = named_sections(group.section for group in found)
    oldest = min(found, key=lambda group: group.since)
    return Diagnosis(
        DiagnosisKind.SECTION_UNSPOKEN,
        f"ORCID's last answer did not speak of {what} ({tried(oldest, facts.at)}): the mirror keeps what it had, "
        "unverified; everything else is applied.",
        'See "ORCID cannot show a part of a record" in deploy/docs/runbook.md',
    )


def set_aside(facts: Facts) -> Diagnosis | None:
    """What nobody here can understand (design section 5: never rejected, never fatal)."""
    found = _groups(facts, Kind.ITEM)
    if not found:
        return None
    what = series(f"{group.what} ({_because(group.reasons)})" for group in found)
    kept = _kept(facts)
    return Diagnosis(
        DiagnosisKind.SET_ASIDE,
        f"{what} cannot be understood and {'was' if sum(group.number for group in found) == 1 else 'were'} set aside "
        f"(since {moment(found[0].since)}){kept}; everything else is applied.",
        f"To see what ORCID sent: orcid-sync doubts list {facts.orcid} --documents",
    )


def _kept(facts: Facts) -> str:
    """What is not taken for removed, because it may be such a part."""
    counts = {
        group.section: len({key for doubt in facts.doubts if doubt.section == group.section for key in doubt.may_be})
        for group in _groups(facts, Kind.ITEM)
    }
    counts = {section: count for section, count in counts.items() if count}
    stays = "stays" if sum(counts.values()) == 1 else "stay"
    return f"; {tally(counts)} missing from the same answer may be meant and {stays} in the mirror" if counts else ""


def _because(reasons: Iterable[str]) -> str:
    said = list(reasons)
    more = [f"{len(said) - PARTS_NAMED} other reasons"] if len(said) > PARTS_NAMED else []
    return "; ".join([*said[:PARTS_NAMED], *more])


def full_forms(facts: Facts) -> Diagnosis | None:
    """The summary was heard, the rest of the item was not (contract sections 3.7 and 3.8)."""
    found = _groups(facts, Kind.FULL_FORM)
    if not found:
        return None
    counts = {group.section: group.number for group in found}
    oldest = found[0]
    whose = "its summary says" if sum(counts.values()) == 1 else "their summaries say"
    return Diagnosis(
        DiagnosisKind.FULL_FORM_UNREAD,
        f"The full form of {tally(counts)} could not be read ({_because(oldest.reasons)}; {tried(oldest, facts.at)}): "
        f"the mirror holds what {whose}, and a full form only if one was read before. Everything else is applied.",
        f"Which, and why each: orcid-sync doubts list {facts.orcid} --kind full-form. "
        'See also "ORCID cannot show a part of a record" in deploy/docs/runbook.md',
    )


def of_the_item(facts: Facts) -> Diagnosis | None:
    """What is in doubt about the item that was asked about."""
    item = _asked(facts)
    doubts = _about(facts, item) if item else []
    if item is None or not doubts:
        return None
    said = "; ".join(_said(doubt, facts, item) for doubt in doubts)
    return Diagnosis(DiagnosisKind.ITEM_IN_DOUBT, f"{named(item.section, item.title, item.key)} is in doubt: {said}.")


def _said(doubt: Doubt, facts: Facts, item: Item) -> str:
    [group] = together([doubt])
    there = "it is shown as its summary says, with an earlier full form if there was one"
    told = {
        Kind.SECTION: "ORCID's last answer did not speak of its section, so it stays as it was ({tried})",
        Kind.ITEM: f"it was missing from the answer of {moment(doubt.since)}, but may be a part of the section "
        f"{item.section} that cannot be understood and was set aside ({doubt.reason}), so it stays",
        Kind.FULL_FORM: f"its full form could not be read ({doubt.reason}; {{tried}}), so {there}",
        Kind.REMOVAL: "ORCID's answer did not contain it ({tried}); it is removed when a second read agrees",
        Kind.SHOWN: "ORCID showed it to more people than before, although the record's date had not moved "
        "({tried}); this counts when a second read agrees",
        Kind.OLDER: "ORCID sent an older version of it, although the record's date had not moved ({tried}); this "
        "counts when a second read agrees",
    }[doubt.kind]
    return told.replace("{tried}", tried(group, facts.at))


def part_set_aside(facts: Facts) -> Diagnosis | None:
    """It is not in the mirror, but in something that cannot be understood."""
    asked = facts.item
    if asked is None or asked.found or not asked.set_aside:
        return None
    first = asked.set_aside[0]
    return Diagnosis(
        DiagnosisKind.ITEM_IN_DOUBT,
        f'"{asked.text}" stands in a part of the section {first.section} that cannot be understood ({first.reason}): '
        f"it was set aside on {moment(first.since)}, and is in no table.",
        f"To see what ORCID sent: orcid-sync doubts list {facts.orcid} --documents",
    )


def unheard(facts: Facts) -> Diagnosis | None:
    """It is not in the mirror, and may be where the last answer was not heard whole."""
    unknown = [doubt for doubt in facts.doubts if doubt.kind in (Kind.SECTION, Kind.ITEM)]
    if facts.item is None or facts.item.found or facts.item.set_aside or not unknown:
        return None
    where = named_sections(doubt.section for doubt in unknown)
    return Diagnosis(
        DiagnosisKind.ITEM_UNKNOWN,
        f'Nothing that matches "{facts.item.text}" is in the mirror; but of {where} the last answer was not understood '
        "whole, so it may be there at ORCID.",
        "Look at the record at orcid.org, or ask again when the record was read.",
    )


def _asked(facts: Facts) -> Item | None:
    return facts.item.found[0] if facts.item and facts.item.found else None


def _about(facts: Facts, item: Item) -> list[Doubt]:
    """What is in doubt about one item: it itself, its section, or that a part set aside may be it."""

    def concerned(doubt: Doubt) -> bool:
        if doubt.kind is Kind.SECTION:
            return item.gone_at is None
        return item.key in doubt.may_be if doubt.kind is Kind.ITEM else item.key == doubt.key

    return [doubt for doubt in facts.doubts if doubt.section == item.section and concerned(doubt)]


def _others(facts: Facts) -> list[Doubt]:
    """What is in doubt, without what was said of the item that was asked about."""
    item = _asked(facts)
    told = {doubt.id for doubt in _about(facts, item)} if item else set()
    return [doubt for doubt in facts.doubts if doubt.id not in told]


def _groups(facts: Facts, kind: Kind) -> list[Together]:
    return together(doubt for doubt in _others(facts) if doubt.kind is kind)
