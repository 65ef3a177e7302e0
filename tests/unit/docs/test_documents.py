"""What is written for people is complete and true: the documents and the configuration example follow the code."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from pydantic import ValidationError
from typer.main import get_command

from orcid_sync.cli.main import make_app
from orcid_sync.cli.operations.config import render_example
from orcid_sync.settings.secrets import secret_settings
from orcid_sync.settings.settings import Settings
from unit.docs.anchors import headings, titles

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "deploy" / "docs"
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = (DOCS / "commands.md").read_text("utf-8")
SETTINGS = (DOCS / "settings.md").read_text("utf-8")
DOCUMENTS = sorted(DOCS.glob("*.md"))
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "deploy").rglob("*.md"))]
APP = get_command(make_app())
EXAMPLE = (ROOT / "config.example.toml").read_text("utf-8")

# The examples of these say how to make one: whoever forgets to replace them is told so.
KEY = "A" * 43 + "="
MADE = {
    "webhook_secret": "s" * 32,
    "internal_token": "t" * 32,
    "encryption_key": KEY,
    "old_webhook_secrets": {"0": "s" * 32},
    "old_encryption_keys": {"0": KEY},
}


def commands(typers: typer.Typer, prefix: str = "") -> Iterator[str]:
    """Every command as it is typed."""
    for command in typers.registered_commands:
        yield prefix + (command.name or "")
    for group in typers.registered_groups:
        assert group.typer_instance is not None
        yield from commands(group.typer_instance, f"{prefix}{group.name} ")


def name_of(path: Path) -> str:
    """A page as the parameter of a test."""
    return str(path.relative_to(ROOT))


def named_commands(page: Path) -> list[str]:
    """What follows orcid-sync wherever the page has it as code."""
    text = page.read_text("utf-8")
    fences = re.findall(r"^ *```(\w*)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    blocks = [block for language, block in fences if language in {"", "sh", "console"}]
    lines = [re.split(r" [#>] |[;|] ", line)[0] for line in re.sub(r"\\\n", " ", "\n".join(blocks)).splitlines()]
    code = [*re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)), *lines]
    return [named for one in code for named in re.findall(r"^\s*(?:\$ )?orcid-sync (.+)", one)]


def uncommented(text: str) -> dict[str, object]:
    """The example as it is when every setting is set."""
    return tomllib.loads(re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE))


def test_the_example_is_what_the_command_prints() -> None:
    """After a change of the settings: orcid-sync config example > config.example.toml."""
    assert render_example() == EXAMPLE


def test_the_example_explains_every_setting() -> None:
    assert list(uncommented(EXAMPLE)) == list(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        before = EXAMPLE.partition(f"\n# {name} = ")[0].rpartition("\n\n")[2]
        assert " ".join(before.replace("# ", " ").split()) == field.description


def test_the_example_changes_nothing_until_it_is_edited() -> None:
    assert tomllib.loads(EXAMPLE) == {}


def test_every_value_of_the_example_is_valid() -> None:
    values = uncommented(EXAMPLE) | MADE | {"environment": "sandbox"}

    assert Settings(**values).client_id == "APP-0123456789ABCDEF"  # type: ignore[arg-type]


@pytest.mark.parametrize("name", MADE)
def test_a_secret_that_was_copied_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="make one with"):
        Settings(**{name: uncommented(EXAMPLE)[name]})  # type: ignore[arg-type]


def test_defaults_are_shown_as_they_are() -> None:
    shown = uncommented(EXAMPLE)

    for name, field in Settings.model_fields.items():
        if not field.examples:
            assert str(shown[name]) == str(field.default)


@pytest.mark.parametrize("command", list(commands(make_app())))
def test_the_reference_shows_every_command(command: str) -> None:
    assert re.search(rf"orcid-sync {command}\b", COMMANDS), f"orcid-sync {command} is missing from commands.md"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_and_option_that_is_named_exists(page: Path) -> None:
    for typed in named_commands(page):
        known, rest = APP, re.split(r"[\s|\\]+", typed)
        while hasattr(known, "commands") and rest and re.fullmatch(r"[a-z]+", rest[0]):
            assert rest[0] in known.commands, f"orcid-sync {typed}"
            known, rest = known.commands[rest[0]], rest[1:]
        if not hasattr(known, "commands"):
            options = {name for parameter in known.params for name in (*parameter.opts, *parameter.secondary_opts)}
            named = set(re.findall(r"--[a-z][a-z-]*", " ".join(rest)))
            assert named - options - {"--help"} == set(), f"orcid-sync {typed}"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_reference_has_every_setting_as_the_code_has_it(name: str) -> None:
    """After a change of a setting: copy what this says is missing into settings.md."""
    field = Settings.model_fields[name]
    default = "" if field.default in (None, "", ()) else f"`{field.default}`"
    default = default.lower() if isinstance(field.default, bool) else default
    secret = "*Secret.* " if name in secret_settings() else ""
    assert f"\n| `{name}` | {default} | {secret}{field.description} |\n" in SETTINGS


@pytest.mark.parametrize("alias", ["DATABASE_URL", "PORT", "LOG_LEVEL", "ORCID_SYNC_CONFIG", "_FILE"])
def test_the_reference_names_the_variables_that_follow_no_rule(alias: str) -> None:
    assert alias in SETTINGS


@pytest.mark.parametrize(("code", "meaning"), [(0, "ok"), (1, "failure"), (2, "usage")])
def test_the_reference_explains_the_exit_codes(code: int, meaning: str) -> None:
    assert re.search(rf"\b{code}\b[^.|\n]{{0,20}}{meaning}", COMMANDS)


def test_the_readme_takes_ten_minutes() -> None:
    assert len(README.splitlines()) <= 220


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_a_document_is_found_and_begins_with_what_it_answers(document: Path) -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    assert f"(deploy/docs/{document.name})" in README or f"({document.name})" in index
    assert re.match(r"# .+\n\n[A-Z][^|#`]{30}", document.read_text("utf-8"))


def test_every_benchmark_that_is_named_exists() -> None:
    named = set(re.findall(r"`(\w+\.py)", (DOCS / "speed.md").read_text("utf-8")))
    assert len(named) > 10
    assert named - {path.name for path in (ROOT / "tests" / "bench").rglob("*.py")} == set()


@pytest.mark.parametrize("folder", ["orcid_sync", "deploy", "tests"])
def test_every_document_that_is_named_exists(folder: str) -> None:
    """In messages, comments and alarms; and its section, if one is named."""
    for path in (ROOT / folder).rglob("*"):
        if path.suffix not in {".py", ".sql", ".html", ".yaml", ".json", ".sh", ".toml", ".md", ".service"}:
            continue
        for section, name in re.findall(r'(?:"([^"\n]+)" in )?(deploy/(?:\w+/)*\w+\.md)', path.read_text("utf-8")):
            assert (ROOT / name).exists(), f"{path}: {name}"
            assert not section or section in titles(ROOT / name), f"{path}: {section}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file of the project, and to a heading if one is named."""
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), target
        assert not anchor or anchor in headings(file), target


def test_no_secret_has_a_default() -> None:
    assert [name for name in secret_settings() if Settings.model_fields[name].default is not None] == []
