"""What must be true of database, settings and keys before anything runs, and what is put right first."""

import structlog

from orcid_sync.daemon.public_listener import desired_of
from orcid_sync.service.consent import erasure_log
from orcid_sync.service.webhooks.registration import announce
from orcid_sync.settings.settings import Settings
from orcid_sync.store.database import encryption_keys, environment
from orcid_sync.store.database.encryption import Vault, VaultError
from orcid_sync.store.database.migrate import SchemaState, status
from orcid_sync.store.database.pools import Database, statements
from orcid_sync.store.webhooks.generations import WrongSecret

log = structlog.get_logger(__name__)


class CannotServe(Exception):
    """The service cannot start; the message says what to do."""


async def make_sure(database: Database, settings: Settings) -> None:
    """See to all of it, in this order. Raises CannotServe, DatabaseUnavailable."""
    await _demand_current_schema(database)
    await _demand_same_environment(database, settings)
    await _demand_right_key(database, settings)
    await _say_which_webhooks(database, settings)
    await _replay_erasure_log(database, settings)


async def _demand_current_schema(database: Database) -> None:
    async with database.reader.acquire() as connection:
        found = await status(connection)
    if found.state is not SchemaState.CURRENT:
        advice = " Run: orcid-sync migrate" if found.state is SchemaState.BEHIND else ""
        raise CannotServe(f"The database's schema does not fit: {found.explanation}{advice}")


async def _demand_same_environment(database: Database, settings: Settings) -> None:
    """Before anything is asked of ORCID: no token may go to another Registry than the one that issued it (F45)."""
    try:
        async with statements(database.worker) as connection:
            await environment.settle(connection, settings.environment)
    except environment.WrongEnvironment as error:
        raise CannotServe(str(error)) from None


async def _demand_right_key(database: Database, settings: Settings) -> None:
    """Open something of what each key sealed (fault F91). What an old or missing key sealed is only warned of."""
    async with database.reader.acquire() as connection:
        try:
            for sentence in await encryption_keys.demand_right_key(connection, Vault(settings.key_ring)):
                log.warning("encryption keys", advice=sentence)
        except VaultError as error:
            raise CannotServe(str(error)) from None


async def _say_which_webhooks(database: Database, settings: Settings) -> None:
    """The settings of the process that starts last count for all; a wrong secret would cut us off from ORCID."""
    try:
        async with statements(database.worker) as connection:
            await announce(connection, desired_of(settings))
    except WrongSecret as error:
        raise CannotServe(str(error)) from None


async def _replay_erasure_log(database: Database, settings: Settings) -> None:
    """Erase and disconnect again whom a restored backup has brought back, before we are ready (fault F66)."""
    if settings.erasure_log is None:
        return
    try:
        async with statements(database.worker) as connection:
            for again in await erasure_log.replay(connection, settings.erasure_log):
                log.warning("a backup had brought somebody back", orcid=again.orcid, again=again.event)
    except erasure_log.ErasureLogUnusable as error:
        raise CannotServe(str(error)) from None
