"""Connecting and disconnecting: what becomes of tokens, webhooks and the queue, and what the ledger says."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane, Settlement
from orcid_sync.store.consent import connections, consent_ledger
from orcid_sync.store.consent.connections import Entry, Outcome, connect_orcids, disconnect_orcids
from orcid_sync.store.database.pools import Database, transaction
from orcid_sync.store.sync import queue
from orcid_sync.store.webhooks import inventory
from rig.service.webhook_inventory import present, registered

Sample = Callable[[int], list[Orcid]]

NOW = timedelta()
MINUTE = timedelta(minutes=1)
EXPIRY = datetime(2046, 1, 1, tzinfo=UTC)


@pytest.fixture
def orcid(sample_orcids: Sample) -> Orcid:
    return sample_orcids(1)[0]


def with_token(orcid: Orcid, text: str = "sealed") -> Entry:
    return Entry(
        orcid=orcid,
        access_token=text,
        refresh_token=f"{text} too",
        scopes=("/read-limited", "openid"),
        expires_at=EXPIRY,
    )


async def settle_all(connection: asyncpg.Connection) -> list[Lane]:
    """Reconcile all that is due; returns the lanes."""
    leases = await queue.lease_due(connection, limit=1000, lease=MINUTE)
    for lease in leases:
        await queue.settle(connection, lease, Settlement(done=True, due_in=timedelta(days=7)), grace=NOW)
    return [lease.lane for lease in leases]


async def retired(connection: asyncpg.Connection) -> list[tuple[str, str, str]]:
    """The tokens that wait to be revoked: iD, ciphertext, reason."""
    rows = await connection.fetch("select orcid, access_token, reason from orcid_sync.retired_tokens order by number")
    return [tuple(row) for row in rows]


async def told(connection: asyncpg.Connection) -> list[tuple[str, str, str, list[str]]]:
    """What the consent ledger says: event, by whom, how learnt, scopes."""
    return [(entry.event, entry.by, entry.learnt, entry.scopes) async for entry in consent_ledger.read(connection)]


class TestConnecting:
    async def test_a_new_id_is_connected_and_due_for_its_first_load(
        self, connection: asyncpg.Connection, sample_orcids: Sample
    ) -> None:
        public, limited = sample_orcids(2)
        outcomes = await connect_orcids(connection, [with_token(limited), Entry(orcid=public)])
        assert outcomes == {public: Outcome.CONNECTED, limited: Outcome.CONNECTED}
        first = await connections.load(connection, public)
        second = await connections.load(connection, limited)
        assert first is not None
        assert second is not None
        assert (first.state, first.access_state, first.access_token, first.scopes) == ("connected", "public", None, [])
        assert (second.access_state, second.access_token, second.refresh_token) == ("granted", "sealed", "sealed too")
        assert (second.scopes, second.expires_at) == (["/read-limited", "openid"], EXPIRY)
        assert await settle_all(connection) == [Lane.FIRST_LOAD] * 2

    async def test_connecting_again_changes_nothing(self, connection: asyncpg.Connection, orcid: Orcid) -> None:
        await connect_orcids(connection, [with_token(orcid)])
        await settle_all(connection)
        before = await connections.load(connection, orcid)
        assert await connect_orcids(connection, [Entry(orcid=orcid)]) == {orcid: Outcome.ALREADY_CONNECTED}
        assert await connections.load(connection, orcid) == before
        assert await settle_all(connection) == []

    async def test_a_new_token_replaces_the_old_one_and_asks_for_a_read(
        self, connection: asyncpg.Connection, orcid: Orcid
    ) -> None:
        await connect_orcids(connection, [Entry(orcid=orcid)])
        await settle_all(connection)
        assert await connect_orcids(connection, [with_token(orcid, "newer")]) == {orcid: Outcome.TOKEN_STORED}
        found = await connections.load(connection, orcid)
        assert found is not None
        assert (found.access_state, found.access_token) == ("granted", "newer")
        assert await settle_all(connection) == [Lane.FIRST_LOAD]

    async def test_the_token_that_was_replaced_is_to_be_revoked(
        self, connection: asyncpg.Connection, orcid: Orcid
    ) -> None:
        for text in ("first", "second", "third"):
            await connect_orcids(connection, [with_token(orcid, text)])
        assert await retired(connection) == [(orcid, "first", "replaced"), (orcid, "second", "replaced")]

    async def test_the_same_token_again_is_no_news(self, connection: asyncpg.Connection, orcid: Orcid) -> None:
        """Sealed anew it is another ciphertext; whoever can open both says that they are the same."""
        await connect_orcids(connection, [with_token(orcid)])
        await settle_all(connection)
        before = await connections.load(connection, orcid)
        again = msgspec.structs.replace(with_token(orcid, "sealed again"), same_as="sealed")
        assert await connect_orcids(connection, [again]) == {orcid: Outcome.ALREADY_CONNECTED}
        assert await connections.load(connection, orcid) == before
        assert await retired(connection) == []
        assert len(await told(connection)) == 1
        assert await settle_all(connection) == []

    async def test_what_is_no_longer_the_stored_token_is_another_one(
        self, connection: asyncpg.Connection, orcid: Orcid
    ) -> None:
        """Between the look at the stored token and the commit somebody else stored a newer one."""
        await connect_orcids(connection, [with_token(orcid, "seen")])
        await connect_orcids(connection, [with_token(orcid, "newer")])
        again = msgspec.structs.replace(with_token(orcid, "seen again"), same_as="seen")
        assert await connect_orcids(connection, [again]) == {orcid: Outcome.TOKEN_STORED}
        assert await retired(connection) == [(orcid, "seen", "replaced"), (orcid, "newer", "replaced")]

    @pytest.mark.parametrize("state", ["revoked", "expired"])
    async def test_the_same_token_again_is_tried_again_where_it_was_given_up(
        self, connection: asyncpg.Connection, orcid: Orcid, state: str
    ) -> None:
        """It was not granted anew: whether it is good is for the Registry to say."""
        await connect_orcids(connection, [with_token(orcid)])
        await settle_all(connection)
        await connection.execute("update orcid_sync.connections set access_state = $1", state)
        again = msgspec.structs.replace(with_token(orcid), same_as="sealed")
        assert await connect_orcids(connection, [again]) == {orcid: Outcome.ALREADY_CONNECTED}
        assert await connections.counts(connection) == {("connected", "suspect"): 1}
        assert await settle_all(connection) == [Lane.FIRST_LOAD]

    async def test_every_grant_is_told(self, connection: asyncpg.Connection, sample_orcids: Sample) -> None:
        orcid, public = sample_orcids(2)
        limited, both = ["/read-limited"], ["/read-limited", "/email/read-private"]

        async def grant(text: str, scopes: list[str], **how: str) -> None:
            entry = Entry(orcid=orcid, access_token=text, scopes=tuple(scopes))
            await connect_orcids(connection, [Entry(orcid=public), entry], **how)

        await grant("1", limited)
        await grant("2", both, by="holder", learnt="connect-page")
        await grant("3", limited, by="holder", learnt="connect-page")
        await grant("4", limited)
        assert await told(connection) == [
            ("granted", "holder", "token-file", limited),
            ("widened", "holder", "connect-page", both),
            ("narrowed", "holder", "connect-page", limited),
            ("granted", "holder", "token-file", limited),
        ]

    @pytest.mark.fault("F64")
    async def test_the_same_id_connected_twice_at_once_has_one_token_and_one_to_revoke(
        self, database: Database, connection: asyncpg.Connection, orcid: Orcid
    ) -> None:
        async def store(text: str) -> Outcome:
            async with transaction(database.worker) as mine:
                return (await connect_orcids(mine, [with_token(orcid, text)]))[orcid]

        outcomes = await asyncio.gather(*map(store, ["one", "two", "three"]))

        assert sorted(outcome.value for outcome in outcomes) == ["connected", "token stored", "token stored"]
        found = await connections.load(connection, orcid)
        assert found is not None
        gone = {token for _, token, _ in await retired(connection)}
        assert gone | {found.access_token} == {"one", "two", "three"}
        assert len(gone) == 2
        assert [event for event, *_ in await told(connection)] == ["granted"] * 3

    async def test_a_new_token_ends_the_suspicion_against_the_old_one(
        self, connection: asyncpg.Connection, orcid: Orcid
    ) -> None:
        await connect_orcids(connection, [with_token(orcid)])
        await connection.execute("update orcid_sync.connections set access_state = 'revoked'")
        await connect_orcids(connection, [Entry(orcid=orcid)])
        assert await connections.counts(connection) == {("connected", "revoked"): 1}
        await connect_orcids(connection, [with_token(orcid)])
        assert await connections.counts(connection) == {("connected", "granted"): 1}

    async def test_of_several_entries_for_one_id_the_last_counts(
        self, connection: asyncpg.Connection, orcid: Orcid
    ) -> None:
        await connect_orcids(connection, [with_token(orcid, "first"), with_token(orcid, "last")])
        found = await connections.load(connection, orcid)
        assert found is not None
        assert found.access_token == "last"

    async def test_a_hundred_thousand_at_once(self, connection: asyncpg.Connection, sample_orcids: Sample) -> None:
        entries = [with_token(orcid) for orcid in sample_orcids(100_000)]
        began = time.monotonic()
        outcomes = await connect_orcids(connection, entries)
        again = await connect_orcids(connection, [Entry(orcid=entry.orcid) for entry in entries])
        assert time.monotonic() - began < 30
        assert set(outcomes.values()) == {Outcome.CONNECTED}
        assert set(again.values()) == {Outcome.ALREADY_CONNECTED}
        assert await connections.counts(connection) == {("connected", "granted"): 100_000}

    async def test_nothing_is_connected_if_one_entry_is_impossible(
        self, connection: asyncpg.Connection, orcid: Orcid
    ) -> None:
        with pytest.raises(asyncpg.CheckViolationError):
            await connect_orcids(connection, [Entry(orcid=orcid), Entry(orcid=Orcid("nonsense"))])
        assert await connections.counts(connection) == {}

    async def test_an_unknown_id_has_no_connection(self, connection: asyncpg.Connection, orcid: Orcid) -> None:
        assert await connections.load(connection, orcid) is None


class TestDisconnecting:
    async def test_it_is_due_at_once_in_the_operators_lane(
        self, connection: asyncpg.Connection, sample_orcids: Sample
    ) -> None:
        kept, left, unknown = sample_orcids(3)
        await connect_orcids(connection, [with_token(kept), with_token(left)])
        await settle_all(connection)
        assert await disconnect_orcids(connection, [left, unknown]) == [left]
        assert await disconnect_orcids(connection, [left]) == []
        found = await connections.load(connection, left)
        assert found is not None
        assert (found.state, found.access_state, found.access_token) == ("disconnecting", "public", None)
        assert await retired(connection) == [(left, "sealed", "disconnected")], "it is to be revoked"
        assert found.disconnected_at is not None
        assert await settle_all(connection) == [Lane.OPERATOR]

    async def test_it_ends_when_nothing_is_left_at_orcid(self, connection: asyncpg.Connection, orcid: Orcid) -> None:
        await connect_orcids(connection, [with_token(orcid)])
        number = await present(connection)
        await registered(connection, orcid, number)
        await disconnect_orcids(connection, [orcid])
        assert not await connections.finish_disconnecting(connection, orcid), "a webhook and a token are left"
        begun_at = await inventory.begin_removal(connection, orcid, number)
        await inventory.confirm_removal(connection, orcid, number, begun_at)
        assert not await connections.finish_disconnecting(connection, orcid), "a token is left"
        await connection.execute("delete from orcid_sync.retired_tokens")
        assert await connections.counts(connection) == {("disconnecting", "public"): 1}
        assert await connections.finish_disconnecting(connection, orcid)
        assert await connections.counts(connection) == {("disconnected", "public"): 1}
        assert not await connections.finish_disconnecting(connection, orcid), "it has ended before"

    async def test_who_was_connected_again_meanwhile_stays_so(
        self, connection: asyncpg.Connection, orcid: Orcid
    ) -> None:
        await connect_orcids(connection, [with_token(orcid, "former")])
        await disconnect_orcids(connection, [orcid])
        assert await connect_orcids(connection, [with_token(orcid)]) == {orcid: Outcome.RECONNECTED}
        assert not await connections.finish_disconnecting(connection, orcid)
        found = await connections.load(connection, orcid)
        assert found is not None
        assert (found.state, found.disconnected_at, found.access_token) == ("connected", None, "sealed")
        assert await retired(connection) == [(orcid, "former", "disconnected")]

    async def test_it_is_told(self, connection: asyncpg.Connection, orcid: Orcid) -> None:
        await connect_orcids(connection, [with_token(orcid)])
        await disconnect_orcids(connection, [orcid])
        await disconnect_orcids(connection, [orcid])
        assert await told(connection) == [
            ("granted", "holder", "token-file", ["/read-limited", "openid"]),
            ("disconnected", "operator", "command", []),
        ]

    @pytest.mark.parametrize("before", ["unknown", "disconnected", "connected"])
    async def test_a_token_of_somebody_who_was_not_asked_is_only_to_be_revoked(
        self, connection: asyncpg.Connection, orcid: Orcid, before: str
    ) -> None:
        if before != "unknown":
            await connect_orcids(connection, [with_token(orcid)])
            await settle_all(connection)
        if before == "disconnected":
            await disconnect_orcids(connection, [orcid])
            await settle_all(connection)
            await connection.execute("delete from orcid_sync.retired_tokens")
            await connections.finish_disconnecting(connection, orcid)

        await connections.retire_unwanted(connection, orcid, "unasked")

        assert await retired(connection) == [(orcid, "unasked", "unwanted")]
        found = await connections.load(connection, orcid)
        assert found is not None
        assert found.state == ("connected" if before == "connected" else "disconnecting")
        assert found.access_token == ("sealed" if before == "connected" else None)
        assert await settle_all(connection) == [Lane.OPERATOR]

    async def test_reconnecting_loads_the_record_again(self, connection: asyncpg.Connection, orcid: Orcid) -> None:
        await connect_orcids(connection, [with_token(orcid)])
        await disconnect_orcids(connection, [orcid])
        await settle_all(connection)
        await connection.execute("delete from orcid_sync.retired_tokens")
        await connections.finish_disconnecting(connection, orcid)
        assert await connect_orcids(connection, [Entry(orcid=orcid)]) == {orcid: Outcome.RECONNECTED}
        assert await connections.counts(connection) == {("connected", "public"): 1}
        assert await settle_all(connection) == [Lane.FIRST_LOAD]


async def test_listing(connection: asyncpg.Connection, sample_orcids: Sample) -> None:
    orcids = sample_orcids(5)
    await connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
    await disconnect_orcids(connection, orcids[:1])
    await connection.execute(
        "update orcid_sync.queue set attempts = 3, last_error = 'Busy' where orcid = $1", orcids[1]
    )
    page = await connections.list_connections(connection, limit=2)
    following = await connections.list_connections(connection, limit=10, after=page[-1].orcid)
    assert [each.orcid for each in page + following] == orcids
    [failing] = await connections.list_connections(connection, failing=True)
    assert (failing.orcid, failing.attempts, failing.last_error, failing.work_left) == (orcids[1], 3, "Busy", True)
    [leaving] = await connections.list_connections(connection, state="disconnecting")
    assert (leaving.orcid, leaving.lane) == (orcids[0], Lane.OPERATOR)
    chosen = await connections.list_connections(connection, orcids=orcids[2:4])
    assert [each.orcid for each in chosen] == orcids[2:4]
