"""check: whether the service has everything that it needs, and what to do if not."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import msgspec
import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, print_json, table, text
from orcid_sync.cli.base.registry_access import asking
from orcid_sync.cli.base.session import Failure, Session
from orcid_sync.settings.redaction import redact

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.registry.client import Registry
    from orcid_sync.settings.settings import Settings

OLDEST_POSTGRES = 15


class Checked(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    name: str
    result: str
    """ok, warn, fail, or skipped."""
    explanation: str
    """What was found, and what to do about it."""


@command
def check(
    session: Session,
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Send no request to ORCID.")] = False,
    json: Json = False,
) -> None:
    """Check the configuration, the database, its schema, the keys and your ORCID credentials, and say what to fix."""
    import asyncio  # noqa: PLC0415 - beside the other heavy ones

    results = asyncio.run(_check_all(session, offline=offline))
    if json:
        print_json(results)
    else:
        rows = ((result.name, text(result.result, result.result), result.explanation) for result in results)
        console().print(table("check", "result", "explanation", rows=rows))
    if any(result.result == "fail" for result in results):
        raise typer.Exit(1)


async def _check_all(session: Session, *, offline: bool) -> list[Checked]:
    results = [*_configuration(session.settings), _public_url(session.settings)]
    if session.settings.webhooks and session.settings.public_url:
        results.append(
            Checked("way in", "skipped", "--offline") if offline else await _way_in(session.settings.public_url)
        )
    try:
        with session.database() as dsn:
            results += await _check_database(session.settings, dsn)
            results += [Checked("credentials", "skipped", "--offline")] if offline else await _credentials(session, dsn)
    except _explained() as error:
        results.append(Checked("database", "fail", _sentence(error)))
    return results


def _explained() -> tuple[type[Exception], ...]:
    """Errors whose message says what to do."""
    from orcid_sync.settings.settings import ConfigurationError  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.embedded import EmbeddedUnavailable  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.encryption import VaultError  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.pools import DatabaseRefused, DatabaseUnavailable  # noqa: PLC0415 - heavy

    return (ConfigurationError, DatabaseRefused, DatabaseUnavailable, EmbeddedUnavailable, Failure, VaultError, OSError)


def _sentence(error: Exception) -> str:
    return redact(" ".join(str(error).splitlines()))


def _configuration(settings: "Settings") -> list[Checked]:
    from orcid_sync.settings.settings import ConfigurationError  # noqa: PLC0415 - heavy

    try:
        settings.require(*settings.needed_to_serve)
    except ConfigurationError as error:
        return [Checked("configuration", "fail", redact(problem)) for problem in error.problems]
    return [Checked("configuration", "ok", f"environment {settings.environment}, {settings.api_url}")]


def _public_url(settings: "Settings") -> Checked:
    from orcid_sync.settings.values import is_loopback  # noqa: PLC0415 - heavy

    if not settings.webhooks:
        hours = f"{settings.check_interval_hours:g} h"
        return Checked("public_url", "warn", f"webhooks are off: only regular reads every {hours} find changes")
    parts = urlsplit(settings.public_url or "")
    if not parts.hostname:
        return Checked("public_url", "fail", "is missing: ORCID cannot send notifications")
    if is_loopback(parts.hostname):
        return Checked("public_url", "warn", "is an address of this machine alone: ORCID cannot reach it")
    if parts.scheme == "http":
        return Checked(
            "public_url", "warn", "is plain http: others on the network can read the secret callback addresses"
        )
    return Checked("public_url", "ok", f"{settings.public_url}")


async def _way_in(public_url: str) -> Checked:
    """Only a warning if it is shut: the service may not run yet, and ORCID may come another way than we."""
    from orcid_sync.cli.webhooks.probe import probe  # noqa: PLC0415 - heavy

    found = await probe(public_url)
    return Checked("way in", "ok" if found.open else "warn", found.explanation)


async def _check_database(settings: "Settings", dsn: str) -> list[Checked]:
    from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy
    from orcid_sync.store.database import migrate, readiness, roles  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.pools import connect  # noqa: PLC0415 - heavy

    async with connect(dsn) as connection:
        version = await overview.server_version(connection)
        old = version < OLDEST_POSTGRES
        advice = f"; the service needs {OLDEST_POSTGRES} or newer: upgrade it" if old else ""
        results = [Checked("database", "fail" if old else "ok", f"PostgreSQL {version}{advice}")]
        schema = await migrate.status(connection)
        current = schema.state is migrate.SchemaState.CURRENT
        behind = schema.state is migrate.SchemaState.BEHIND
        advice = "; run orcid-sync migrate" if behind else ""
        results.append(Checked("schema", "ok" if current else "fail", f"{schema.explanation}{advice}"))
        if current:
            if problem := await readiness.role_problem(connection):
                results.append(Checked("role", "fail", problem))
            results += await _environment(settings, connection)
            if problem := await roles.readers_problem(connection):
                results.append(Checked("readers", "warn", f"Nobody can read the mirror over HTTP: {problem}"))
            results.append(await _encryption_key(settings, connection))
    return results


async def _environment(settings: "Settings", connection: "Connection") -> list[Checked]:
    """Whether the database belongs to another Registry; nothing, if not."""
    from orcid_sync.store.database import environment  # noqa: PLC0415 - heavy

    try:
        await environment.demand(connection, settings.environment)
    except environment.WrongEnvironment as error:
        return [Checked("environment", "fail", str(error))]
    return []


async def _encryption_key(settings: "Settings", connection: "Connection") -> Checked:
    """Whether the key opens what is stored: a wrong one would make every token unreadable."""
    from orcid_sync.store.database.encryption import Vault, VaultError  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.encryption_keys import demand_right_key  # noqa: PLC0415 - heavy

    if settings.encryption_key is None:
        return Checked("encryption_key", "fail", "is missing; make one with: openssl rand -base64 32")
    try:
        warnings = await demand_right_key(connection, Vault(settings.key_ring))
    except VaultError as error:
        return Checked("encryption_key", "fail", str(error))
    if warnings:
        return Checked("encryption_key", "warn", " ".join(warnings))
    return Checked("encryption_key", "ok", "decrypts what it encrypted")


async def _credentials(session: Session, dsn: str) -> list[Checked]:
    """Whether ORCID gives us the tokens that we need (contract sections 1.2 and 2.3)."""
    from orcid_sync.registry.requests import READ_PUBLIC, WEBHOOK  # noqa: PLC0415 - heavy

    settings = session.settings
    if not (settings.client_id and settings.client_secret and settings.encryption_key):
        return [Checked("credentials", "skipped", "needs client_id, client_secret and encryption_key")]
    scopes = [READ_PUBLIC, *([WEBHOOK] if settings.webhooks else [])]
    async with asking(session, dsn) as means:
        granted = [await _scope(settings, scope, means.registry.authorize) for scope in scopes]
        return [*granted, await _api(settings, means.registry, readable=granted[0].result == "ok")]


async def _api(settings: "Settings", registry: "Registry", *, readable: bool) -> Checked:
    """Whether the API is where the settings say (contract section 4.2)."""
    from orcid_sync.cli.operations.check_api import ask  # noqa: PLC0415 - heavy

    if not readable:
        return Checked("api_url", "skipped", "needs a token that ORCID grants")
    return Checked("api_url", *await ask(registry, settings.api_url))


async def _scope(settings: "Settings", scope: str, authorize: Callable[[str], Awaitable[None]]) -> Checked:
    from orcid_sync.registry.errors import ClientDisabled, RegistryError, ScopeNotGranted  # noqa: PLC0415 - heavy

    name = f"credentials {scope}"
    try:
        await authorize(scope)
    except ScopeNotGranted as error:
        return Checked(name, "fail", f"{error}. {_MEMBERSHIP}" if "webhook" in scope else str(error))
    except ClientDisabled as error:
        other = {"production": "sandbox", "sandbox": "production"}.get(settings.environment, "another Registry")
        return Checked(name, "fail", f"{error}. Credentials of {other} do not work in {settings.environment}.")
    except RegistryError as error:
        return Checked(name, "fail", f"{error}. Check that this machine can reach {settings.web_url}.")
    return Checked(name, "ok", "ORCID granted a token")


_MEMBERSHIP = (
    "Webhooks need premium membership (in the sandbox: a member's test client). Without it, set webhooks to false: "
    "then only regular reads find changes."
)
