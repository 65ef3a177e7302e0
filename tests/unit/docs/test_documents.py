"""What is written for people is complete: the configuration example and the README follow the code."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from pydantic import ValidationError

from orcid_sync.cli.main import make_app
from orcid_sync.cli.operations.config import render_example
from orcid_sync.settings.secrets import secret_settings
from orcid_sync.settings.settings import Settings
from unit.docs.anchors import headings

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "deploy" / "docs").glob("*.md"))]
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
def test_the_readme_shows_every_command(command: str) -> None:
    assert re.search(rf"orcid-sync {command}\b", README), f"orcid-sync {command} is missing from README.md"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_readme_has_every_setting_in_its_table(name: str) -> None:
    assert re.search(rf"^\| *`{name}` *\|", README, re.MULTILINE), f"`{name}` is missing from the configuration table"


@pytest.mark.parametrize("alias", ["DATABASE_URL", "PORT", "LOG_LEVEL", "ORCID_SYNC_CONFIG", "_FILE"])
def test_the_readme_names_the_variables_that_follow_no_rule(alias: str) -> None:
    assert alias in README


@pytest.mark.parametrize(("code", "meaning"), [(0, "ok"), (1, "failure"), (2, "usage")])
def test_the_readme_explains_the_exit_codes(code: int, meaning: str) -> None:
    assert re.search(rf"\b{code}\b[^.|\n]{{0,20}}{meaning}", README)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """To a file of the project, and to a heading if one is named."""
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), target
        assert not anchor or anchor in headings(file), target


def test_no_secret_has_a_default() -> None:
    assert [name for name in secret_settings() if Settings.model_fields[name].default is not None] == []
