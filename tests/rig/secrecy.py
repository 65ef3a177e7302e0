"""No secret gets out: a pytest plugin that knows every secret of the session and reads whatever came out of each test.

Known are: every token, refresh token and code that a simulated Registry issues in this process, every secret of every
`Settings` that is made here or given to a child process (client secrets, webhook secrets, encryption keys, internal
tokens, passwords of databases), every token of a callback address, and everything that was sealed for the database.

Read are: what each test and the code under it wrote to stdout, stderr and logs (before our own redaction, where
logging is not set up: it is only the belt), what commands and child processes print, every answer of our own listeners,
and at the end of each test all rows of its database (invariant S12, faults F86 to F89).

A test that shows a secret on purpose says where, by the names of OUTLETS, and why:
`@pytest.mark.reveals("command", reason="…")`.
"""

import asyncio
import base64
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
import pytest
import structlog
import typer.testing
from aiohttp import web
from hypothesis import currently_in_test_context
from pydantic import SecretStr

from orcid_sync.registry import callbacks
from orcid_sync.service.http import listeners
from orcid_sync.settings.secrets import secret_settings, secret_values
from orcid_sync.settings.settings import Settings
from orcid_sync.settings.values import decode_key
from orcid_sync.simulator.base.tokens import TokenService
from orcid_sync.simulator.oauth.grants import Grants
from orcid_sync.simulator.webhooks.registrations import Webhooks
from orcid_sync.store.console import api_tokens
from orcid_sync.store.database.encryption import Vault

OUTLETS = ("stdout", "stderr", "log", "command", "process", "answer", "database")
"""Ways out; a marker that names another one is a mistake."""

SHORTEST = 8
"""A shorter secret would be found inside of ordinary words. Codes are shorter: they are looked for as whole words."""

MOST_ROWS = 2_000
"""Rows of one table that are read at the end of a test: what leaks there leaks in every row."""

EXAMPLES = (Path(__file__).parents[2] / "config.example.toml").read_text("utf-8")

# Secrets that are known by their look are looked up instead of searched for: there are thousands of them.
_LOOKS = [
    re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),  # tokens of ORCID
    re.compile(r"[0-9]{1,5}\.[A-Za-z0-9_-]{43}"),  # tokens of our callback addresses
    re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{6}(?![A-Za-z0-9])"),  # codes of ORCID
]

_TABLES = """
select format('%I.%I', n.nspname, c.relname) as name
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'm') and n.nspname !~ '^pg_|^information_schema$' and pg_relation_size(c.oid) > 0
"""


class Secrets:
    """What must not get out, with a word for what it is."""

    def __init__(self) -> None:
        self._looks: dict[str, str] = {}
        self._codes: dict[str, str] = {}
        self._phrases: dict[str, str] = {}

    def add(self, what: str, secret: str) -> None:
        """Know a secret from now on, also as it stands in addresses. What our own examples say is none."""
        if secret in EXAMPLES:
            return
        if any(look.fullmatch(secret) for look in _LOOKS[:2]):
            self._looks[secret] = what
        elif len(secret) >= SHORTEST:
            self._phrases |= dict.fromkeys((secret, quote(secret, safe="")), what)

    def add_code(self, code: str) -> None:
        """Know a code until the end of the test: six letters are too few for longer."""
        self._codes[code] = "authorization code"

    def forget_codes(self) -> None:
        """The next test begins."""
        self._codes.clear()

    def found_in(self, text: str) -> Iterator[tuple[str, str]]:
        """The secrets in a text: what it is, and the place where it stands without it."""
        known = self._looks | self._codes
        hits = {match.group() for look in _LOOKS for match in look.finditer(text) if match.group() in known}
        for secret in sorted(hits | {phrase for phrase in self._phrases if phrase in text}):
            what = known.get(secret) or self._phrases[secret]
            before, _, after = text.partition(secret)
            yield what, f"…{before[-60:]}<{what}>{after[:40].replace(secret, '<again>')}…"


