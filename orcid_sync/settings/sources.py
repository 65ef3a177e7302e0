"""Where the values of the settings come from: flags > environment > *_FILE secrets > config.toml > defaults."""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orcid_sync.settings.secrets import secret_settings
from orcid_sync.settings.settings import ConfigurationError, Settings

PREFIX = "ORCID_SYNC_"
CONFIG_VARIABLE = "ORCID_SYNC_CONFIG"
CONFIG_FILES = (Path("config.toml"), Path("/etc/orcid-sync/config.toml"))

# Kubernetes puts the addresses of services into the environment of every pod; a service called orcid-sync or
# orcid-sync-internal would otherwise be taken for settings.
_SERVICE_LINK = re.compile(
    PREFIX + r"(?:.*_)?(?:SERVICE_HOST|SERVICE_PORT(?:_.*)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
_SERVICE_ADDRESS = re.compile(r"(?:tcp|udp|sctp)://")

# What pydantic finds wrong, by its error type, as an instruction.
_SENTENCES = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text, in quotes",
    "path_type": "must be text, in quotes",
    "literal_error": "must be {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must consist of at most 32 letters, digits, hyphens and underscores",
    "value_error": "{error}",
}


class Found(msgspec.Struct, frozen=True):
    """A value, not yet checked, and where it was found."""

    value: Any
    origin: str


class Loaded(msgspec.Struct, frozen=True):
    """The settings, and for each of them where its value comes from."""

    settings: Settings
    origins: dict[str, str]


def load_settings(flags: Mapping[str, Any], *, config_file: Path | None = None) -> Loaded:
    """Gather the settings from all sources and check them.

    `flags` are values of the command line by the setting's name; None means not given. Raises ConfigurationError with
    all problems at once.
    """
    problems: list[str] = []
    environ = {name: value for name, value in os.environ.items() if not _is_service_link(name, value)}
    problems += _unknown_variables(environ)
    found = _from_toml(_config_path(config_file, environ), problems)
    found |= _from_files(environ, problems)
    found |= _from_environment(environ)
    found |= {name: Found(value, "command line") for name, value in flags.items() if value is not None}
    settings, invalid = _validate(found)
    if settings is None or problems + invalid:
        raise ConfigurationError(problems + invalid)
    origins = {name: found[name].origin if name in found else "default" for name in Settings.model_fields}
    return Loaded(settings, origins)


def variables(name: str) -> tuple[str, ...]:
    """The environment variables of a setting, the one that counts first."""
    extra = Settings.model_fields[name].json_schema_extra
    alias = extra.get("alias") if isinstance(extra, dict) else None
    return (PREFIX + name.upper(), *([str(alias)] if alias else []))


def _is_service_link(name: str, value: str) -> bool:
    return name.startswith(PREFIX) and bool(_SERVICE_LINK.fullmatch(name) or _SERVICE_ADDRESS.match(value))


def _from_environment(environ: Mapping[str, str]) -> dict[str, Found]:
    return {
        name: Found(environ[variable], f"environment {variable}")
        for name in Settings.model_fields
        for variable in reversed(variables(name))
        if environ.get(variable)  # an empty variable is how compose files say "not set"
    }


def _from_files(environ: Mapping[str, str], problems: list[str]) -> dict[str, Found]:
    found = {}
    for name in secret_settings():
        for variable in reversed([v + "_FILE" for v in variables(name)]):
            if path := environ.get(variable):
                try:
                    found[name] = Found(_secret(Path(path)), f"file {path}")
                except (OSError, UnicodeDecodeError, ValueError) as error:
                    reason = error.strerror if isinstance(error, OSError) else str(error)
                    problems.append(f"{variable}: cannot use the file {path}: {reason}.")
    return found


def _secret(path: Path) -> str:
    try:
        text = path.read_text("utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError("it is not text in UTF-8") from None  # the original error quotes the bytes
    if not text:
        raise ValueError("it is empty")
    return text


def _config_path(given: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The configuration file: what was named must exist, the usual places may lack it."""
    if given is not None:
        return given
    if named := environ.get(CONFIG_VARIABLE):
        return Path(named)
    return next((path for path in CONFIG_FILES if path.is_file()), None)


def _from_toml(path: Path | None, problems: list[str]) -> dict[str, Found]:
    if path is None:
        return {}
    try:
        content = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        problems.append(f"{path}: cannot be read: {error.strerror}.")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # A TOML error names line and column and quotes at most one character; a decoding error quotes the bytes.
        reason = error if isinstance(error, tomllib.TOMLDecodeError) else "it is not text in UTF-8"
        problems.append(f"{path}: is not valid TOML: {reason}.")
        return {}
    unknown = content.keys() - Settings.model_fields.keys()
    problems += [f"{path}: there is no setting {key}{_nearest(key, Settings.model_fields)}" for key in sorted(unknown)]
    return {name: Found(value, str(path)) for name, value in content.items() if name not in unknown}


def _unknown_variables(environ: Mapping[str, str]) -> list[str]:
    known = {CONFIG_VARIABLE} | {PREFIX + name.upper() for name in Settings.model_fields}
    known |= {f"{PREFIX}{name.upper()}_FILE" for name in secret_settings()}
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    return [f"{name}: there is no such setting{_nearest(name, known)}" for name in unknown]


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else "."


def _validate(found: Mapping[str, Found]) -> tuple[Settings | None, list[str]]:
    """The settings, or None and what is wrong: with single values and, the wrong ones left out, between them."""
    try:
        return Settings(**{name: item.value for name, item in found.items()}), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    wrong = {str(detail["loc"][0]) for detail in details if detail["loc"]}
    problems = [line for detail in details for line in _sentence(detail, found).splitlines()]
    if wrong & found.keys():
        rest = {name: item for name, item in found.items() if name not in wrong}
        problems += [p for p in _validate(rest)[1] if p.partition(":")[0] not in wrong]
    return None, problems


def _sentence(detail: ErrorDetails, found: Mapping[str, Found]) -> str:
    context = detail.get("ctx", {})
    text = _SENTENCES.get(detail["type"], detail["msg"]).format(**context)
    if not detail["loc"]:
        return text
    name = str(detail["loc"][0])
    origin = f" ({found[name].origin})" if name in found else ""
    return f"{name}{origin}: {text}."
