"""Clients and their tokens: issuing, looking up, revoking (contract sections 2.2, 2.3, 2.6, 2.8)."""

import uuid
from collections.abc import Iterable
from random import Random

import msgspec

from orcid_sync.simulator.clock import VirtualClock
from orcid_sync.simulator.errors import Unauthenticated, invalid_token

TWENTY_YEARS = 631_138_518
TWO_LEGGED = ("/read-public", "/webhook", "/premium-notification", "/group-id-record/read")
DISABLED = frozenset({"USER_REVOKED", "RECORD_DEACTIVATED", "CLIENT_REVOKED"})


class Client(msgspec.Struct):
    """One registered application."""

    client_id: str
    secret: str
    name: str
    public: bool = False
    """A client of the public API; the member API refuses it."""
    scopes: tuple[str, ...] = TWO_LEGGED
    """What it may ask for with client credentials."""
    webhooks_enabled: bool = True
    """False: the hook job skips its rows, silently."""
    deactivated: bool = False


class Token(msgspec.Struct):
    """One access token with its refresh token."""

    text: str
    refresh: str
    client_id: str
    scopes: frozenset[str]
    expires_ms: int
    orcid: str | None = None
    """The user who granted it; None for client credentials."""
    disabled: str | None = None
    """Why it does not work any more."""


class TokenDesk:
    """The authorization server."""

    def __init__(self, clock: VirtualClock, rng: Random) -> None:
        self.clients: dict[str, Client] = {}
        self.tokens: dict[str, Token] = {}
        self.introspection_down = False
        """True: every token is answered as if it were invalid (contract section 2.6)."""
        self._clock = clock
        self._rng = rng

    def client_name(self, client_id: str) -> str | None:
        """A client's name at this moment, shown as the source of its items."""
        client = self.clients.get(client_id)
        return client.name if client else None

    def issue(
        self, client_id: str, scopes: Iterable[str], *, orcid: str | None = None, seconds: int = TWENTY_YEARS
    ) -> Token:
        """A new token; earlier ones stay valid. Raises KeyError for an unknown client."""
        token = Token(
            text=self._uuid(),
            refresh=self._uuid(),
            client_id=self.clients[client_id].client_id,
            scopes=frozenset(scopes),
            expires_ms=self._clock.now_ms() + seconds * 1000,
            orcid=orcid,
        )
        self.tokens[token.text] = token
        return token

    def check(self, text: str) -> Token:
        """The token of an API call. Raises Unauthenticated if it does not work, for whatever reason."""
        token = self.tokens.get(text)
        expired = token is not None and token.expires_ms <= self._clock.now_ms()
        if self.introspection_down or token is None or token.disabled or expired:
            raise invalid_token(text)
        return token

    def authenticate(self, client_id: str | None, secret: str | None) -> Client:
        """The client of a token request. Raises Unauthenticated."""
        if not client_id or not secret:
            raise Unauthenticated("unauthorized_client", "No client authentication")
        client = self.clients.get(client_id)
        if client is None or client.secret != secret:
            raise Unauthenticated("invalid_client", "Client not found or wrong secret")
        if client.deactivated:
            raise Unauthenticated("unauthorized_client", "The client is deactivated", status=400)
        return client

    def client_credentials(self, client: Client, scope: str) -> Token:
        """Grant by client credentials; scopes of the other kind are dropped without a word."""
        asked = [one for one in scope.split() if one in TWO_LEGGED]
        if not asked or any(one not in client.scopes for one in asked):
            raise Unauthenticated("invalid_scope", f"One of the scopes is not allowed: {scope}", status=400)
        return self.issue(client.client_id, asked)

    def revoke(self, client: Client, text: str) -> None:
        """By the client: one pair of access and refresh token; an unknown one changes nothing."""
        for token in self.tokens.values():
            if text in (token.text, token.refresh) and token.client_id == client.client_id:
                token.disabled = "CLIENT_REVOKED"

    def disable(self, orcid: str, reason: str, *, client_id: str | None = None) -> int:
        """All tokens of a user (for one client, if given) stop working; how many did."""
        hit = [
            token
            for token in self.tokens.values()
            if token.orcid == orcid and client_id in (None, token.client_id) and not token.disabled
        ]
        for token in hit:
            token.disabled = reason
        return len(hit)

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
