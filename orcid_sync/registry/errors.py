"""What can go wrong with the Registry, sorted by what the caller does next (contract section 4).

    RegistryError
    ├── about the record
    │   ├── Deprecated      merged into another record: store the primary iD, never follow
    │   ├── Locked          locked by ORCID: look again in a day
    │   ├── Unclaimed       not claimed yet: look again in a day
    │   ├── Deactivated     closed by its owner: remove personal data
    │   └── NotFound        unknown to the Registry: believe it only after a second, later answer
    ├── about our permission
    │   ├── Unauthorized    the token was refused: never final (section 2.6)
    │   ├── Forbidden       not ours to see or do
    │   │   ├── ForeignToken      the token belongs to another iD: read with our own
    │   │   └── ScopeNotGranted   our client lacks a scope: needs another membership
    │   ├── CodeRefused     an authorization code was refused: the person has to start again
    │   └── ClientDisabled  our client or its secret is refused: stop and tell a person
    ├── about the request
    │   └── BadRequest      our own mistake, mostly the base address: tell a person
    ├── about ourselves
    │   └── Paused          not sent: the pace lets nothing pass for a while; try when it does
    │       └── UsedUp      sent, but the day's quota was used up: the same
    └── about the answer
        ├── Busy            slow down
        ├── Unavailable     no trustworthy answer: try again later
        │   └── Unrenderable    none about this record: it alone is tried again later
        ├── Malformed       ORCID's answer has another shape than the contract says
        ├── WrongRecord     the answer is about another record
        └── TooLarge        the answer is beyond our limit

The docstring of a class is its message. An error carries numbers and words of this module, and no text of the
answer: the body of a 401 repeats the token (section 2.6), and the address of a webhook is a secret.

The Registry is believed only in its own words. A status with a JSON body of ORCID's is looked up by error code, then
by the word of OAuth, then by status, never by text (section 4.1). A page of HTML or plain text comes from something in
between and proves nothing about a record, whatever its status.
"""

import re
from collections.abc import Mapping
from inspect import getdoc
from typing import ClassVar, Final

from orcid_sync.model.ids import Orcid


class RegistryError(Exception):
    """The Registry did not give what was asked."""

    kind: ClassVar[str] = "registry_error"
    """The class as one word, for metrics and logs."""

    def __init_subclass__(cls) -> None:
        cls.kind = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __init__(
        self,
        detail: str | None = None,
        *,
        status: int | None = None,
        error_code: int | None = None,
        oauth_error: str | None = None,
    ) -> None:
        """`detail` replaces the default message; it is a fixed phrase of ours, never text of an answer."""
        self.detail = detail or (getdoc(type(self)) or "").partition("\n")[0]
        self.status = status
        self.error_code = error_code
        self.oauth_error = oauth_error
        super().__init__(self.detail)

    @property
    def label(self) -> str:
        """The HTTP status where it says what went wrong, else the kind; for metrics."""
        return str(self.status) if self.status is not None and self.status >= 300 else self.kind

    def __str__(self) -> str:
        facts = {"HTTP": self.status, "error-code": self.error_code, "OAuth": self.oauth_error}
        known = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
        said = self.detail.removesuffix(".")  # it stands inside of sentences
        return f"{said} ({known})" if known else said

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


class Deprecated(RegistryError):
    """The record was merged into another one."""

    def __init__(
        self,
        detail: str | None = None,
        *,
        primary: Orcid | None = None,
        status: int | None = None,
        error_code: int | None = None,
        oauth_error: str | None = None,
    ) -> None:
        """`primary` is the iD that took its place, if the answer named it."""
        super().__init__(detail, status=status, error_code=error_code, oauth_error=oauth_error)
        self.primary = primary


class Locked(RegistryError):
    """ORCID locked the record."""


class Unclaimed(RegistryError):
    """The record is not claimed by its owner yet."""


class Deactivated(RegistryError):
    """The owner deactivated the record."""


class NotFound(RegistryError):
    """The Registry does not know what was asked for."""


class Unauthorized(RegistryError):
    """The Registry refused the token, or could not check it."""


class Forbidden(RegistryError):
    """The Registry does not allow this to our client or with this token."""


class ForeignToken(Forbidden):
    """The token belongs to another iD, or our client is a public one and api_url that of the member API."""


class ScopeNotGranted(Forbidden):
    """The Registry does not grant our client the scope that this needs."""


class CodeRefused(RegistryError):
    """The Registry refuses the authorization code: unknown, expired, used before, or of another redirect URI."""


class ClientDisabled(RegistryError):
    """The Registry refuses our client: check client_id, client_secret and environment, or ask ORCID's support."""


