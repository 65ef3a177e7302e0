"""People at an institution, in a simulated Registry."""

from collections.abc import Mapping
from random import Random
from typing import Any

from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.samples.record_builder import RecordBuilder
from rig.service.settings import settings_for

ROR = "https://ror.org/05gq02987"
HERE = ("Example University", "Exampleton", None, "NZ", ROR, "ROR")
OLD_HERE = ("Example University", "Exampleton", None, "NZ", "grid.990009.1", "GRID")
NAMED_HERE = ("Example University", "Exampleton", None, "NZ", None, None)
ELSEWHERE = ("Other College", "Otherton", None, "NZ", "https://ror.org/03yrm5c26", "ROR")


def member(
    registry: SimulatedRegistry,
    number: int,
    *,
    at: tuple[Any, ...] | None = HERE,
    until: str | None = None,
    email: str | None = None,
    funded_by: tuple[Any, ...] | None = None,
    dois: tuple[str, ...] = (),
    visibility: str = "public",
) -> Orcid:
    """A record of somebody who is, or was, there."""
    orcid = Orcid(numbered_orcid(7_000_000 + number))
    builder = RecordBuilder(registry.profiles, orcid, Random(number))
    builder.name("Person", f"Number{number}")
    if at:
        dates = {"start-date": "2015-02", "end-date": until}
        builder.add("employment", {"organization": at, **dates}, visibility=visibility)
    if email:
        builder.add("email", {"email": email})
    if funded_by:
        builder.add("funding", {"title": "A grant", "organization": funded_by, "type": "grant"})
    for doi in dois:
        builder.add("work", {"title": {"title": "A work"}, "type": "book", "external-ids": [("doi", doi)]})
    builder.build()
    return orcid


def environment(registry: SimulatedRegistry, **more: str) -> Mapping[str, str | None]:
    """What commands need to ask this Registry."""
    known = settings_for(registry)
    return {
        "ORCID_SYNC_ENVIRONMENT": "custom",
        "ORCID_SYNC_API_URL": registry.api_url,
        "ORCID_SYNC_WEB_URL": registry.web_url,
        "ORCID_SYNC_CLIENT_ID": known.client_id,
        "ORCID_SYNC_CLIENT_SECRET": known.client_secret and known.client_secret.get_secret_value(),
        "ORCID_SYNC_ENCRYPTION_KEY": known.encryption_key and known.encryption_key.get_secret_value(),
        "ORCID_SYNC_REQUESTS_PER_SECOND": "1000",
        "ORCID_SYNC_BURST": "100",
        **{f"ORCID_SYNC_{name.upper()}": value for name, value in more.items()},
    }
