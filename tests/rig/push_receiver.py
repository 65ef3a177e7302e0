"""Receivers that verify and remember, and pushing step by step, without the loop, so that a test says when."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import asyncpg
import msgspec
from aiohttp import web
from standardwebhooks import Webhook

from orcid_sync.model.pushes.delivery import Result
from orcid_sync.service.pushes.delivery import Delivery
from orcid_sync.service.pushes.guarded_client import Rules, open_guarded_client
from orcid_sync.service.pushes.signed_messages import Message
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import Database
from orcid_sync.store.pushes import subscriptions
from orcid_sync.store.pushes.outbox import PushLease
from orcid_sync.store.pushes.subscriptions import Wish
from rig.records.mirror import apply_record, skeleton
from rig.records.sample_record import encode, keyword, with_keywords

VAULT = Vault({"1": b"k" * 32})
LOCAL = Rules(allowed=[ip_network("127.0.0.0/8")], plain_http=True)


@dataclass
class Received:
    """A message as it came."""

    id: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        return msgspec.json.decode(self.body)  # type: ignore[no-any-return]

    @property
    def seqs(self) -> list[int]:
        return [change["seq"] for change in self.message["data"]["changes"]]

    def verify(self, secret: str) -> Any:
        """As a receiver does it. Raises WebhookVerificationError."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """A server that takes messages, and answers as it is told."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Statuses of the next answers; then `status`."""
    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    patience: asyncio.Event | None = None
    """Set: no answer before it."""
    body: bytes = b""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.received.append(Received(request.headers["webhook-id"], dict(request.headers), await request.read()))
        if self.patience is not None:
            await self.patience.wait()
        status = self.answers.pop(0) if self.answers else self.status
        return web.Response(status=status, headers=self.headers, body=self.body)

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.received]

    @property
    def seqs(self) -> list[int]:
        """Of all messages in the order in which they came."""
        return [seq for one in self.received for seq in one.seqs]

    @property
    def changes(self) -> list[dict[str, Any]]:
        return [change for one in self.received for change in one.message["data"]["changes"]]


@asynccontextmanager
async def receiving(host: str = "127.0.0.1", certificate: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver()
    runner = web.ServerRunner(web.Server(receiver.handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0, ssl_context=certificate)
    await site.start()
    receiver.url = f"{'https' if certificate else 'http'}://{host}:{runner.addresses[0][1]}/orcid"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@dataclass
class PushBench:
    """One sender, moved by hand."""

    database: Database
    connection: asyncpg.Connection
    delivery: Delivery
    results: list[Result]

    async def subscribe(self, name: str, url: str, *, after: int | None = 0, **wish: Any) -> str:
        """Add a subscription; its secret."""
        made = Wish(**{"url": url, "origin": LOCAL.check_url(url), "view": "public", **wish})
        secret = await subscriptions.add(self.connection, VAULT, name, made, after=after)
        assert secret is not None
        return secret

    async def lease(self, *, proven: int = 100, doubtful: int = 100) -> list[tuple[PushLease, Message]]:
        """What is to be sent now."""
        return (await self.delivery.lease(proven=proven, doubtful=doubtful))[0]

    async def turn(self) -> int:
        """Send what is due now; the number of messages."""
        messages = await self.lease()
        for lease, message in messages:
            await self.delivery.deliver(lease, message)
        return len(messages)

    async def drain(self) -> int:
        """Send until nothing is due; the number of messages."""
        sent = 0
        for _ in range(1_000):
            messages, looked = await self.delivery.lease(proven=100, doubtful=100)
            for lease, message in messages:
                await self.delivery.deliver(lease, message)
            sent += len(messages)
            if not looked:
                return sent
        raise AssertionError("it never ends")

    async def wait_out(self) -> None:
        """Let all back-offs and pauses pass."""
        await self.connection.execute("update orcid_sync.push_progress set due_at = now()")
        await self.connection.execute("update orcid_sync.push_endpoints set paused_until = now()")

    async def fail_until_dead(self, tries: int = 20) -> None:
        """Try until nothing is tried any more."""
        for _ in range(tries):
            await self.wait_out()
            if not await self.turn():
                return

    async def load(self, name: str) -> subscriptions.Subscription:
        found = await subscriptions.load(self.connection, name)
        assert found is not None
        return found

    async def edit_record(self, orcid: str, *words: str, visibility: str = "public") -> None:
        """The record has these keywords now."""
        items = [keyword(number, word, visibility=visibility) for number, word in enumerate(words, 1)]
        await apply_record(self.database.worker, encode(with_keywords(skeleton(orcid), *items)), access="read-limited")

    async def append(self, orcids: Sequence[str], number: int, *, content: str = "x") -> None:
        """So many changes of keywords at once, of these iDs in turn."""
        async with self.connection.transaction():
            last = await self.connection.fetchval("select last from orcid_sync.feed_head for update")
            await self.connection.execute(
                "insert into orcid.changes (seq, orcid, section, key, op, visibility, cause, at)"
                " select $2 + n, ($1::text[])[n % cardinality($1::text[]) + 1], 'keyword', n::text, 'added', 'public',"
                " 'check', clock_timestamp() from generate_series(1, $3) n",
                orcids, last, number,
            )  # fmt: skip
            await self.connection.execute(
                "insert into orcid.change_contents (orcid, seq, side, visibility, content)"
                " select orcid, seq, 'new', 'public', jsonb_build_object('doc', $2::text) from orcid.changes"
                " where seq > $1",
                last, content,
            )  # fmt: skip
            await self.connection.execute("update orcid_sync.feed_head set last = last + $1", number)


@asynccontextmanager
async def push_bench(
    database: Database,
    connection: asyncpg.Connection,
    *,
    seconds: float = 2.0,
    chance: Callable[[], float] = lambda: 0.5,
) -> AsyncIterator[PushBench]:
    """A sender that reaches this machine."""
    results: list[Result] = []
    async with open_guarded_client(LOCAL, seconds=seconds) as courier:
        delivery = Delivery(
            pool=database.worker,
            courier=courier,
            vault=VAULT,
            seconds=seconds,
            spare_seconds=30,
            chance=chance,
            clock=lambda: datetime.now(UTC),
            counted=results.append,
        )
        yield PushBench(database, connection, delivery, results)
