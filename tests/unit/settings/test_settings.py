"""Settings: defaults, single values, and what belongs together. Where values come from: test_sources.py."""

import base64
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from orcid_sync.settings.environments import HOSTS
from orcid_sync.settings.secrets import secret_settings, secret_values
from orcid_sync.settings.settings import ConfigurationError, Settings

KEY = base64.b64encode(bytes(range(32))).decode()
SECRET = "canary-" + "s" * 32


def test_needs_nothing_to_be_looked_at() -> None:
    settings = Settings()

    assert settings.environment == "sandbox"
    assert settings.database_url is None
    assert settings.workers == 8


def test_reads_nothing_but_its_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKERS", "3")
    monkeypatch.setenv("ORCID_SYNC_WORKERS", "3")

    assert Settings().workers == 8


def test_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().workers = 9


@pytest.mark.parametrize("environment", ["production", "sandbox"])
def test_the_environment_says_where_orcid_is(environment: str) -> None:
    settings = Settings(environment=environment)

    assert (settings.api_url, settings.web_url) == (HOSTS[environment].api, HOSTS[environment].web)


@pytest.mark.fault("F45")
@pytest.mark.parametrize(
    ("given", "home"),
    [
        ({"environment": "production"}, "production"),
        ({"environment": "production", "api_url": "https://proxy.example.edu"}, "production"),
        ({}, "sandbox"),
        ({"environment": "custom", "api_url": "https://api.qa.orcid.org", "web_url": "https://qa.orcid.org"}, "qa"),
        ({"environment": "custom", "api_url": "http://127.0.0.1:8000", "web_url": "http://127.0.0.1:8000"}, None),
    ],
)
def test_the_environment_whose_ids_are_spoken_of(given: dict[str, str], home: str | None) -> None:
    assert Settings(**given).home == home  # type: ignore[arg-type]
    address = "https://sandbox.orcid.org/0000-0002-1825-0097"
    if home in ("sandbox", None):
        assert Settings(**given, canary_orcid=address).canary_orcid == "0000-0002-1825-0097"  # type: ignore[arg-type]
        return
    with pytest.raises(ValidationError, match=f"iD of ORCID's sandbox, but this is its {home}"):
        Settings(**given, canary_orcid=address)  # type: ignore[arg-type]


def test_an_address_can_be_given_for_any_environment() -> None:
    settings = Settings(environment="production", api_url="https://proxy.example.edu/orcid/")

    assert settings.api_url == "https://proxy.example.edu/orcid"
    assert settings.web_url == "https://orcid.org"


SANDBOX, PRODUCTION, PROXY = "https://api.sandbox.orcid.org", "https://orcid.org", "https://orcid.org.example.edu"


@pytest.mark.fault("F45")
@pytest.mark.invariant("S9")
@pytest.mark.parametrize(
    ("environment", "api_url", "web_url", "said"),
    [
        ("production", SANDBOX, "", "api_url: is an address of ORCID's sandbox, but environment is production"),
        ("sandbox", "", PRODUCTION, "web_url: is an address of ORCID's production, but environment is sandbox"),
        ("sandbox", "https://pub.orcid.org", "", "api_url: is an address of ORCID's production"),
        ("custom", SANDBOX, PRODUCTION, "are addresses of ORCID's sandbox and of its production"),
        ("custom", SANDBOX, PROXY, None),
        ("production", PROXY, PRODUCTION, None),
        ("sandbox", "https://pub.sandbox.orcid.org", "", None),
        ("production", "https://api.qa.orcid.org", "", "api_url: is an address of ORCID's qa, but environment is"),
    ],
)
def test_no_environment_is_mixed_with_another(environment: str, api_url: str, web_url: str, said: str | None) -> None:
    given = {"environment": environment, "api_url": api_url, "web_url": web_url}
    if said is None:
        Settings(**given)  # type: ignore[arg-type]
        return
    with pytest.raises(ValidationError) as caught:
        Settings(**given)  # type: ignore[arg-type]

    assert said in str(caught.value)


