"""What an installation says of itself: Registry, keys, institution, database, listeners, logs; each with its meaning.

`definitions_setup` and `definitions_tuning` are the one list of the settings: the flags, the environment variables,
config.example.toml and the tables of deploy/docs/settings.md follow from it. Where values come from is `sources`.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from orcid_sync.settings.values import (
    Address,
    Contact,
    Domains,
    Folder,
    Key,
    KeyId,
    Keys,
    LongSecret,
    Lower,
    OrganizationIds,
    Port,
    PostgresAddress,
    RorId,
    Secrets,
    WebPage,
)


class Setup(BaseSettings):
    """What an installation says of itself."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True, str_strip_whitespace=True
    )

    environment: Literal["production", "sandbox", "custom"] = Field(
        "sandbox",
        description="The ORCID Registry: production, sandbox, or custom (then set api_url and web_url).",
    )
    api_url: Address = Field("", description="Address of ORCID's member API. Default: that of the environment.")
    web_url: Address = Field(
        "", description="Address of ORCID's web pages and OAuth. Default: that of the environment."
    )
    client_id: str | None = Field(
        None, description="Client ID of your ORCID API credentials, APP-….", examples=["APP-0123456789ABCDEF"]
    )
    client_secret: SecretStr | None = Field(
        None,
        min_length=1,
        description="Client secret of your ORCID API credentials.",
        examples=["00000000-0000-0000-0000-000000000000"],
    )
    webhooks: bool = Field(
        True,
        description="Ask ORCID to notify the service of changes. Needs credentials with the scope /webhook (premium "
        "membership; every sandbox client has it). If false, records are only read every "
        "check_interval_hours.",
    )
    public_url: Address | None = Field(
        None,
        description="Base address under which ORCID and people's browsers reach the public listener.",
        examples=["https://orcid.example.edu"],
    )
    webhook_secret: LongSecret | None = Field(
        None,
        description="Secret from which the callback addresses are derived, at least 32 characters. "
        "Make one with: openssl rand -hex 32",
        examples=["openssl rand -hex 32"],
    )
    webhook_key_version: int = Field(
        1, ge=1, le=32_767, description="Number of the present webhook_secret. Add 1 whenever you replace the secret."
    )
    old_webhook_secrets: Secrets | None = Field(
        None,
        description="Earlier webhook secrets by their webhook_key_version. Keep them until orcid-sync webhooks rotate "
        'says that ORCID has forgotten their addresses. As an environment variable or file: JSON, {"1": "…"}.',
        examples=[{"0": "the secret that was replaced"}],
    )
    encryption_key: Key | None = Field(
        None,
        description="Key that encrypts the tokens in the database: 32 bytes in base64. Keep a copy elsewhere. "
        "Make one with: openssl rand -base64 32",
        examples=["openssl rand -base64 32"],
    )
    encryption_key_id: KeyId = Field(
        "1",
        description="Name of the present encryption_key, stored beside what it encrypts. "
        "Give a new key a name that none had before.",
    )
    old_encryption_keys: Keys | None = Field(
        None,
        description="Earlier encryption keys by their names. Keep them until orcid-sync keys rotate has replaced them. "
        'As an environment variable or file: JSON, {"1": "…"}.',
        examples=[{"0": "the key that was replaced, in base64"}],
    )
    institution: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Name of the institution that asks researchers to connect their iDs. If you set it, the service "
        "has the connect pages, and orcid-sync invite makes links to them.",
        examples=["Example University"],
    )
    institution_url: WebPage | None = Field(
        None,
        description="Address of the institution's own web site, linked from the connect pages.",
        examples=["https://www.example.edu"],
    )
    purpose: str | None = Field(
        None,
        min_length=1,
        max_length=1_000,
        description="Why you read the records, in a sentence or two that researchers read before they decide.",
        examples=["Your publications appear in the university bibliography without your typing them in again."],
    )
    privacy_url: WebPage | None = Field(
        None,
        description="Address of the institution's privacy notice, linked from the connect pages.",
        examples=["https://www.example.edu/privacy"],
    )
    contact: Contact | None = Field(
        None,
        description="Where researchers can ask questions: an e-mail address, or the address of a web page.",
        examples=["orcid@example.edu"],
    )
    institution_ror: RorId | None = Field(
        None,
        description="The institution's ROR id, by which orcid-sync search and orcid-sync discover find record holders.",
        examples=["https://ror.org/05gq02987"],
    )
    institution_ids: OrganizationIds = Field(
        (),
        description="Other identifiers by which records name the institution: those of its parts, or of older "
        "registers (grid.40263.33, ringgold:6752, fundref:100007803).",
        examples=[["grid.40263.33", "ringgold:6752"]],
    )
    institution_domains: Domains = Field(
        (),
        description="Domains of the institution's e-mail addresses. ORCID's search knows only "
        "addresses that are public.",
        examples=[["example.edu"]],
    )
    database_url: PostgresAddress | None = Field(
        None,
        description="Address of the PostgreSQL (15 or newer) that holds the mirror. Default: an embedded one.",
        examples=["postgresql://orcid_sync:password@localhost:5432/orcid"],
        json_schema_extra={"alias": "DATABASE_URL"},
    )
    data_dir: Folder = Field(
        Path("~/.local/share/orcid-sync"),
        description="Folder of the embedded PostgreSQL, which is closed to other users. Unused when database_url is "
        "set.",
    )
    erasure_log: Folder | None = Field(
        None,
        description="File, outside the database and its backups, that records which people a restored backup must not "
        "bring back, without their iDs. All processes must reach it. Default: none is kept.",
        examples=["/var/lib/orcid-sync/erasures.jsonl"],
    )
    public_host: str = Field(
        "0.0.0.0",  # noqa: S104 - ORCID must reach it
        description="Interface of the public listener, which takes notifications and has the connect pages.",
    )
    public_port: Port = Field(8080, description="Port of the public listener.", json_schema_extra={"alias": "PORT"})
    internal_host: str = Field(
        "127.0.0.1", description="Interface of the internal listener: health, metrics, status. Not for the internet."
    )
    internal_port: Port = Field(9090, description="Port of the internal listener.")
    internal_token: LongSecret | None = Field(
        None,
        description="Bearer token that the internal listener demands, at least 32 characters. Required unless "
        "internal_host is loopback. Make one with: openssl rand -hex 32",
        examples=["openssl rand -hex 32"],
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Lower] = Field(
        "info",
        description="The least important messages that are logged: debug, info, warning or error.",
        json_schema_extra={"alias": "LOG_LEVEL"},
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto",
        description="Form of the log: console for people, json for machines, auto for console on a terminal and json "
        "elsewhere.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library prescribes the names
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given: a test or a caller is not surprised by the environment."""
        return (init_settings,)
