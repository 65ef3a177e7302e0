"""ORCID's environments, and the hosts at which they answer (contract section 0, hosts)."""

from urllib.parse import urlsplit

import msgspec

from orcid_sync.model.ids import ENVIRONMENTS


class Hosts(msgspec.Struct, frozen=True):
    """Where one ORCID environment lives (contract section 0, hosts)."""

    api: str = ""
    """Member API: reads and webhooks."""
    web: str = ""
    """Web pages and OAuth."""


HOSTS = {
    "production": Hosts(api="https://api.orcid.org", web="https://orcid.org"),
    "sandbox": Hosts(api="https://api.sandbox.orcid.org", web="https://sandbox.orcid.org"),
    "custom": Hosts(),
}


def environment_of(address: str) -> str | None:
    """The ORCID environment that answers there; None for an address that is not ORCID's, such as a proxy's."""
    host = urlsplit(address).hostname or ""
    return next((name for end, name in ENVIRONMENTS.items() if host == end or host.endswith(f".{end}")), None)


def home_of(environment: str, api_url: str) -> str | None:
    """The environment of ORCID's whose iDs we speak of; None if it is not ORCID's, such as the simulated Registry."""
    return environment_of(api_url) if environment == "custom" else environment