def test_a_custom_environment_needs_both_addresses() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(environment="custom")

    assert "api_url: give the address" in str(caught.value)
    assert "web_url: give the address" in str(caught.value)


@pytest.mark.parametrize(
    ("public_url", "environment", "accepted"),
    [
        ("https://orcid.example.edu", "production", True),
        ("http://orcid.example.edu", "production", False),
        ("http://orcid.example.edu", "sandbox", False),
        ("http://127.0.0.1:8080", "sandbox", True),
        ("http://[::1]:8080", "sandbox", True),
        ("http://localhost:8080", "sandbox", True),
        ("http://localhost.example.edu", "sandbox", False),
        ("http://daemon:8080", "custom", True),
        ("https://orcid.example.edu/hooks?x=1", "production", False),
        ("https://user:password@orcid.example.edu", "production", False),
        ("ftp://orcid.example.edu", "custom", False),
        ("orcid.example.edu", "custom", False),
        ("https://", "custom", False),
    ],
)
def test_the_public_address_is_https(*, public_url: str, environment: str, accepted: bool) -> None:
    hosts = {"api_url": "http://registry", "web_url": "http://registry"} if environment == "custom" else {}
    given: dict[str, Any] = {"public_url": public_url, "environment": environment, **hosts}

    if accepted:
        assert Settings(**given).public_url == public_url
    else:
        with pytest.raises(ValidationError):
            Settings(**given)


PAGES = {
    "institution": "Example University",
    "purpose": "Your publications appear in our bibliography.",
    "privacy_url": "https://www.example.edu/privacy?lang=en#orcid",
    "contact": "orcid@example.edu",
    "public_url": "https://orcid.example.edu",
}


