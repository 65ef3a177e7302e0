"""Checks of single settings: each says in one sentence what a value must look like."""

import base64
import binascii
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo

from orcid_sync.model.analysis.institution import parse_domain, parse_organization_id
from orcid_sync.model.ids import Orcid, parse_orcid
from orcid_sync.settings.environments import home_of

_KEY_ID = r"^[A-Za-z0-9_-]{1,32}$"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def check_address(text: str) -> str:
    """The address without a slash at its end. Raises ValueError that says what it must look like."""
    if not text:
        return text
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("must be an address such as https://orcid.example.edu, without ? or # and what follows them")
    return text.rstrip("/")


def _web_page(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or not text.isprintable():
        raise ValueError("must be the address of a web page such as https://www.example.edu/privacy")
    return text


def _contact(text: str) -> str:
    if re.fullmatch(r"[^\s@:/?&]+@[^\s@:/?&]+", text):
        return text
    try:
        return _web_page(text)
    except ValueError:
        raise ValueError("must be an e-mail address, or the address of a web page") from None


def _key_of_32_bytes(secret: SecretStr) -> SecretStr:
    if len(decode_key(secret)) != 32:
        raise ValueError("must be 32 bytes in base64; make one with: openssl rand -base64 32")
    return secret


def decode_key(secret: SecretStr) -> bytes:
    """The bytes of a key in base64, of either alphabet; empty if it is none."""
    text = secret.get_secret_value().translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _keys_by_id(value: Any) -> Any:
    """The keys as a mapping; environment variables and files hold it as JSON. The error quotes nothing of it."""
    try:
        keys = msgspec.json.decode(value) if isinstance(value, str) else value
    except msgspec.DecodeError:
        keys = None
    if keys is None or not isinstance(keys, Mapping):
        raise ValueError('must be a table of ids and keys; in JSON: {"1": "the key in base64"}')
    # Here, because pydantic shows the keys of a mapping in its errors: who exchanged the two would read a secret.
    if not all(re.fullmatch(_KEY_ID, str(key_id)) for key_id in keys):
        raise ValueError("must have ids of at most 32 letters, digits, hyphens and underscores")
    return keys


def _secrets_by_version(value: Any) -> Any:
    """The secrets as a mapping; environment variables and files hold it as JSON. The error quotes nothing of it."""
    try:
        secrets = msgspec.json.decode(value) if isinstance(value, str) else value
    except msgspec.DecodeError:
        secrets = None
    if secrets is None or not isinstance(secrets, Mapping):
        raise ValueError('must be a table of versions and secrets; in JSON: {"1": "the secret"}')
    if not all(re.fullmatch(r"[0-9]{1,5}", str(version)) for version in secrets):
        raise ValueError("must have versions that are whole numbers")
    return secrets


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < 32:
        raise ValueError("must have at least 32 characters; make one with: openssl rand -hex 32")
    return secret


def _postgres_address(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().startswith(("postgresql://", "postgres://")):
        raise ValueError("must be an address such as postgresql://user:password@host:5432/database")
    return secret


def _folder(path: Path) -> Path:
    # os.path: it leaves "~" alone where there is no home (a container under a foreign user id); Path raises.
    return Path(os.path.expanduser(path))  # noqa: PTH111


def _orcid(text: str, info: ValidationInfo) -> Orcid:
    return parse_orcid(text, home=home_of(info.data.get("environment", "custom"), info.data.get("api_url", "")))


def _several(value: Any) -> Any:
    """Several values as a list; environment variables hold them with spaces or commas in between."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError("must be networks such as 10.20.0.0/16 or fd12:3456::/32") from None


def _ror(text: str) -> str:
    known = parse_organization_id(text)
    if known.source != "ROR":
        raise ValueError(
            "must be a ROR id such as https://ror.org/05gq02987; put other identifiers into institution_ids"
        )
    return known.value


def _organization_id(text: str) -> str:
    return str(parse_organization_id(text))


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


Address = Annotated[str, AfterValidator(check_address)]
"""http or https, without query; a slash at the end is taken away. Empty: none."""
Key = Annotated[SecretStr, AfterValidator(_key_of_32_bytes)]
KeyId = Annotated[str, Field(pattern=_KEY_ID)]
Keys = Annotated[dict[str, Key], BeforeValidator(_keys_by_id)]
"""By their ids."""
LongSecret = Annotated[SecretStr, AfterValidator(_long_enough)]
Secrets = Annotated[dict[Annotated[int, Field(le=32_767)], LongSecret], BeforeValidator(_secrets_by_version)]
"""By their versions."""
PostgresAddress = Annotated[SecretStr, AfterValidator(_postgres_address)]
WebPage = Annotated[str, AfterValidator(_web_page)]
"""http or https; shown as a link."""
Contact = Annotated[str, AfterValidator(_contact)]
"""An e-mail address or a web page."""
Folder = Annotated[Path, AfterValidator(_folder)]
Id = Annotated[str, AfterValidator(_orcid)]
"""An iD in any of its forms; kept in path form."""
Networks = Annotated[list[Annotated[str, AfterValidator(_network)]], BeforeValidator(_several)]
"""Of IP addresses, in CIDR notation."""
RorId = Annotated[str, AfterValidator(_ror)]
"""The id of an organisation in any of ROR's forms; kept as an address."""
OrganizationIds = Annotated[tuple[Annotated[str, AfterValidator(_organization_id)], ...], BeforeValidator(_several)]
Domains = Annotated[tuple[Annotated[str, AfterValidator(parse_domain)], ...], BeforeValidator(_several)]
"""Of e-mail addresses."""
Lower = BeforeValidator(_lower)
"""Forgives capitals."""

Hours = Annotated[float, Field(gt=0, le=8_760, allow_inf_nan=False)]
Minutes = Annotated[float, Field(gt=0, le=1_440, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)]
PositiveSeconds = Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)]
Port = Annotated[int, Field(ge=0, le=65_535)]
"""0: any free one."""