class BadRequest(RegistryError):
    """The Registry does not understand the request: check api_url, web_url and environment."""


class Busy(RegistryError):
    """The Registry is too busy, or wants fewer requests."""

    def __init__(
        self,
        detail: str | None = None,
        *,
        retry_after: float | None = None,
        status: int | None = None,
        error_code: int | None = None,
        oauth_error: str | None = None,
    ) -> None:
        """`retry_after` is the wait in seconds that the Registry asked for, between 1 and 3600, if it did."""
        super().__init__(detail, status=status, error_code=error_code, oauth_error=oauth_error)
        self.retry_after = retry_after


class Paused(RegistryError):
    """Requests to the Registry are paused: it is away, asked for silence, or the day's budget is used up."""


class UsedUp(Paused):
    """The Registry says that our daily quota is used up."""


class Unavailable(RegistryError):
    """The Registry gave no answer that can be trusted."""


class Unrenderable(Unavailable):
    """ORCID cannot show this record."""


class Malformed(RegistryError):
    """The Registry's answer does not have the form that it should have."""


class WrongRecord(RegistryError):
    """The Registry answered with another record than the one asked for."""


class TooLarge(RegistryError):
    """The answer is larger than the limit set for answers (max_body_mb)."""


ERRORS: Final[Mapping[int, type[RegistryError]]] = {
    9002: Unauthorized,  # authentication problem inside the resource layer
    9004: Forbidden,
    9005: Forbidden,
    9007: Deprecated,
    9010: Forbidden,  # not the source
    9011: NotFound,  # webhook for an unknown iD
    9013: Forbidden,  # private item of another source
    9014: Forbidden,  # another client's webhook
    9015: BadRequest,  # the scope text is invalid: configuration
    9016: NotFound,  # unknown iD or put-code
    9017: ForeignToken,
    9018: Locked,
    9028: NotFound,  # no such webhook
    9034: NotFound,  # no such put-code
    9036: Unclaimed,
    9038: Forbidden,  # the token lacks the scope
    9039: Forbidden,  # not public
    9041: NotFound,  # no biography
    9044: Deactivated,
    9052: Forbidden,
    9057: ClientDisabled,
}
"""Error codes (contract section 4.2). The others say no more than their status: 9001 above all."""

UNRENDERABLE: Final = frozenset({9005, 9006, 9008})
"""Error codes of a record or item that the Registry's own code fails at: a stored value that its enums do not know, or
a value that is missing (contract section 12a). They say nothing about the service, and nothing about our settings."""

INVISIBLE: Final = frozenset({9013, 9038, 9039})
"""Error codes of an item that exists but is not for this token to see (contract section 4.2)."""

NO_SUCH_WEBHOOK: Final = 9028
"""The error code that makes removing a webhook twice a success (contract section 1.4)."""

UNKNOWN_RECORD: Final = 9011
"""The error code of a webhook for an iD that ORCID does not know: nothing of it can call us (contract section 1.4)."""

UNKNOWN_TOKEN: Final = frozenset({"invalid_token", "invalid_grant"})
"""Words of OAuth that make taking a token back twice a success (contract section 2.6)."""

OAUTH_ERRORS: Final[Mapping[str, type[RegistryError]]] = {
    "access_denied": Forbidden,
    "insufficient_scope": Forbidden,
    "invalid_client": ClientDisabled,
    "invalid_grant": BadRequest,
    "invalid_request": BadRequest,
    "invalid_scope": ScopeNotGranted,
    "invalid_token": Unauthorized,
    "server_error": Unavailable,
    "temporarily_unavailable": Unavailable,
    "unauthorized": Unauthorized,
    "unauthorized_client": ClientDisabled,
    "unsupported_grant_type": BadRequest,
}
"""The words of OAuth error bodies (contract section 2.8). Words outside this list are never kept."""

STATUSES: Final[Mapping[int, type[RegistryError]]] = {
    401: Unauthorized,
    403: Forbidden,
    408: Unavailable,
    429: Busy,
    503: Busy,
}
"""What a status alone says. Every other 3xx and 4xx is a BadRequest: redirects (section 3.1), and a 404 without
ORCID's own error code means an address that does not exist, not a record that does not (section 4.2, 9001)."""


def error_class(status: int, error_code: int | None, oauth_error: str | None) -> type[RegistryError]:
    """The error for the answer of ORCID's with this status, error code and word of OAuth.

    A server error is a server error whatever its body says: nothing is concluded about a record from a failure.
    """
    if status >= 500:
        return STATUSES.get(status, Unavailable)
    by_status = STATUSES.get(status, BadRequest)
    by_word = OAUTH_ERRORS.get(oauth_error or "", by_status)
    return ERRORS.get(error_code or 0, by_word)
