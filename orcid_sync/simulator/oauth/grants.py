"""Authorization codes and what they are exchanged for (contract sections 2.4, 2.5, 2.8)."""

import string
from collections.abc import Iterable
from random import Random

import msgspec

from orcid_sync.simulator.base.clock import VirtualClock
from orcid_sync.simulator.base.errors import Unauthenticated
from orcid_sync.simulator.base.tokens import TWENTY_YEARS, Client, Token, TokenService
from orcid_sync.simulator.records.profiles import Effect, Profiles

AN_HOUR = 3_600
"""Seconds of a grant that is not persistent; the answer, a moment later, says 3599 (contract section 2.4)."""

_LETTERS = string.ascii_letters + string.digits


class Code(msgspec.Struct):
    """One authorization code."""

    text: str
    client_id: str
    orcid: str
    scopes: frozenset[str]
    redirect_uri: str
    expires_ms: int
    token: Token | None = None
    """What it was exchanged for; None while it is unused."""


class Grants:
    """Hands out codes, and tokens for codes and refresh tokens."""

    def __init__(self, profiles: Profiles, token_service: TokenService, clock: VirtualClock, rng: Random) -> None:
        self.codes: dict[str, Code] = {}
        self._profiles = profiles
        self._token_service = token_service
        self._clock = clock
        self._rng = rng

    def offer(self, client: Client, orcid: str, scopes: Iterable[str], redirect_uri: str) -> Code:
        """A code of six characters for what a researcher agreed to."""
        text = "".join(self._rng.choices(_LETTERS, k=6))
        expires_ms = self._clock.now_ms() + self._token_service.settings.code_seconds * 1000
        code = Code(text, client.client_id, orcid, frozenset(scopes), redirect_uri, expires_ms)
        self.codes[text] = code
        return code

    def exchange(self, client: Client, text: str | None, redirect_uri: str | None) -> Token:
        """The token for a code. A code that comes back kills what it was exchanged for. Raises Unauthenticated."""
        if not text:
            raise _bad("invalid_request", "An authorization code must be supplied.")
        code = self.codes.get(text)
        if code is None or code.client_id != client.client_id:
            raise _bad("invalid_grant", f"Invalid authorization code: {text}")
        if code.token is not None:
            self._token_service.stop(code.token, "AUTH_CODE_REUSED")
            raise _bad("invalid_grant", f"Reused authorization code: {text}")
        if code.expires_ms <= self._clock.now_ms():
            raise _bad("invalid_grant", f"Authorization code has expired: {text}")
        if code.redirect_uri != redirect_uri:
            raise _bad("invalid_grant", "Redirect URI mismatch.")
        self._check_record(code.orcid)
        seconds = AN_HOUR if self._token_service.settings.short_grants else TWENTY_YEARS
        code.token = self._token_service.issue(client.client_id, code.scopes, orcid=code.orcid, seconds=seconds)
        self._note_grant(code.orcid)
        return code.token

    def refresh(self, client: Client, text: str | None, scope: str | None) -> Token:
        """A new pair for an old one, which ends; the old one's expiry is kept. Raises Unauthenticated."""
        if not text:
            raise _bad("invalid_request", "The refresh token is missing.")
        old = next((token for token in self._token_service.tokens.values() if token.refresh == text), None)
        now = self._clock.now_ms()
        if old is None or old.client_id != client.client_id or old.orcid is None:
            raise _bad("invalid_grant", f"Invalid refresh token: {text}")
        if old.disabled or old.expires_ms <= now:
            raise _bad("invalid_grant", "The parent token is disabled or expired.")
        self._check_record(old.orcid)
        scopes = frozenset((scope or "").split()) or old.scopes
        if not scopes <= old.scopes:
            raise _bad("invalid_scope", "The scopes are wider than those of the parent token.")
        token = self._token_service.issue(client.client_id, scopes, orcid=old.orcid)
        token.expires_ms = old.expires_ms
        self._token_service.stop(old, "REFRESHED")
        self._note_grant(old.orcid)
        return token

    def _check_record(self, orcid: str) -> None:
        state = self._profiles.state(orcid)
        if state.deactivated_ms is not None or state.primary_orcid is not None:
            raise _bad("unauthorized_client", "The record is deactivated or deprecated.")

    def _note_grant(self, orcid: str) -> None:
        """A grant moves the record's date, and in former times announced it (contract section 1.7)."""
        effect = Effect.INDEXED if self._token_service.settings.grants_announced else Effect.DATED
        self._profiles.change(self._profiles.state(orcid), effect, at_ms=self._clock.stamp())


def _bad(error: str, description: str) -> Unauthenticated:
    return Unauthenticated(error, description, status=400)
