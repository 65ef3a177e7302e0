"""Where settings come from: flags > environment > *_FILE secrets > config.toml > defaults, and what is said."""

from pathlib import Path

import pytest

from orcid_sync.settings.settings import ConfigurationError
from orcid_sync.settings.sources import load_settings

SECRET = "canary-" + "s" * 32


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no file of this machine plays a part."""
    import os

    for name in [n for n in os.environ if n.startswith("ORCID_SYNC_") or n in {"DATABASE_URL", "PORT", "LOG_LEVEL"}]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def problems(*, config_file: Path | None = None, **flags: str) -> list[str]:
    """What is wrong with the present sources."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(flags, config_file=config_file)
    assert "canary" not in str(caught.value)
    return caught.value.problems


def test_each_source_outranks_the_next(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sources are added from the lowest to the highest; each new one wins, and the origin says so."""

    def secret() -> tuple[str, str]:
        loaded = load_settings({})
        value = loaded.settings.webhook_secret
        return (value.get_secret_value()[-1] if value else "", loaded.origins["webhook_secret"])

    assert secret() == ("", "default")
    Path("config.toml").write_text(f'webhook_secret = "{SECRET}1"')
    assert secret() == ("1", "config.toml")
    (tmp_path / "secret").write_text(f"\n{SECRET}2\n")
    monkeypatch.setenv("ORCID_SYNC_WEBHOOK_SECRET_FILE", str(tmp_path / "secret"))
    assert secret() == ("2", f"file {tmp_path / 'secret'}")
    monkeypatch.setenv("ORCID_SYNC_WEBHOOK_SECRET", f"{SECRET}3")
    assert secret() == ("3", "environment ORCID_SYNC_WEBHOOK_SECRET")

    loaded = load_settings({"webhook_secret": f"{SECRET}4"})
    assert loaded.settings.webhook_secret.get_secret_value()[-1] == "4"  # type: ignore[union-attr]
    assert loaded.origins["webhook_secret"] == "command line"


@pytest.mark.parametrize(
    ("setting", "alias", "value"),
    [
        ("public_port", "PORT", "81"),
        ("log_level", "LOG_LEVEL", "debug"),
        ("database_url", "DATABASE_URL", "postgresql:///a"),
    ],
)
def test_knows_the_usual_variables(monkeypatch: pytest.MonkeyPatch, setting: str, alias: str, value: str) -> None:
    monkeypatch.setenv(alias, value)
    assert load_settings({}).origins[setting] == f"environment {alias}"

    own = f"ORCID_SYNC_{setting.upper()}"
    monkeypatch.setenv(own, value)
    assert load_settings({}).origins[setting] == f"environment {own}"


def test_older_keys_come_from_every_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As a table in config.toml, as JSON in a variable and in a file; what came from one source replaces another's."""
    key = "A" * 43 + "="

    def known() -> list[str]:
        return sorted(load_settings({}).settings.old_encryption_keys or {})

    Path("config.toml").write_text(f'[old_encryption_keys]\na = "{key}"\nb = "{key}"')
    assert known() == ["a", "b"]
    (tmp_path / "ring.json").write_text(f'{{"c": "{key}"}}\n')
    monkeypatch.setenv("ORCID_SYNC_OLD_ENCRYPTION_KEYS_FILE", str(tmp_path / "ring.json"))
    assert known() == ["c"]
    monkeypatch.setenv("ORCID_SYNC_OLD_ENCRYPTION_KEYS", f'{{"d": "{key}"}}')
    assert known() == ["d"]


def test_an_empty_variable_is_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCID_SYNC_WORKERS", "")

    assert load_settings({}).settings.workers == 8


def test_the_file_is_named_by_flag_before_variable_before_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, workers in (("config.toml", 11), ("variable.toml", 12), ("flag.toml", 13)):
        (tmp_path / name).write_text(f"workers = {workers}")

    assert load_settings({}).settings.workers == 11
    monkeypatch.setenv("ORCID_SYNC_CONFIG", str(tmp_path / "variable.toml"))
    assert load_settings({}).settings.workers == 12
    assert load_settings({}, config_file=tmp_path / "flag.toml").settings.workers == 13


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("databse_url = 'x'", "there is no setting databse_url; did you mean database_url?"),
        ("[zzz]\nq = 1", "there is no setting zzz."),
        ("workers = ", "is not valid TOML: Invalid value (at end of document)"),
        ("workers = 'canary'", "workers (config.toml): must be a whole number."),
        ("workers = 2.5", "workers (config.toml): must be a whole number."),
        ("workers = 0", "workers (config.toml): must be 1 or more."),
        ("public_port = 70000", "public_port (config.toml): must be 65535 or less."),
        ("lease_seconds = 0", "lease_seconds (config.toml): must be more than 0."),
        ("webhooks = 'canary'", "webhooks (config.toml): must be true or false."),
        ("environment = 'canary'", "environment (config.toml): must be 'production', 'sandbox' or 'custom'."),
        ("client_id = 5", "client_id (config.toml): must be text, in quotes."),
        ("client_secret = ''", "client_secret (config.toml): must not be empty."),
        ("webhook_secret = 'canary'", "webhook_secret (config.toml): must have at least 32 characters; make one with"),
        ("api_url = 'canary'", "api_url (config.toml): must be an address such as https://orcid.example.edu"),
        ("data_dir = 5", "data_dir (config.toml): must be text, in quotes."),
        ("old_encryption_keys = 'canary'", "old_encryption_keys (config.toml): must be a table of ids and keys"),
        ("old_encryption_keys.1 = 'canary'", "old_encryption_keys (config.toml): must be 32 bytes in base64"),
        ("old_encryption_keys.'can ary' = ''", "old_encryption_keys (config.toml): must have ids of at most 32"),
        ("encryption_key_id = 'a b'", "encryption_key_id (config.toml): must consist of at most 32 letters"),
    ],
)
def test_says_what_to_do(text: str, said: str) -> None:
    Path("config.toml").write_text(text)

    [problem] = problems()

    assert said in problem


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    assert problems(config_file=tmp_path / "none.toml") == [
        f"{tmp_path / 'none.toml'}: cannot be read: No such file or directory."
    ]


