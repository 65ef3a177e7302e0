"""Checks between settings: which of them need, or exclude, each other."""

from urllib.parse import urlsplit

from orcid_sync.settings.definitions_tuning import Definitions
from orcid_sync.settings.environments import environment_of
from orcid_sync.settings.values import is_loopback

CONNECT_PAGES = ("institution", "purpose", "privacy_url", "contact", "public_url")
"""What must be known before researchers are asked."""


def broken_demands(settings: Definitions) -> list[str]:
    """One sentence for each demand that is not met."""
    return [sentence for broken, sentence in _demands(settings) if broken]


def _demands(settings: Definitions) -> list[tuple[bool, str]]:
    """Pairs (is it broken?, what to do)."""
    public = urlsplit(settings.public_url or "")
    plain = public.scheme == "http" and settings.environment != "custom" and not is_loopback(public.hostname or "")
    exposed = not is_loopback(settings.internal_host) and settings.internal_token is None
    custom = settings.environment == "custom"
    silent = [name for name in CONNECT_PAGES if not getattr(settings, name)] if settings.institution else []
    repeated = settings.encryption_key_id in (settings.old_encryption_keys or {})
    outdated = settings.webhook_key_version in (settings.old_webhook_secrets or {})
    return [
        *_mixed(settings),
        (
            custom and not settings.api_url,
            "api_url: give the address of the Registry's API, since environment is custom.",
        ),
        (
            custom and not settings.web_url,
            "web_url: give the address of the Registry's OAuth, since environment is custom.",
        ),
        (
            repeated,
            "old_encryption_keys: must not contain the present encryption_key_id; give the new key another id.",
        ),
        (
            outdated,
            "old_webhook_secrets: must not contain the present webhook_key_version; raise webhook_key_version by 1.",
        ),
        *((True, f"{name}: is missing; the connect pages of {settings.institution} need it.") for name in silent),
        (plain, "public_url: must begin with https://, because the callback addresses in it are secrets."),
        (
            exposed,
            (
                "internal_token: set one, or set internal_host to 127.0.0.1: other machines can reach the internal "
                "listener."
            ),
        ),
    ]


def _mixed(settings: Definitions) -> list[tuple[bool, str]]:
    """iDs, clients and tokens of one environment mean other people, or nothing, in another (fault F45)."""
    api, web = environment_of(settings.api_url), environment_of(settings.web_url)
    named = None if settings.environment == "custom" else settings.environment
    return [
        *(
            (
                None not in (named, found) and named != found,
                (
                    f"{name}: is an address of ORCID's {found}, but environment is {named}; remove it, or change "
                    f"environment."
                ),
            )
            for name, found in (("api_url", api), ("web_url", web))
        ),
        (
            named is None and None not in (api, web) and api != web,
            (
                f"api_url, web_url: are addresses of ORCID's {api} and of its {web}; both must belong to the same "
                f"environment."
            ),
        ),
    ]
