"""The connect pages as people meet them: a service beside a simulated Registry, a browser, a researcher who decides."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import asyncpg
import pytest
import yarl

from orcid_sync.daemon.serve import Part
from orcid_sync.model.ids import Orcid
from orcid_sync.service.consent.signed_links import Link, LinkSigner
from orcid_sync.settings.settings import Settings
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.consent.invitations import Person, invite
from orcid_sync.store.database.encryption import Vault
from rig.researcher import Researcher
from rig.service.daemon import serving
from rig.service.settings import settings_for

ERIKA, MAX, STRANGER = (Orcid(numbered_orcid(6_000_001 + number)) for number in range(3))
PAGES = {
    "institution": "Example University",
    "institution_url": "https://www.example.edu",
    "purpose": "Your publications appear in the university bibliography.",
    "privacy_url": "https://www.example.edu/privacy",
    "contact": "orcid@example.edu",
}


@dataclass(frozen=True)
class Seen:
    """An answer of ours."""

    status: int
    headers: Any
    text: str

    @property
    def title(self) -> str:
        found = re.search(r"<h1>(.*?)</h1>", self.text)
        return found[1] if found else ""

    @property
    def location(self) -> str:
        return str(self.headers["Location"])

    @property
    def fields(self) -> dict[str, str]:
        """The hidden fields of its form."""
        return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', self.text))


class Browser:
    """A browser at our pages: it keeps cookies and follows nothing by itself. At ORCID the researcher has another."""

    def __init__(self, http: aiohttp.ClientSession, orcid_http: aiohttp.ClientSession) -> None:
        self.http = http
        self._researcher = Researcher(orcid_http)

    async def get(self, address: str, **options: Any) -> Seen:
        return await self.send("GET", address, **options)

    async def send(self, method: str, address: str, **options: Any) -> Seen:
        async with self.http.request(
            method, yarl.URL(address, encoded=True), allow_redirects=False, **options
        ) as answer:
            return Seen(answer.status, answer.headers.copy(), await answer.text())

    async def press(self, link: str, way: str = "sign-in", **options: Any) -> str:
        """Press a button of the invitation: the address at ORCID."""
        sent_off = await self.send("POST", link, data={"way": way}, **options)
        assert sent_off.status == 303, sent_off.text
        return sent_off.location

    async def decide(self, address: str, orcid: str, decision: str = "allow") -> str:
        """Sign in at ORCID and decide: the address back to us."""
        self._researcher.orcid = orcid
        back = await self._researcher.decide(address, decision)
        assert isinstance(back, str), back.text
        return back

    async def follow(self, back: str) -> Seen:
        """Come back: the page to which we lead on."""
        returned = await self.get(back)
        assert (returned.status, returned.text) == (303, "")
        return await self.get(returned.location)

    async def connect(self, link: str, orcid: str, decision: str = "allow") -> Seen:
        """The whole way, from the button to the page at its end."""
        address = await self.press(link)
        return await self.follow(await self.decide(address + "&prompt=confirm", orcid, decision))

    def cookies(self) -> dict[str, str]:
        return {cookie.key: cookie.value for cookie in self.http.cookie_jar}


@dataclass
class Asking:
    """A service that asks people, beside a simulated Registry."""

    registry: SimulatedRegistry
    settings: Settings
    connection: asyncpg.Connection
    browser: Browser

    @property
    def url(self) -> str:
        return self.settings.public_url or ""

    @property
    def tickets(self) -> LinkSigner:
        return LinkSigner(Vault(self.settings.key_ring).derive, self.settings.environment)

    async def invite(self, person_id: str = "p1", *, days: int = 60, **fields: Any) -> str:
        """Invite somebody: the link."""
        ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=days)
        person = Person(person_id=person_id, **fields)
        invited = await invite(self.connection, [person], expires_at=ends, again=True)
        return self.link(invited[person_id].number, ends)

    def link(self, number: int, ends: datetime) -> str:
        return f"{self.url}/connect/{self.tickets.invitation(Link(number, int(ends.timestamp())))}"

    def exchanges(self) -> list[int]:
        """The statuses of all exchanges of codes that the Registry answered."""
        return [request.status for request in self.registry.journal.requests if request.endpoint == "token-code"]

    def tokens(self, orcid: str) -> list[Any]:
        """Those that the Registry gave for this iD."""
        return [token for token in self.registry.token_service.tokens.values() if token.orcid == orcid]

    async def row(self, query: str, *values: Any) -> dict[str, Any]:
        return dict(await self.connection.fetchrow(query, *values))

    async def invitation(self, person_id: str = "p1") -> dict[str, Any]:
        return await self.row("select * from orcid_sync.invitations where person_id = $1", person_id)

    async def events(self) -> list[tuple[str, str | None, str, str]]:
        """The consent ledger."""
        rows = await self.connection.fetch("select event, orcid, by, learnt from orcid_sync.consents order by number")
        return [tuple(row) for row in rows]

    async def nothing_happened(self) -> bool:
        """Whether there is no connection, no token, no entry in the ledger."""
        tables = ("connections", "tokens", "retired_tokens", "consents")
        counts = [await self.connection.fetchval(f"select count(*) from orcid_sync.{table}") for table in tables]
        return not any(counts)


def query_of(address: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


@asynccontextmanager
async def asking_service(
    registry: SimulatedRegistry, dsn: str, connection: asyncpg.Connection, *, only: Part | None = "web", **settings: Any
) -> AsyncIterator[Asking]:
    """The service with its pages. Two people are known to the Registry, and somebody else."""
    for orcid, name in ((ERIKA, "Erika"), (MAX, "Max"), (STRANGER, "Lieschen")):
        registry.edit.create_record(orcid, given_names=name, family_name="Mustermann")
    registry.token_service.clients[CLIENT_ID].local_callbacks = True
    chosen = settings_for(registry, **PAGES | settings)
    async with (
        serving(chosen, dsn, only=only),
        browser() as opened,
    ):
        yield Asking(registry, chosen, connection, opened)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=aiohttp.ClientTimeout(total=15), auto_decompress=False
        )

    async with session() as ours, session() as theirs:
        yield Browser(ours, theirs)


@pytest.fixture
async def asking(registry: SimulatedRegistry, dsn: str, connection: asyncpg.Connection) -> AsyncIterator[Asking]:
    """The pages alone: the workers are another process."""
    async with asking_service(registry, dsn, connection) as asking:
        yield asking
