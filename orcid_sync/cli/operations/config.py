"""config and version: what this is and how it is set up."""

import platform
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import typer

from orcid_sync import __version__
from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, print_json, table, text
from orcid_sync.cli.base.session import Session

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_HEAD = """\
All settings of orcid-sync. Copy this file to config.toml or /etc/orcid-sync/config.toml and take away the # before each
setting that you change. The values shown are the defaults, or examples where there is no default. You can also give
each setting as an environment variable: ORCID_SYNC_ and its name in capitals. Secrets can stay in files of their own:
ORCID_SYNC_CLIENT_SECRET_FILE=/run/secrets/client_secret. The first of these that has a setting decides: flags,
environment, files of secrets, this file, defaults."""

config = typer.Typer(no_args_is_help=True, help="Show the settings.")


@command
def show(session: Session, *, json: Json = False) -> None:
    """Show every setting, its value and where the value comes from. Secrets are not shown."""
    values = _shown(session)
    origins = session.loaded.origins
    if json:
        print_json({name: {"value": value, "origin": origins[name]} for name, value in values.items()})
        return
    console().print(
        table(
            "setting",
            "value",
            "from",
            rows=((name, value, text(origins[name], "note")) for name, value in values.items()),
        )
    )


def _shown(session: Session) -> dict[str, Any]:
    from orcid_sync.settings.secrets import secret_settings  # noqa: PLC0415 - heavy

    values = session.settings.model_dump(mode="json")
    secrets = {name: "[redacted]" for name in secret_settings() if values[name] is not None}
    return values | secrets


def example() -> None:
    """Print an example configuration file that explains every setting.

    Example: orcid-sync config example > config.toml
    """
    typer.echo(render_example(), nl=False)


def render_example() -> str:
    """The content of config.example.toml."""
    from orcid_sync.settings.settings import Settings  # noqa: PLC0415 - heavy

    return "".join([_comment(_HEAD), *(_setting(name, field) for name, field in Settings.model_fields.items())])


def _setting(name: str, field: "FieldInfo") -> str:
    import msgspec  # noqa: PLC0415 - heavy

    value = field.examples[0] if field.examples else field.default

    def toml(value: Any) -> str:
        if isinstance(value, dict):
            return f"{{ {', '.join(f'{toml(key)} = {toml(item)}' for key, item in value.items())} }}"
        # JSON's strings, numbers and booleans are TOML's too.
        return msgspec.json.encode(value, enc_hook=str).decode()

    return f"\n{_comment(field.description or '')}# {name} = {toml(value)}\n"


def _comment(paragraph: str) -> str:
    return "".join(f"# {row}\n" for row in wrap(paragraph, 100))


def version(*, json: Json = False) -> None:
    """Print the version."""
    if json:
        print_json({"version": __version__, "python": platform.python_version()})
    else:
        typer.echo(f"orcid-sync {__version__} (Python {platform.python_version()})")


config.command("show")(show)
config.command("example")(example)
