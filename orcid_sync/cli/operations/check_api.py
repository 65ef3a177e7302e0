"""Whether ORCID's API answers at api_url: what was heard there, and what to do about it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from orcid_sync.registry.errors import (
    BadRequest,
    Busy,
    Forbidden,
    ForeignToken,
    NotFound,
    Paused,
    RegistryError,
    Unavailable,
)
from orcid_sync.registry.pace import NOBODY

if TYPE_CHECKING:
    from orcid_sync.registry.client import Registry

_HOST_ALONE = (
    "api_url must be the address of the API alone, such as https://api.orcid.org, without a path; without the setting "
    "it is that of the environment"
)
_PUBLIC_CLIENT = (
    "ORCID says that your client is a public one, and this is the API of members: set api_url to "
    "https://pub.orcid.org (sandbox: https://pub.sandbox.orcid.org), or use a member's credentials"
)
_OTHER_ENVIRONMENT = (
    "ORCID refuses the token that it has just granted. Do api_url and web_url belong to the same environment? If "
    "they do, it is ORCID's trouble: see https://orcid.statuspage.io"
)
_NOT_ORCID = "something else than ORCID's API answers there (another host, a proxy, a sign-in page). Check api_url"

Heard = Callable[[RegistryError], bool]

ANSWERS: tuple[tuple[Heard, str, str], ...] = (
    (lambda e: isinstance(e, NotFound) and e.error_code == 9016, "ok", "ORCID answers; it does not know {nobody}"),
    (lambda e: isinstance(e, BadRequest) and (e.status or 400) < 400, "fail", f"redirects elsewhere: {_HOST_ALONE}"),
    (
        lambda e: isinstance(e, BadRequest) and (e.error_code == 9001 or e.status == 404),
        "fail",
        f"ORCID answers, but has nothing at this address: {_HOST_ALONE}",
    ),
    (
        lambda e: isinstance(e, ForeignToken),
        "fail",
        _PUBLIC_CLIENT,
    ),
    (
        lambda e: isinstance(e, Forbidden),
        "fail",
        "ORCID does not let your client read public data. Ask ORCID's support about the client",
    ),
    (
        lambda e: isinstance(e, Unavailable) and "token" in e.detail,
        "fail",
        _OTHER_ENVIRONMENT,
    ),
    (lambda e: isinstance(e, (Busy, Paused)), "warn", "nothing can be said now; try again later"),
    (
        lambda e: isinstance(e, Unavailable) and e.status is None,
        "fail",
        "no answer. Check that this machine can reach it (DNS, firewall, proxy), and api_url",
    ),
    (
        lambda e: isinstance(e, Unavailable) and (e.status or 0) >= 500,
        "warn",
        "ORCID, or something before it, has troubles: see https://orcid.statuspage.io, and try again later",
    ),
    (lambda _: True, "fail", _NOT_ORCID),
)
"""What can be heard, the first that fits: whether it is good, and what to do."""


async def ask(registry: "Registry", api_url: str) -> tuple[str, str]:
    """Ask for the record of an iD that nobody has: the result, and what was heard in words."""
    try:
        async with registry.record(NOBODY):
            return "fail", f"{api_url}: shows a record of {NOBODY}, an iD that nobody has; {_NOT_ORCID}."
    except RegistryError as error:
        return explained(error, api_url)


def explained(error: RegistryError, api_url: str) -> tuple[str, str]:
    """The result, and what was heard in words."""
    result, advice = next((result, advice) for fits, result, advice in ANSWERS if fits(error))
    said = "" if result == "ok" else f" (heard: {error})"
    return result, f"{api_url}: {advice.format(nobody=NOBODY)}{said}."