class Outlets:
    """What came out since the last look."""

    def __init__(self) -> None:
        self._texts: set[tuple[str, str]] = set()
        self._streams: list[bytearray] = []
        self._files: set[Path] = set()

    def add(self, outlet: str, text: str | bytes | None) -> None:
        """Something came out."""
        if text:
            self._texts.add((outlet, text if isinstance(text, str) else text.decode(errors="replace")))

    def add_file(self, file: Any) -> None:
        """A child process writes into this file, if it is one."""
        if isinstance(name := getattr(file, "name", None), str):
            self._files.add(Path(name))

    def tap(self, reader: asyncio.StreamReader | None) -> None:
        """Read along what a child process writes into a pipe."""
        if reader is None:
            return
        stream, feed = bytearray(reader._buffer), reader.feed_data  # type: ignore[attr-defined]
        self._streams.append(stream)

        def feed_both(data: bytes) -> None:
            stream.extend(data)
            feed(data)

        reader.feed_data = feed_both  # type: ignore[method-assign]

    def drain(self) -> set[tuple[str, str]]:
        """Everything that came out since the last time."""
        for path in self._files:
            if path.is_file():
                self.add("process", path.read_bytes())
        for stream in self._streams:
            self.add("process", bytes(stream))
        texts, self._texts, self._streams, self._files = self._texts, set(), [], set()
        return texts


secrets = Secrets()
outlets = Outlets()


async def read_database(dsn: str) -> None:
    """Let the rows of a database come out; one that cannot be reached any more has none."""
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return
    try:
        for table in await connection.fetch(_TABLES):
            rows = await connection.fetch(f"select t::text from {table['name']} as t limit {MOST_ROWS}")
            outlets.add("database", f"{table['name']}\n" + "\n".join(row[0] for row in rows))
    finally:
        await connection.close()


def learn_settings(settings: Settings) -> None:
    """Know the secrets of an installation, in every form in which one could be written down."""
    for secret in secret_values(settings):
        learn_setting(secret)
    if settings.client_id and settings.client_secret:
        pair = f"{settings.client_id}:{settings.client_secret.get_secret_value()}"
        secrets.add("client secret in base64", base64.b64encode(pair.encode()).decode())


def learn_setting(secret: str) -> None:
    """Know one secret setting: of an address only its password is one; a key has several forms."""
    if secret.startswith(("postgres://", "postgresql://")):
        secrets.add("database password", urlsplit(secret).password or "")
        return
    secrets.add("setting", secret)
    key = decode_key(SecretStr(secret))
    if len(key) == 32 and any(key):
        forms = (base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode(), key.hex(), repr(key)[2:-1])
        for form in forms:
            secrets.add("encryption key", form.rstrip("="))


def learn_environment(env: Any) -> None:
    """Know the secrets that a child process is given."""
    names = {f"ORCID_SYNC_{name.upper()}" for name in secret_settings()} | {"DATABASE_URL"}
    for name in names & set(env or {}):
        learn_setting(str(env[name]))


def pytest_configure(config: pytest.Config) -> None:
    """Listen wherever secrets are made and wherever something comes out."""
    config.addinivalue_line("markers", "reveals(*outlets, reason): this test shows a secret there on purpose")
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    _listen_where_secrets_are_made(patch)
    _listen_where_something_comes_out(patch)


def _listen_where_secrets_are_made(patch: pytest.MonkeyPatch) -> None:
    _after(patch, Settings, "__init__", lambda _result, settings, **_values: learn_settings(settings))
    _after(patch, TokenService, "issue", lambda token, *_a, **_k: _learn_token(token))
    _after(patch, Grants, "offer", lambda code, *_a, **_k: secrets.add_code(code.text))
    _after(patch, callbacks, "_token", lambda token, *_a: secrets.add("callback token", token))
    _after(patch, Webhooks, "put", lambda _new, _self, _orcid, segment, *_a: _learn_callback(segment))
    _after(patch, api_tokens, "new_token", lambda token: secrets.add("token or cookie of the internal listener", token))
    _after(patch, Vault, "seal", lambda _sealed, _self, plaintext, **_k: _learn_sealed(plaintext))


def _learn_token(token: Any) -> None:
    secrets.add("access token", token.text)
    secrets.add("refresh token", token.refresh)


