"""The journal of the simulated Registry: requests answered and notifications sent, for tests of the daemon."""

from collections import deque

import msgspec


class Request(msgspec.Struct, frozen=True):
    """One answered request."""

    number: int
    at_ms: int
    """Virtual time at which the answer was made; sending it may have taken longer."""
    method: str
    endpoint: str
    orcid: str | None
    status: int
    """0 if the connection was torn down instead."""
    client_id: str | None
    personal: bool
    """True if a user's token was used."""
    version: int | None
    """The version of the record at the moment of the answer."""
    faults: tuple[str, ...]
    began_ms: int = 0
    """Virtual time of the request's arrival."""


class Notification(msgspec.Struct, frozen=True):
    """One notification, as the hook job saw it end."""

    number: int
    at_ms: int
    orcid: str
    uri: str
    profile_modified_ms: int
    status: int | None
    """None: no answer (time-out, refused connection)."""
    success: bool
    note: str = ""
    """The fault of the simulation that was at work, or the kind of the failure."""
    sent_ms: int = 0
    """Virtual time of the sending; `at_ms` is when it had ended."""


class Consent(msgspec.Struct, frozen=True):
    """One step at the authorization endpoint."""

    number: int
    at_ms: int
    outcome: str
    """page, allowed, denied, skipped (consent was given before), sign-in-failed, wrong-request, no-page."""
    orcid: str | None
    """Who is signed in, or signed in just now."""
    browser: str
    parameters: dict[str, str]
    """What the client asked for, lang, show_login and given_names among it."""


class Journal:
    """The last requests, notifications and steps towards consent, numbered from 1."""

    def __init__(self, *, limit: int = 200_000) -> None:
        self.requests: deque[Request] = deque(maxlen=limit)
        self.notifications: deque[Notification] = deque(maxlen=limit)
        self.consents: deque[Consent] = deque(maxlen=limit)
        self.consent_count = 0
        self.request_count = 0
        self.notification_count = 0

    def note_request(self, **facts: object) -> None:
        """Add a request."""
        self.request_count += 1
        self.requests.append(msgspec.convert({"number": self.request_count, **facts}, Request))

    def note_notification(self, **facts: object) -> None:
        """Add a notification."""
        self.notification_count += 1
        self.notifications.append(msgspec.convert({"number": self.notification_count, **facts}, Notification))

    def note_consent(self, **facts: object) -> None:
        """Add a step at the authorization endpoint."""
        self.consent_count += 1
        self.consents.append(msgspec.convert({"number": self.consent_count, **facts}, Consent))

    def reads_of(self, orcid: str) -> list[Request]:
        """The GETs of one iD, oldest first."""
        return [request for request in self.requests if request.orcid == orcid and request.method == "GET"]