def test_forgives_a_byte_order_mark_and_refuses_other_encodings() -> None:
    Path("config.toml").write_bytes("workers = 3".encode("utf-8-sig"))
    assert load_settings({}).settings.workers == 3

    Path("config.toml").write_bytes("client_id = 'canary\xe4'".encode("latin-1"))
    assert problems() == ["config.toml: is not valid TOML: it is not text in UTF-8."]


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ("ORCID_SYNC_WEBHOOK_SECRT", "there is no such setting; did you mean ORCID_SYNC_WEBHOOK_SECRET?"),
        ("ORCID_SYNC_WORKERS_FILE", "there is no such setting; did you mean ORCID_SYNC_WORKERS?"),
        ("ORCID_SYNC_QQ", "there is no such setting"),
    ],
)
def test_names_an_unknown_variable_and_the_nearest_one(
    monkeypatch: pytest.MonkeyPatch, variable: str, said: str
) -> None:
    monkeypatch.setenv(variable, "canary")

    [problem] = problems()

    assert problem.startswith(f"{variable}: {said}")


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file or directory"), (b" \n", "it is empty"), (b"canary\xff", "it is not text in UTF-8")],
)
def test_a_secret_file_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("ORCID_SYNC_CLIENT_SECRET_FILE", str(path))

    assert problems() == [f"ORCID_SYNC_CLIENT_SECRET_FILE: cannot use the file {path}: {said}."]


def test_all_problems_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown names, single values, and what does not go together, in one message."""
    Path("config.toml").write_text("workrs = 3\nburst = 0\nenvironment = 'custom'\napi_url = 'http://api'")
    monkeypatch.setenv("ORCID_SYNC_INTERNAL_HOST", "0.0.0.0")
    monkeypatch.setenv("ORCID_SYNC_PUBLC_URL", "https://x")

    assert [problem.partition(":")[0] for problem in problems(public_port="x")] == [
        "ORCID_SYNC_PUBLC_URL",
        "config.toml",
        "public_port (command line)",
        "burst (config.toml)",
        "web_url",
        "internal_token",
    ]


def test_service_links_of_kubernetes_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ORCID_SYNC_SERVICE_HOST": "10.0.0.1",
        "ORCID_SYNC_SERVICE_PORT_HTTP": "8080",
        "ORCID_SYNC_PORT": "tcp://10.0.0.1:8080",
        "ORCID_SYNC_PORT_8080_TCP_ADDR": "10.0.0.1",
        "ORCID_SYNC_INTERNAL_SERVICE_PORT": "9090",
        "ORCID_SYNC_INTERNAL_PORT": "tcp://10.0.0.2:9090",
    }.items():
        monkeypatch.setenv(name, value)

    assert load_settings({}).settings.internal_port == 9090