def test_nobody_is_asked_without_being_told_by_whom_and_why() -> None:
    assert Settings(**PAGES).institution == "Example University"
    with pytest.raises(ValidationError) as caught:
        Settings(institution="Example University")

    assert all(f"{name}: is missing; the connect pages" in str(caught.value) for name in list(PAGES)[1:])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("privacy_url", "javascript:alert(1)"),
        ("privacy_url", "www.example.edu"),
        ("privacy_url", "https://user:secret@example.edu/"),
        ("institution_url", "data:text/html,x"),
        ("contact", "javascript:alert(1)@x"),
        ("contact", "the library"),
        ("contact", "a@b?bcc=everybody@example.edu"),
    ],
)
def test_links_on_the_pages_lead_to_web_pages_and_mailboxes(name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings(**PAGES | {name: value})


@pytest.mark.parametrize(
    ("host", "token", "accepted"),
    [
        ("127.0.0.1", None, True),
        ("127.8.0.1", None, True),
        ("::1", None, True),
        ("localhost", None, True),
        ("0.0.0.0", None, False),
        ("::", None, False),
        ("10.0.0.1", None, False),
        ("metrics.example.edu", None, False),
        ("0.0.0.0", SECRET, True),
        ("0.0.0.0", "short", False),
    ],
)
@pytest.mark.fault("F98")
def test_the_internal_listener_is_never_open_to_others(*, host: str, token: str | None, accepted: bool) -> None:
    given: dict[str, Any] = {"internal_host": host, "internal_token": token}

    if accepted:
        assert Settings(**given).internal_host == host
    else:
        with pytest.raises(ValidationError, match="internal_token"):
            Settings(**given)


@pytest.mark.parametrize(
    "key",
    [KEY, KEY.rstrip("="), base64.urlsafe_b64encode(b"\xff" * 32).decode(), base64.b64encode(b"\xff" * 32).decode()],
)
def test_accepts_a_key_in_any_base64(key: str) -> None:
    assert len(Settings(encryption_key=SecretStr(key)).key_ring["1"]) == 32


@pytest.mark.parametrize("key", ["", "short", KEY[:-4], KEY + "AAAA", "ä" * 43, "openssl rand -base64 32"])
def test_refuses_a_key_of_another_length(key: str) -> None:
    with pytest.raises(ValidationError, match="must be 32 bytes in base64"):
        Settings(encryption_key=SecretStr(key))


@pytest.mark.parametrize(
    "given", [{"1": KEY, "older": KEY}, f'{{"1": "{KEY}", "older": "{KEY}"}}'], ids=["table", "JSON"]
)
def test_keeps_older_keys_behind_the_present_one(given: Any) -> None:
    present = base64.b64encode(b"p" * 32).decode()

    settings = Settings(encryption_key=SecretStr(present), encryption_key_id="2", old_encryption_keys=given)

    assert settings.key_ring == {"2": b"p" * 32, "1": bytes(range(32)), "older": bytes(range(32))}
    assert list(settings.key_ring) == ["2", "1", "older"]
    assert set(secret_values(settings)) == {present, KEY}


def test_the_present_key_is_no_old_one() -> None:
    with pytest.raises(ValidationError, match="must not contain the present encryption_key_id"):
        Settings(encryption_key=SecretStr(KEY), old_encryption_keys={"1": SecretStr(KEY)})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("old_encryption_keys", {"1": "canary-no-key"}),
        ("old_encryption_keys", {"canary no id": KEY}),
        ("old_encryption_keys", "canary no JSON"),
        ("old_encryption_keys", '["canary"]'),
        ("old_encryption_keys", ["canary"]),
        ("webhook_secret", "canary-short"),
        ("internal_token", "canary-short"),
        ("encryption_key", "canary-no-key"),
        ("database_url", "mysql://canary@host/db"),
        ("client_secret", ""),
        ("workers", 0),
        ("public_port", 65_536),
        ("lease_seconds", 0),
        ("grace_seconds", -1),
        ("grace_seconds", float("nan")),
        ("requests_per_second", float("inf")),
        ("environment", "prod"),
        ("webhook_key_version", 32_768),
        ("encryption_key_id", "a.b"),
        ("log_level", "loud"),
        ("no_such_setting", "canary"),
    ],
)
@pytest.mark.fault("F87")
def test_refuses_a_bad_value_without_showing_it(name: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(**{name: value})

    assert name in str(caught.value)
    assert "canary" not in str(caught.value)


def test_forgives_capitals_of_the_level_and_expands_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")

    settings = Settings(log_level="INFO", data_dir=Path("~/pg"))  # type: ignore[arg-type]

    assert settings.log_level == "info"
    assert settings.data_dir == Path("/home/someone/pg")


def test_names_everything_that_is_missing_at_once() -> None:
    settings = Settings(client_id="APP-0123456789ABCDEF")

    with pytest.raises(ConfigurationError) as caught:
        settings.require(*settings.needed_to_serve)

    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "client_secret",
        "encryption_key",
        "public_url",
        "webhook_secret",
    ]
    assert "ORCID_SYNC_CLIENT_SECRET" in str(caught.value)


def test_needs_no_public_address_without_webhooks() -> None:
    assert "public_url" not in Settings(webhooks=False).needed_to_serve


@pytest.mark.fault("F98")
def test_knows_its_secrets_and_never_shows_them() -> None:
    settings = Settings(
        client_secret=SecretStr("nightingale"),
        webhook_secret=SecretStr(SECRET),
        database_url=SecretStr("postgresql://u:nightingale@h/d"),
        old_encryption_keys={"0": SecretStr(base64.b64encode(b"nightingale" * 2 + b"..........").decode())},
    )

    assert secret_settings() == [
        "client_secret",
        "webhook_secret",
        "old_webhook_secrets",
        "encryption_key",
        "old_encryption_keys",
        "database_url",
        "internal_token",
    ]
    for shown in (repr(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert not [secret for secret in secret_values(settings) if secret in shown]


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
