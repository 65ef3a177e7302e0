"""What is pushed: messages and their signatures, after the Standard Webhooks specification.

A message holds changes as `orcid-sync changes --json` prints them. Its id is made of what it holds: the subscription,
its revision and the part of the feed, so that each try of it has the same one, and nothing else has.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from standardwebhooks import Webhook

from orcid_sync.model.feed.feed_line import ChangeLine
from orcid_sync.model.pushes.delivery import MOST_BYTES
from orcid_sync.store.pushes.outbox import Contents, Line, PushLease

NOTHING: Contents = (None, None)


class Message(msgspec.Struct, frozen=True):
    """Something to be sent."""

    id: str
    body: bytes
    ends: int
    """Position up to which the receiver knows everything when it has taken this."""
    changes: int = 0


class _Change(ChangeLine, frozen=True, kw_only=True, omit_defaults=True):
    old: msgspec.Raw | msgspec.UnsetType | None = msgspec.UNSET
    new: msgspec.Raw | msgspec.UnsetType | None = msgspec.UNSET
    too_large: bool = False
    """The contents are left out because they are too large for a message: read them from the feed."""


def encode_change(line: Line, contents: Contents | None) -> msgspec.Raw:
    """One change as JSON; with its contents, unless that would be too large alone. None: without contents."""
    members = {name: getattr(line, name) for name in _Change.__struct_fields__ if hasattr(line, name)}
    if contents is None:
        return msgspec.Raw(msgspec.json.encode(_Change(**members)))
    old, new = (None if content is None else msgspec.Raw(content) for content in contents)
    if sum(len(content or b"") for content in contents) > MOST_BYTES:
        return msgspec.Raw(msgspec.json.encode(_Change(**members, old=None, new=None, too_large=True)))
    return msgspec.Raw(msgspec.json.encode(_Change(**members, old=old, new=new)))


def changes_message(lease: PushLease, changes: Sequence[msgspec.Raw], ends: int, at: datetime) -> Message:
    """Changes of the feed, the last of which was committed at `at`."""
    data = {
        "subscription": lease.name,
        "epoch": lease.feed_epoch,
        "after": lease.reached,
        "to": ends,
        "replay": lease.range_number is not None,
        "changes": changes,
    }
    again = "" if lease.range_number is None else f"_{lease.range_number}"
    name = f"msg_{lease.id}_{lease.revision}_{lease.feed_epoch[:8]}_{lease.reached}_{ends}{again}"
    return Message(name, _body("orcid.changes", at, data), ends, len(changes))


def resync_message(lease: PushLease, at: datetime) -> Message:
    """The feed's history was lost or rewound: the receiver must read the mirror anew, then take what follows."""
    data = {
        "subscription": lease.name,
        "epoch": lease.feed_epoch,
        "previous_epoch": lease.epoch,
        "to": lease.feed_last,
        "advice": "The history of the feed is another one: read the whole mirror again. Changes after this follow.",
    }
    name = f"msg_{lease.id}_{lease.revision}_{lease.feed_epoch[:8]}_resync_{lease.feed_last}"
    return Message(name, _body("orcid.resync", at, data), lease.feed_last)


def trial_message(number: int, name: str, at: datetime) -> Message:
    """Nothing but a sign of life, to try the address and the signature."""
    return Message(f"msg_{number}_test_{int(at.timestamp())}", _body("orcid.test", at, {"subscription": name}), 0)


def signed_headers(message: Message, secrets: Sequence[str], at: datetime) -> Mapping[str, str]:
    """The headers of a try at this moment, signed with each of the secrets."""
    body = message.body.decode()
    signatures = [Webhook(secret).sign(message.id, at, body) for secret in secrets]
    return {
        "webhook-id": message.id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _body(kind: str, at: datetime, data: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode({"type": kind, "timestamp": at, "data": data})
