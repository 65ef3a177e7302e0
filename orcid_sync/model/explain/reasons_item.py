"""Reasons why one item is, or is not, what somebody expects to see; and what a record last lost."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from orcid_sync.model.explain import reasons_doubts
from orcid_sync.model.explain.diagnosis import Diagnosis, DiagnosisKind
from orcid_sync.model.explain.facts import Facts, Item
from orcid_sync.model.record.access import access_from
from orcid_sync.model.text.phrases import day, kind, moment, named, number, series

_WHO = {
    "limited": "its holder shows it only to trusted organisations, so only members of orcid_reader_limited see it",
    "private": "it is private, so only the service sees it",
}


def _first(facts: Facts) -> Item | None:
    return facts.item.found[0] if facts.item and facts.item.found else None


def _name(item: Item) -> str:
    """The work "Title" (doi 10.1234/5678)."""
    said = f" ({item.identifiers[0]})" if item.identifiers else ""
    return named(item.section, item.title, item.key) + said


_GONE: Mapping[str | None, str] = {
    "removed": "was removed by its owner or hidden on {day}; ORCID does not tell which",
    "access-lost": "was removed from the mirror on {day}, because your client may not see it any more; it may still "
    "be at ORCID",
    "visibility": "was restricted by its holder on {day} to fewer readers",
    "record-deactivated": "was removed on {day}, when the record was deactivated",
    "record-deprecated": "was removed on {day}, when the record was merged into another one",
    "erased": "was erased on {day}",
}


def removed(facts: Facts) -> Diagnosis | None:
    """It was there (contract section 3.4: deleted and hidden look the same)."""
    item = _first(facts)
    if item is None or item.gone_at is None:
        return None
    said = _GONE.get(item.gone_reason, "was removed from the mirror on {day}")
    # ORCID's date of the record is nearer to the deed than our read, if it is not the date of something later.
    at = min(filter(None, (item.gone_modified_at, item.gone_at)))
    return Diagnosis(
        DiagnosisKind.ITEM_REMOVED, f"{_name(item)} {said.format(day=day(at))}.", _before(facts, item.gone_at)
    )


def _before(facts: Facts, gone_at: datetime) -> str:
    then = f"{(gone_at - timedelta(minutes=1)).astimezone(UTC):%Y-%m-%dT%H:%MZ}"
    return (
        f"To see the record before that: orcid-sync show {facts.orcid} --as-of {then}; to see what has changed since: "
        f"orcid-sync diff {facts.orcid} --from {then}"
    )


def merged(facts: Facts) -> Diagnosis | None:
    """It is one version of several (contract section 3.6)."""
    item = _first(facts)
    if item is None or item.gone_at or item.versions < 2:
        return None
    noun = kind(item.section)
    together = f"{number(item.versions, 'version')} that ORCID counts as the same {noun} (they share an identifier)"
    if item.preferred_key in (None, item.key):
        sentence = f"{_name(item)} is in the mirror and represents {together}; lists count them once."
    else:
        other = named(item.section, item.preferred_title or "", item.preferred_key or "").removeprefix("The ")
        sentence = (
            f"{_name(item)} is in the mirror as one of {together}; lists show the preferred one instead, the {other}."
        )
    advice = (
        "The holder chooses the preferred version at ORCID. orcid.works has all versions, orcid.work_groups "
        "one of each group."
    )
    return Diagnosis(DiagnosisKind.ITEM_MERGED, sentence, advice)


def withheld(facts: Facts) -> Diagnosis | None:
    """It is there, and nobody is shown it for the time being."""
    item, record = _first(facts), facts.record
    if item is None or item.gone_at or record is None or record.withheld is None:
        return None
    if record.withheld == "limited" and item.visibility == "public":
        return None
    return Diagnosis(
        DiagnosisKind.ITEM_WITHHELD,
        f"{_name(item)} is in the mirror, but readers do not see it while your access to the record is in doubt.",
    )


def restricted(facts: Facts) -> Diagnosis | None:
    """It is there, and not for everybody."""
    item = _first(facts)
    if item is None or item.gone_at or item.visibility == "public":
        return None
    who = _WHO.get(item.visibility or "", "its visibility is unknown, so only the service sees it")
    return Diagnosis(
        DiagnosisKind.ITEM_RESTRICTED,
        f"{_name(item)} is in the mirror, but not everybody may see it: {who}.",
        'See "Who sees what" in deploy/docs/privacy.md',
    )


def present(facts: Facts) -> Diagnosis | None:
    """It is there, for everybody, and stands for itself."""
    item = _first(facts)
    if item is None or item.gone_at or item.versions > 1 or item.visibility != "public":
        return None
    since = f", since {day(item.first_seen_at)}" if item.first_seen_at else ""
    verified = facts.queue.verified_at if facts.queue else None
    right = f"; the record was last verified on {moment(verified)}" if verified else ""
    return Diagnosis(
        DiagnosisKind.ITEM_PRESENT, f"{_name(item)} is in the mirror, and everybody may see it{since}{right}."
    )


def unseen(facts: Facts) -> Diagnosis | None:
    """It was never there: what we may not see, ORCID does not even mention (contract section 3.4)."""
    if facts.item is None or facts.item.found or facts.queue is None or facts.queue.verified_at is None:
        return None
    if reasons_doubts.part_set_aside(facts) or reasons_doubts.unheard(facts):
        return None
    nothing = f'Nothing that matches "{facts.item.text}" was ever in the mirror'
    if facts.view is not None:
        nothing = f'Nothing that matches "{facts.item.text}" is, or was, in the mirror for this view'
    shows = access_from(facts.queue.read_with).shows
    if not shows:
        return Diagnosis(
            DiagnosisKind.LIMITED_ONLY,
            f"{nothing}: the service reads the record without its holder's permission, so only public items; at "
            "ORCID it is limited or private, or it does not exist.",
            "To see limited items, ask the holder for permission: orcid-sync invite",
        )
    parts = series("activities" if part == "activities-summary" else part for part in sorted(shows))
    return Diagnosis(
        DiagnosisKind.ITEM_PRIVATE,
        f"{nothing}: the service sees all but private items ({parts}), so at ORCID it is private or does not exist; "
        "ORCID does not tell which.",
        "Ask its holder, who can look at orcid.org.",
    )


def lately_removed(facts: Facts) -> Diagnosis | None:
    """Asked about nothing in particular: the last thing that happened is that something went."""
    last = next((change for change in facts.changes if change.counts.keys() - {"minor"}), None)
    if facts.item is not None or last is None:
        return None
    gone = [line for line in last.lines if line.op in ("removed", "withdrawn") and line.section != "record"]
    if not gone:
        return None
    first, more = gone[0], sum(n for name, n in last.counts.items() if name.startswith(("removed", "withdrawn"))) - 1
    others = f" (and {more} more)" if more else ""
    said = _GONE.get(first.reason, "was removed from the mirror on {day}")
    at = min(filter(None, (last.source_modified_at, last.at)))
    return Diagnosis(
        DiagnosisKind.LATELY_REMOVED,
        f"{named(first.section, first.title, first.key)}{others} {said.format(day=day(at))}.",
        _before(facts, last.at),
    )


def well(facts: Facts) -> Diagnosis:
    """Nothing is the matter."""
    queue, known = facts.queue, facts.connection
    at = queue.verified_at if queue else None
    same = "equals what ORCID shows now" if facts.now and not facts.now.reason else "is up to date"
    verified = f" (last verified on {moment(at)})" if at else ""
    if known is not None and known.access_state == "public":
        return Diagnosis(
            DiagnosisKind.LIMITED_ONLY,
            f"The mirror {same}{verified} with the public items; the service has no permission to read "
            "items that the holder shows only to trusted organisations.",
            "Ask the holder to connect: orcid-sync invite",
        )
    # What a view must not know is not among the facts, so that nothing can be said of it.
    wrong = "is wrong" if facts.view is None else "that this view shows is in doubt"
    return Diagnosis(DiagnosisKind.WELL, f"Nothing {wrong}: the mirror {same}{verified}.")
