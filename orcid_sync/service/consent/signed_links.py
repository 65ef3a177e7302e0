"""Signed texts that browsers keep and send back: invitation links, sessions, guards of forms.

Nothing of them is stored. What is not ours, or was changed on its way, is seen from the text alone, without asking the
database (invariant S15). The keys are derived from the encryption keys, so that there is no further secret to keep;
what an old key of the ring signed stays good until that key is taken away.
"""

import base64
import hmac
import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from orcid_sync.model.ids import Orcid

_INVITATION: Final = re.compile(r"(([0-9]{1,18})\.([0-9]{1,11}))\.([A-Za-z0-9_-]{43})", re.ASCII)
_SESSION: Final = re.compile(
    r"(([0-9]{1,18})\.([0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X])\.([0-9]{1,11}))\.([A-Za-z0-9_-]{43})", re.ASCII
)


class Link(msgspec.Struct, frozen=True):
    """What an invitation link says."""

    number: int
    expires: int
    """Seconds since 1970."""


class Session(msgspec.Struct, frozen=True):
    """Who has just signed in at ORCID."""

    number: int
    """Of the invitation."""
    orcid: Orcid
    ends: int
    """Seconds since 1970."""


class LinkSigner:
    """Signs and verifies, for one environment."""

    def __init__(self, derive: Callable[[str], Sequence[bytes]], environment: str) -> None:
        """`derive` gives the keys for a purpose, the present one first (`Vault.derive`)."""
        self._keys = {purpose: derive(f"connect pages: {purpose}") for purpose in ("invitation", "session", "guard")}
        self._environment = environment

    def invitation(self, link: Link) -> str:
        """The last segment of an invitation's address; always the same for the same link and key."""
        return self._signed("invitation", f"{link.number}.{link.expires}")

    def read_invitation(self, text: str) -> Link | None:
        """What the segment says; None unless we signed it. Whether it has expired is the caller's question."""
        parts = _INVITATION.fullmatch(text)
        if parts is None or not self._genuine("invitation", parts[1], parts[4]):
            return None
        return Link(int(parts[2]), int(parts[3]))

    def session(self, session: Session) -> str:
        """The value of the session's cookie."""
        return self._signed("session", f"{session.number}.{session.orcid}.{session.ends}")

    def read_session(self, text: str) -> Session | None:
        """The session of a cookie; None unless we signed it. Whether it has ended is the caller's question."""
        parts = _SESSION.fullmatch(text)
        if parts is None or not self._genuine("session", parts[1], parts[5]):
            return None
        return Session(int(parts[2]), Orcid(parts[3]), int(parts[4]))

    def guard(self, cookie: str) -> str:
        """What a form shows to prove that it stood on a page of this session."""
        return _signature(self._keys["guard"][0], self._environment, cookie)

    def guards(self, cookie: str, shown: str) -> bool:
        """Whether the form shows it."""
        return self._genuine("guard", cookie, shown)

    def _signed(self, purpose: str, text: str) -> str:
        return f"{text}.{_signature(self._keys[purpose][0], self._environment, text)}"

    def _genuine(self, purpose: str, text: str, shown: str) -> bool:
        """Compared in constant time, with the signature of each key."""
        expected = [_signature(key, self._environment, text) for key in self._keys[purpose]]
        return any([hmac.compare_digest(one.encode(), shown.encode(errors="replace")) for one in expected])  # noqa: C419 - all of them, always


def _signature(key: bytes, environment: str, text: str) -> str:
    signature = hmac.digest(key, f"{environment}\n{text}".encode(), "sha256")
    return base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
