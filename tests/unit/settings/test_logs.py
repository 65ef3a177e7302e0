"""Logs: one chain for our events and those of libraries; no secret passes, nothing acts on the terminal."""

import io
import json
import logging
import uuid
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import pytest
import structlog
from pydantic import SecretStr

from orcid_sync.settings.logs import configure_logging
from orcid_sync.settings.redaction import clean, format_exception, is_secret, redact, visible

TOKEN = str(uuid.UUID(int=0x1234567890ABCDEF1234567890ABCDEF))
HMAC = "3." + "aB-_" * 10 + "xyz"
KEY = "aB+/" * 10 + "xyz="
PLAIN = "canary without any pattern"
SECRETS = {
    "uuid": TOKEN,
    "callback token": HMAC,
    "invitation": f"17.1800000000.{HMAC[2:]}",
    "session": f"17.0000-0002-1694-233X.1800000000.{HMAC[2:]}",
    "encryption key": KEY,
    "known": PLAIN,
}


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Logging as it was, for the tests after this one."""
    root = logging.getLogger()
    before = (root.handlers, root.level)
    yield
    root.handlers, root.level = before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def stream() -> io.StringIO:
    """Where the logs go: JSON, the known secret given."""
    stream = io.StringIO()
    configure_logging("debug", "json", secrets=[PLAIN, "short"], stream=stream)
    return stream


def last(stream: io.StringIO) -> dict[str, Any]:
    """The last line, decoded."""
    decoded: dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
    return decoded


def test_an_event_is_one_line_with_time_level_and_name_first(stream: io.StringIO) -> None:
    structlog.get_logger().info("reconciled", orcid="0000-0002-1825-0097", changes=3, nested={"a": [1, None]})

    assert list(last(stream)) == ["timestamp", "level", "event", "orcid", "changes", "nested"]
    assert last(stream)["timestamp"].endswith("Z")
    assert last(stream)["nested"] == {"a": [1, None]}


def test_libraries_pass_the_same_chain(stream: io.StringIO) -> None:
    logging.getLogger("aiohttp.client").warning("sent %s", f"Authorization: Bearer {PLAIN}x")
    assert (last(stream)["logger"], last(stream)["level"]) == ("aiohttp.client", "warning")
    assert "canary" not in stream.getvalue()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logging("info", "json", stream=stream)
        warnings.warn("deprecated", stacklevel=1)
    assert last(stream)["logger"] == "py.warnings"


def test_levels(stream: io.StringIO) -> None:
    configure_logging("warning", "json", stream=stream)
    structlog.get_logger().info("hidden")
    logging.getLogger("apscheduler.scheduler").info("hidden")
    structlog.get_logger().warning("shown")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["shown"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "chosen", "is_json"),
    [
        (io.StringIO(), "auto", True),
        (Terminal(), "auto", False),
        (Terminal(), "json", True),
        (io.StringIO(), "console", False),
    ],
)
def test_console_on_a_terminal_json_elsewhere(*, stream: io.StringIO, chosen: str, is_json: bool) -> None:
    configure_logging("info", chosen, stream=stream)
    structlog.get_logger().info("started", port=8080)

    assert stream.getvalue().startswith("{") is is_json
    assert "started" in stream.getvalue()


def raised(make: Callable[[], BaseException]) -> BaseException:
    """The exception with a traceback through a frame that has the secrets as local variables."""
    token, plain = TOKEN, PLAIN
    try:
        try:
            raise KeyError(f"{token} {plain}")  # noqa: TRY301
        except KeyError as error:
            raise make() from error
    except BaseException as error:  # noqa: BLE001
        return error


def violation() -> asyncpg.PostgresError:
    """As the driver raises it: message, DETAIL and constraint."""
    error = asyncpg.UniqueViolationError("duplicate key value violates unique constraint")
    error.constraint_name = "emails_pkey"
    error.detail = f"Key (email)=({PLAIN}) already exists."
    return error


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.fault("F86", "F87")
def test_canaries_come_through_no_path(secret: str, form: str) -> None:
    """Every secret in every place where one could slip into a log."""
    stream = io.StringIO()
    configure_logging("debug", form, secrets=[PLAIN], stream=stream)
    log = structlog.get_logger()
    word = secret.replace(" ", "") + "x"
    callback = f"https://orcid.example.edu/webhooks/0000-0002-1825-0097/{word}"
    structlog.contextvars.bind_contextvars(bound=f"bound {secret}")
    try:
        log.info("event %s", secret, access_token=secret, Authorization=secret, code=secret, text=f"x {secret} y")
        log.info("nested", request={"headers": {"Authorization": secret}, "list": [secret, (secret,)]})
        log.info("objects", setting=SecretStr(secret), error=ValueError(secret), raw=secret.encode(), other={secret})
        log.info("address", path=callback, encoded=callback.replace("/", "%2F"))
        log.info("form", body=f"client_secret={word}&code={word}")
        log.error("failed", exc_info=raised(lambda: RuntimeError(f"Bearer {secret}")))
        log.error("database", exc_info=raised(violation))
        log.error("group", exc_info=raised(lambda: ExceptionGroup("several", [ValueError(secret)])))
        logging.getLogger("library").error("args %s", secret, exc_info=raised(lambda: OSError(secret)))
    finally:
        structlog.contextvars.clear_contextvars()

    assert secret not in stream.getvalue()
    assert word not in stream.getvalue()
    assert stream.getvalue().count("redacted") > 10


@pytest.mark.fault("F87")
def test_an_exception_shows_the_way_and_the_causes_but_no_variables(stream: io.StringIO) -> None:
    structlog.get_logger().error("failed", exc_info=raised(violation))

    text = last(stream)["exception"]
    assert "KeyError: '[redacted] [redacted]'\nwhich caused:\n" in text
    assert text.endswith("UniqueViolationError: sqlstate=23505 constraint=emails_pkey")
    assert "in raised" in text
    assert "DETAIL" not in text


def test_an_exception_that_is_its_own_cause_ends() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first

    assert format_exception(first).count("ValueError") == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain – ünïcödé 漢字", "plain – ünïcödé 漢字"),
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202ecba", "abc\\u202ecba"),
        ("lone \ud800", "lone \\ud800"),
    ],
)
@pytest.mark.fault("F55")
def test_nothing_acts_on_the_terminal(stream: io.StringIO, text: str, shown: str) -> None:
    structlog.get_logger().info("title", title=text)

    assert visible(text) == shown
    assert last(stream)["title"] == shown
    assert len(stream.getvalue().splitlines()) == 1


@pytest.mark.parametrize(
    "name", ["put_code", "status_code", "key", "section", "encryption_key_id", "scope", "error_code"]
)
def test_ordinary_names_are_shown(name: str) -> None:
    assert not is_secret(name)
    assert clean("value", name) == "value"


@pytest.mark.parametrize(
    "text",
    [
        "0000-0002-1825-0097",
        "https://orcid.org/0000-0002-1825-0097",
        "postgresql://host:5432/orcid",
        "/usr/lib/python3/site-packages/orcid_sync/registry/protocol",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "token: none was found"[:6],
        "state=disconnected",
        "17.1800000000.txt",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact(text) == text


def test_the_state_of_a_consent_is_hidden() -> None:
    state = HMAC[2:]

    assert state not in redact(f"https://orcid.org/oauth/authorize?state={state}&lang=de")


def test_counts_and_flags_of_secrets_are_shown() -> None:
    assert clean({"tokens": 3, "has_token": True, "token": None}) == {"tokens": 3, "has_token": True, "token": None}


def test_the_feeds_epoch_is_shown(stream: io.StringIO) -> None:
    structlog.get_logger().info("feed", epoch=TOKEN)

    assert last(stream)["epoch"] == TOKEN