def _learn_callback(segment: str) -> None:
    last = re.split(r"/|%2F", segment, flags=re.IGNORECASE)[-1]
    if _LOOKS[1].fullmatch(last):
        secrets.add("callback token", last)


def _learn_sealed(plaintext: str) -> None:
    if not currently_in_test_context():  # the arbitrary texts of property tests are ordinary words, too
        secrets.add("sealed token", plaintext)


def _listen_where_something_comes_out(patch: pytest.MonkeyPatch) -> None:
    _after(patch, structlog.testing.LogCapture, "__call__", None, before=_note_event)
    _after(patch, pytest.CaptureFixture, "readouterr", lambda read, _self: _note_captured(read))
    _after(patch, typer.testing.CliRunner, "invoke", lambda result, *_a, **_k: outlets.add("command", result.output))
    _after(patch, subprocess.Popen, "__init__", None, before=_note_child)
    _after(patch, subprocess.Popen, "communicate", lambda read, *_a, **_k: [outlets.add("process", r) for r in read])
    patch.setattr(asyncio, "create_subprocess_exec", _listened(asyncio.create_subprocess_exec))
    _after(patch, listeners, "_listening", None, before=_note_answers)


def _after(patch: pytest.MonkeyPatch, owner: Any, name: str, then: Any, *, before: Any = None) -> None:
    """Let `before` see the arguments of a function, and `then` its result and its arguments."""
    original = getattr(owner, name)

    def listened(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            before(*args, **kwargs)
        result = original(*args, **kwargs)
        if then is not None:
            then(result, *args, **kwargs)
        return result

    patch.setattr(owner, name, listened)


def _note_event(_capture: Any, _logger: Any, _method: str, event: dict[str, Any]) -> None:
    outlets.add("log", repr(event))


def _note_captured(read: Any) -> None:
    outlets.add("stdout", read.out)
    outlets.add("stderr", read.err)


def _note_child(_process: Any, *_arguments: Any, **options: Any) -> None:
    learn_environment(options.get("env"))
    for stream in ("stdout", "stderr"):
        outlets.add_file(options.get(stream))


def _listened(create: Any) -> Any:
    async def listened(*arguments: Any, **options: Any) -> Any:
        _note_child(None, **options)
        process = await create(*arguments, **options)
        outlets.tap(process.stdout)
        outlets.tap(process.stderr)
        return process

    return listened


def _note_answers(runner: web.BaseRunner, *_arguments: Any) -> None:
    """See every answer of one of our listeners, be it an application or a plain handler."""
    if isinstance(runner, web.AppRunner):

        async def sent(_request: web.BaseRequest, response: web.StreamResponse) -> None:
            _note_answer(response)

        runner.app.on_response_prepare.append(sent)
        return
    server: Any = runner._web_server  # type: ignore[attr-defined]
    handler = server.request_handler

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        response = await handler(request)
        _note_answer(response)
        return response  # type: ignore[no-any-return]

    server.request_handler = handle


def _note_answer(response: web.StreamResponse) -> None:
    headers = "".join(f"{name}: {value}\n" for name, value in response.headers.items())
    body = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""
    outlets.add("answer", f"{headers}\n{body.decode(errors='replace')}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """At the end of each test, look at everything that came out of it."""
    report: pytest.TestReport = yield
    if report.when == "teardown":
        for title, text in report.sections:
            outlets.add(title.split()[1], text)
        if leaks := sorted(_leaks(item)):
            said = "A secret got out (tests/rig/secrecy.py):\n" + "\n".join(leaks)
            report.sections.append(("Secrecy", said))
            if report.passed:
                report.outcome, report.longrepr = "failed", said
    return report


def _leaks(item: pytest.Item) -> Iterator[str]:
    allowed = {outlet for mark in item.iter_markers("reveals") for outlet in mark.args}
    assert allowed <= set(OUTLETS), f"no such outlet: {allowed - set(OUTLETS)}"
    for outlet, text in outlets.drain():
        if outlet not in allowed:
            yield from (f"{what} in {outlet}: {place}" for what, place in secrets.found_in(text))
    secrets.forget_codes()
