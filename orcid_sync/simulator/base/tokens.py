"""Clients and their tokens: issuing, looking up, revoking (contract sections 2.2, 2.3, 2.6, 2.8)."""

import re
import uuid
from collections.abc import Iterable
from random import Random

import msgspec

from orcid_sync.simulator.base.clock import VirtualClock
from orcid_sync.simulator.base.errors import Unauthenticated, invalid_token

TWENTY_YEARS = 631_138_518
TWO_LEGGED = ("/read-public", "/webhook", "/premium-notification", "/group-id-record/read")
THREE_LEGGED = (
    *("/authenticate", "openid", "/read-limited", "/person/read-limited", "/activities/read-limited"),
    *("/email/read-private", "/activities/update", "/person/update"),
)
IGNORED = ("profile", "email", "address", "phone", "offline_access")
"""Accepted in a request for consent, and granted to nobody (contract section 2.2)."""

_LOCAL_CALLBACK = re.compile(r"https?://(?:127\.0\.0\.1|localhost)(?::[0-9]+)?/oauth/callback", re.ASCII)


class OAuthSettings(msgspec.Struct, kw_only=True):
    """What is not public about the authorization server, and what a test wants it to be. Seconds are virtual."""

    code_seconds: int = 86_400
    short_grants: bool = False
    """True: consent lasts an hour, as for users and clients without persistent tokens (contract section 2.4)."""
    grants_announced: bool = False
    """True: a grant makes the indexer announce the record, as until July 2026 (contract section 1.7)."""
    revocation_lag_calls: int = 0
    """A token that is disabled from now on is answered this many more times: the cache of fault F56."""


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
    redirect_uris: tuple[str, ...] = ()
    """Where consent may lead back to; a request must name one of them letter by letter."""
    local_callbacks: bool = False
    """True: `http://127.0.0.1` and `http://localhost`, any port, path `/oauth/callback`, are registered as well."""

    def leads_back_to(self, redirect_uri: str) -> bool:
        """True if this address is registered (contract section 2.4)."""
        local = self.local_callbacks and _LOCAL_CALLBACK.fullmatch(redirect_uri) is not None
        return local or redirect_uri in self.redirect_uris


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
    """Why it does not work any more: USER_REVOKED, RECORD_DEACTIVATED, CLIENT_REVOKED, AUTH_CODE_REUSED, REFRESHED."""
    cached_calls: int = 0
    """How many more calls are answered although it is disabled."""

    def disable(self, reason: str, *, cached_calls: int) -> None:
        """Stop it; a second time changes nothing."""
        if self.disabled is None:
            self.disabled, self.cached_calls = reason, cached_calls


class TokenService:
    """The authorization server."""

    def __init__(self, clock: VirtualClock, rng: Random) -> None:
        self.clients: dict[str, Client] = {}
        self.tokens: dict[str, Token] = {}
        self.settings = OAuthSettings()
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
        """A new token; earlier ones stay valid. Raises KeyError for an unknown client.

        Without ceremony: the record's date does not move, unlike a grant through the consent page.
        """
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
        if self.introspection_down or token is None or token.expires_ms <= self._clock.now_ms():
            raise invalid_token(text)
        if token.disabled and token.cached_calls == 0:
            raise invalid_token(text)
        return token

    def count_call(self, text: str | None) -> None:
        """An API call came with this token: the cache that still knows it, if it is disabled, has one answer less."""
        token = self.tokens.get(text or "")
        if token is not None and token.cached_calls:
            token.cached_calls -= 1

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
                self.stop(token, "CLIENT_REVOKED")

    def disable(self, orcid: str, reason: str, *, client_id: str | None = None) -> int:
        """All tokens of a user (for one client, if given) stop working; how many did."""
        hit = [
            token
            for token in self.tokens.values()
            if token.orcid == orcid and client_id in (None, token.client_id) and not token.disabled
        ]
        for token in hit:
            self.stop(token, reason)
        return len(hit)

    def stop(self, token: Token, reason: str) -> None:
        """One token stops working, for most callers at once."""
        token.disable(reason, cached_calls=self.settings.revocation_lag_calls)

    def active(self, orcid: str, client_id: str) -> list[Token]:
        """The tokens of this user for this client that work."""
        now = self._clock.now_ms()
        mine = (token for token in self.tokens.values() if (token.orcid, token.client_id) == (orcid, client_id))
        return [token for token in mine if not token.disabled and token.expires_ms > now]

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
