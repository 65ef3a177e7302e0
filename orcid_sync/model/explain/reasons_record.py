"""Reasons that lie with the connection, the record's state, the holder's permission (contract sections 2.6 and 3.5)."""

from collections.abc import Mapping

from orcid_sync.model.explain.diagnosis import Diagnosis, DiagnosisKind
from orcid_sync.model.explain.facts import Facts, Record
from orcid_sync.model.explain.reasons_side_steps import unfinished
from orcid_sync.model.sync.record_states import Heard, State
from orcid_sync.model.text.phrases import moment, number, until

_FROM_FILE = "the mirror has it from a file, and the service does not read it"


def never_connected(facts: Facts) -> Diagnosis | None:
    """Nobody has allowed, or asked, us to follow it."""
    if facts.connection is not None:
        return None
    then = _FROM_FILE if facts.record else "the service has never read it"
    return Diagnosis(
        DiagnosisKind.NEVER_CONNECTED,
        f"{facts.orcid} was never connected: {then}.",
        f"Invite its holder (orcid-sync invite), or mirror its public items: orcid-sync connect {facts.orcid}",
    )


def disconnected(facts: Facts) -> Diagnosis | None:
    """It was let go."""
    known = facts.connection
    if known is None or known.state == "connected":
        return None
    if known.erased_at:
        return Diagnosis(
            DiagnosisKind.DISCONNECTED,
            f"Everything about {facts.orcid} was erased on {moment(known.erased_at)}; only the iD is kept.",
            f"What was erased: orcid-sync erasures list. To connect it again: orcid-sync connect {facts.orcid}",
        )
    since = f" on {moment(known.disconnected_at)}" if known.disconnected_at else ""
    return Diagnosis(
        DiagnosisKind.DISCONNECTED,
        f"{facts.orcid} was disconnected{since}: the mirror keeps what was public then, and the service does not "
        f"read it any more{unfinished(facts)}.",
        f"Who ended it, and how: orcid-sync consents {facts.orcid}. To connect it again: orcid-sync connect "
        f"{facts.orcid}",
    )


_CLOSED: Mapping[str, tuple[DiagnosisKind, str]] = {
    State.DEPRECATED: (DiagnosisKind.DEPRECATED, "ORCID merged {orcid} into {primary}{since}: its items are removed"),
    State.DEACTIVATED: (
        DiagnosisKind.DEACTIVATED,
        "The holder of {orcid} deactivated the record{since}: its items are removed, and their contents are not kept",
    ),
    State.LOCKED: (
        DiagnosisKind.LOCKED,
        "ORCID locked the record of {orcid}{since}: {shown}, and the service tries it every day",
    ),
    State.UNCLAIMED: (
        DiagnosisKind.UNCLAIMED,
        "The holder of {orcid} has not claimed the record{since}: {shown}, and the service tries it every day",
    ),
    State.NOT_FOUND: (
        DiagnosisKind.NOT_FOUND,
        "ORCID does not know {orcid}{since}: {shown}, and the service tries it every week",
    ),
}

_ADVICE: Mapping[str, str] = {
    State.DEPRECATED: "Ask the holder to connect the other iD: the permission for this one does not cover it.",
    State.DEACTIVATED: "If the holder reactivates the record at ORCID and connects again, the service reads "
    "everything again.",
    State.LOCKED: "Only the holder can have it unlocked, by writing to ORCID's support.",
    State.UNCLAIMED: "The holder has to claim the record at ORCID.",
    State.NOT_FOUND: "Check the setting environment (production or sandbox) and the iD.",
}


def closed(facts: Facts) -> Diagnosis | None:
    """ORCID shows no record."""
    record = facts.record
    if record is None or record.state not in _CLOSED:
        return None
    complaint, sentence = _CLOSED[record.state]
    said = sentence.format(
        orcid=facts.orcid, primary=record.primary_orcid or "another iD", since=_since(facts), shown=_shown(record)
    )
    return Diagnosis(complaint, f"{said}.", _ADVICE[record.state])


def _shown(record: Record) -> str:
    return "readers see nothing of it" if record.withheld == "all" else "readers see it as it was"


def _since(facts: Facts) -> str:
    """When the record entered its state, if the feed still says it."""
    for change in facts.changes:
        if any(line.section == "record" and {"state"} & {*line.fields} for line in change.lines):
            return f" (found on {moment(change.at)})"
    return ""


_SAID = {
    State.DEPRECATED: "was merged into another one",
    State.DEACTIVATED: "is deactivated",
    State.NOT_FOUND: "is unknown",
}


def unconfirmed(facts: Facts) -> Diagnosis | None:
    """What closes a record counts when it is said twice."""
    queue = facts.queue
    if queue is None or queue.unconfirmed is None or queue.unconfirmed_at is None:
        return None
    said = _SAID.get(State(queue.unconfirmed), f"is {queue.unconfirmed}")
    return Diagnosis(
        DiagnosisKind.UNCONFIRMED,
        f"ORCID said on {moment(queue.unconfirmed_at)} that the record {said}: readers do not see it until "
        f"the next read confirms or corrects this, {until(queue.due_at, facts.at)}.",
        f"To read it sooner (at least 15 minutes after the first answer): orcid-sync sync {facts.orcid}",
    )


def token_over(facts: Facts) -> Diagnosis | None:
    """The holder's permission has ended."""
    known = facts.connection
    endings = {
        "revoked": (DiagnosisKind.PERMISSION_REVOKED, "The holder's permission was revoked"),
        "expired": (DiagnosisKind.PERMISSION_EXPIRED, "The holder's permission expired"),
    }
    if known is None or known.access_state not in endings:
        return None
    complaint, said = endings[known.access_state]
    when = f" on {moment(known.ended_at)}" if known.ended_at else ""
    return Diagnosis(
        complaint,
        f"{said}{when}: since then the service reads only public items, and limited items are removed from the mirror.",
        "Ask the holder to connect again: orcid-sync invite",
    )


def token_suspect(facts: Facts) -> Diagnosis | None:
    """ORCID refuses the token, which may pass."""
    known, queue = facts.connection, facts.queue
    if known is None or queue is None or known.access_state != "suspect" or known.suspect_since is None:
        return None
    since = f"since {moment(known.suspect_since)} ({number(known.refusals, 'time')})"
    if known.suspect_reason is Heard.FOREIGN:
        return Diagnosis(
            DiagnosisKind.PERMISSION_SUSPECT,
            f"ORCID has said {since} that the holder's token belongs to another iD: limited items are hidden, public "
            f"ones are followed; the next retry is {until(queue.due_at, facts.at)}.",
            "Records were merged, or the token was stored for the wrong iD: ask the holder to connect again "
            "(orcid-sync invite)",
        )
    return Diagnosis(
        DiagnosisKind.PERMISSION_SUSPECT,
        f"ORCID has refused the holder's token {since}: limited items are hidden until ORCID accepts it again or it "
        f"counts as revoked, public ones are followed; the next retry is {until(queue.due_at, facts.at)}.",
        "If ORCID refuses many tokens at once, the fault is ORCID's or your client's: orcid-sync status, orcid-sync "
        "check",
    )
