"""Generations of callback addresses: which secret and which public address webhooks were registered with.

The present one is that of the process which was started last: all processes of an installation are restarted when its
settings change, and while that lasts the newest settings count.
"""

from collections.abc import Collection, Mapping

from orcid_sync.model.webhooks.registration import Generation
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries


class WrongSecret(Exception):
    """A secret is not the one that its version stands for; the message says what to do."""


async def announce(
    connection: AnyConnection, *, proofs: Mapping[int, bytes], public_url: str, key_version: int | None
) -> None:
    """Say which settings count from now on: register under this version and address; None: have no webhooks.

    `proofs` are those of all secrets that are known, by their versions. Changes nothing if all is as it was. Raises
    WrongSecret: then nothing was changed.
    """
    queries, known = load_queries(__file__), _columns(proofs)
    async with connection.transaction():
        await queries.lock(connection)
        await check(connection, proofs)
        if public_url:
            await queries.fill_in_addresses(connection, public_url=public_url)
        await queries.retire(connection, key_version=key_version, public_url=public_url)
        if key_version is not None:
            await queries.make_present(connection, key_version=key_version, public_url=public_url)
        await queries.note_secrets(connection, **known)


async def load(connection: AnyConnection) -> list[Generation]:
    """All generations, the oldest first."""
    return [Generation(**row) async for row in load_queries(__file__).load(connection)]


async def know(connection: AnyConnection, addresses: Collection[str], proofs: Mapping[int, bytes]) -> int:
    """Write down that webhooks may exist under these public addresses and any of these secrets; how many are new."""
    queries = load_queries(__file__)
    pairs = [(version, address) for address in addresses for version in proofs]
    versions, urls = [version for version, _ in pairs], [address for _, address in pairs]
    async with connection.transaction():
        await queries.lock(connection)
        new = [row async for row in queries.know(connection, versions=versions, addresses=urls)]
        await queries.note_secrets(connection, **_columns(proofs))
    return len(new)


async def check(connection: AnyConnection, proofs: Mapping[int, bytes]) -> None:
    """Raise WrongSecret if one of these is not the secret with which webhooks were registered."""
    rows = load_queries(__file__).wrong_secrets(connection, **_columns(proofs))
    if wrong := [row["key_version"] async for row in rows]:
        raise WrongSecret(_advice(wrong))


async def give_up(connection: AnyConnection) -> list[int]:
    """Let the webhooks of all older generations go without waiting until the present one is seen working; which."""
    return [row["number"] async for row in load_queries(__file__).give_up(connection)]


async def forget(connection: AnyConnection, number: int) -> int:
    """Strike the webhooks of a generation whose secret nobody knows from the inventory; how many."""
    forgotten: int = await load_queries(__file__).forget(connection, number=number)
    return forgotten


async def note_calls(connection: AnyConnection, calls: Collection[tuple[int, str]]) -> None:
    """ORCID called addresses of these versions at these hosts within the last seconds."""
    versions, hosts = [version for version, _ in calls], [host for _, host in calls]
    await load_queries(__file__).note_calls(connection, versions=versions, hosts=hosts)


def _columns(proofs: Mapping[int, bytes]) -> dict[str, list[int] | list[bytes]]:
    return {"versions": list(proofs), "proofs": list(proofs.values())}


def _advice(wrong: Collection[int]) -> str:
    versions = ", ".join(str(version) for version in wrong)
    return (
        f"The webhook secret of version {versions} is not the one with which webhooks were registered. To replace a "
        "secret, give the new one the next webhook_key_version and put the old one, under its own version, into "
        "old_webhook_secrets; if the old one is lost, leave it out."
    )
