"""The fields of the settings: what can be set, with defaults, bounds and meanings.

This file is the one list of them: the flags, the environment variables, config.example.toml and the table in the
reference follow from it. Where their values come from is `sources`.
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
    Hours,
    Id,
    Key,
    KeyId,
    Keys,
    LongSecret,
    Lower,
    Minutes,
    Networks,
    OrganizationIds,
    Port,
    PositiveSeconds,
    PostgresAddress,
    RorId,
    Seconds,
    Secrets,
    WebPage,
)


class Fields(BaseSettings):
    """What can be set, each with its meaning; `settings.Settings` adds what they demand of each other."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True, str_strip_whitespace=True
    )

    environment: Literal["production", "sandbox", "custom"] = Field(
        "sandbox",
        description="Which ORCID Registry: production, sandbox, or custom (api_url and web_url say where).",
    )
    api_url: Address = Field("", description="Address of ORCID's member API. Follows from environment.")
    web_url: Address = Field("", description="Address of ORCID's web pages and OAuth. Follows from environment.")
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
        description="Ask ORCID to notify us of changes. Needs credentials with the scope /webhook (premium membership; "
        "every sandbox client has it). Without, records are only checked every check_interval_hours.",
    )
    public_url: Address | None = Field(
        None,
        description="Base address under which ORCID and people's browsers reach our public listener.",
        examples=["https://orcid.example.edu"],
    )
    webhook_secret: LongSecret | None = Field(
        None,
        description="Secret from which the callback addresses are derived, at least 32 characters. "
        "Make one with: openssl rand -hex 32",
        examples=["openssl rand -hex 32"],
    )
    webhook_key_version: int = Field(
        1, ge=1, le=32_767, description="Number of the present webhook_secret; add 1 whenever you replace the secret."
    )
    old_webhook_secrets: Secrets | None = Field(
        None,
        description="Earlier webhook secrets by their webhook_key_version, until orcid-sync webhooks rotate says that "
        'ORCID has forgotten their addresses. As an environment variable or in a file: JSON, {"1": "…"}.',
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
        description="Name of the present encryption_key, stored beside what it encrypts; "
        "a new key gets a name that none had before.",
    )
    old_encryption_keys: Keys | None = Field(
        None,
        description="Earlier encryption keys by their names, until orcid-sync keys rotate has replaced them. "
        'As an environment variable or in a file: JSON, {"1": "…"}.',
        examples=[{"0": "the key that was replaced, in base64"}],
    )
    institution: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Name of the institution that asks researchers to connect their iDs. Set: the connect pages are "
        "served, and orcid-sync invite makes links to them.",
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
        description="What the records are read for, in a sentence or two that researchers read before they decide.",
        examples=["Your publications appear in the university bibliography without your typing them in again."],
    )
    privacy_url: WebPage | None = Field(
        None,
        description="Address of the institution's privacy notice, linked from the connect pages.",
        examples=["https://www.example.edu/privacy"],
    )
    contact: Contact | None = Field(
        None,
        description="Where researchers may ask: an e-mail address, or the address of a web page.",
        examples=["orcid@example.edu"],
    )
    institution_ror: RorId | None = Field(
        None,
        description="The institution's ROR id: by it orcid-sync search and orcid-sync discover find record holders.",
        examples=["https://ror.org/05gq02987"],
    )
    institution_ids: OrganizationIds = Field(
        (),
        description="Other identifiers by which records name the institution: of its parts, or in older registers "
        "(grid.40263.33, ringgold:6752, fundref:100007803).",
        examples=[["grid.40263.33", "ringgold:6752"]],
    )
    institution_domains: Domains = Field(
        (),
        description="Domains of the institution's e-mail addresses; search knows only addresses that are public.",
        examples=[["example.edu"]],
    )
    database_url: PostgresAddress | None = Field(
        None,
        description="Address of the PostgreSQL (15 or newer) that holds the mirror. Absent: an embedded one.",
        examples=["postgresql://orcid_sync:password@localhost:5432/orcid"],
        json_schema_extra={"alias": "DATABASE_URL"},
    )
    data_dir: Folder = Field(
        Path("~/.local/share/orcid-sync"),
        description="Folder of the embedded PostgreSQL; unused when database_url is set.",
    )
    erasure_log: Folder | None = Field(
        None,
        description="File, outside the database and its backups, that names whom a restored backup must not bring "
        "back; without the iDs themselves. All processes must reach it. Absent: none is kept.",
        examples=["/var/lib/orcid-sync/erasures.jsonl"],
    )
    public_host: str = Field("0.0.0.0", description="Interface of the public listener, which receives notifications.")  # noqa: S104 - ORCID must reach it
    public_port: Port = Field(8080, description="Port of the public listener.", json_schema_extra={"alias": "PORT"})
    internal_host: str = Field(
        "127.0.0.1", description="Interface of the internal listener: health, metrics, status. Not for the internet."
    )
    internal_port: Port = Field(9090, description="Port of the internal listener.")
    internal_token: LongSecret | None = Field(
        None,
        description="Bearer token that the internal listener demands, at least 32 characters; required unless "
        "internal_host is loopback. Make one with: openssl rand -hex 32",
        examples=["openssl rand -hex 32"],
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Lower] = Field(
        "info",
        description="Least important messages that are logged: debug, info, warning or error.",
        json_schema_extra={"alias": "LOG_LEVEL"},
    )
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="console for people, json for machines, auto: console on a terminal, json elsewhere."
    )
    workers: int = Field(8, ge=1, le=256, description="Records that one process reconciles at the same time.")
    lease_seconds: PositiveSeconds = Field(
        60, description="How long a worker that died keeps a record from the others, seconds."
    )
    poll_seconds: PositiveSeconds = Field(5, description="How often idle workers look at the queue, seconds.")
    grace_seconds: Seconds = Field(
        3,
        description="Wait between a notification and reading the record, seconds; reading at once loses updates.",
    )
    second_look_seconds: Seconds = Field(
        900, description="After a notified change the record is read once more after this many seconds."
    )
    check_interval_hours: Hours = Field(
        168, description="Every record is read at least this often, notified or not, hours."
    )
    shortest_interval_hours: Hours = Field(
        24,
        description="A record of whose changes nothing tells us (no webhook, no search, no modified_file) is read "
        "after a tenth of the time for which it has been quiet, but not before this many hours.",
    )
    search_interval_hours: float = Field(
        1,
        ge=0,
        le=168,
        allow_inf_nan=False,
        description="ORCID's search is asked this often which connected records changed, hours: some four requests for "
        "1,000 records. 0: never.",
    )
    modified_file: str | None = Field(
        None,
        min_length=1,
        description="Path or https address of last_modified.csv.tar, the daily list of changed records for premium "
        "members. Absent: not used.",
        examples=["/var/lib/orcid-sync/last_modified.csv.tar"],
    )
    modified_file_interval_hours: Hours = Field(24, description="How often modified_file is read, hours.")
    sender_tries: int = Field(
        25, ge=1, le=1_000, description="After so many failures in a row ORCID never calls a webhook again (a guess)."
    )
    sender_delay_minutes: Minutes = Field(
        10, description="ORCID repeats a call that failed after so many minutes, then after twice as many, … (a guess)."
    )
    delivery_grace_hours: Hours = Field(6, description="A change without a notification in this time counts as missed.")
    canary_orcid: Id | None = Field(
        None,
        description="A connected iD whose record you have edited on a schedule: an alarm if it is not heard of.",
        examples=["0000-0002-1825-0097"],
    )
    canary_hours: Hours = Field(48, description="How long canary_orcid may not be heard of, hours.")
    locked_records: Literal["freeze", "hide"] = Field(
        "freeze",
        description="What readers see of a record that ORCID has locked: freeze shows it as it was, hide shows nothing "
        "until it is unlocked.",
    )
    requests_per_second: float = Field(
        20,
        gt=0,
        le=1_000,
        allow_inf_nan=False,
        description="Most requests to ORCID per second, all processes together.",
    )
    burst: int = Field(8, ge=1, le=1_000, description="Requests that may go out at once after a pause.")
    daily_requests: int | None = Field(
        None,
        ge=1,
        description="Most requests to ORCID per day (UTC), all processes together. Absent: any number, right for "
        "members; a public client has a daily quota. What is urgent keeps a part of it.",
        examples=[95_000],
    )
    request_timeout_seconds: PositiveSeconds = Field(120, description="Bound of one request to ORCID, seconds.")
    connect_timeout_seconds: PositiveSeconds = Field(10, description="Bound of connecting to ORCID, seconds.")
    max_body_mb: int = Field(256, ge=1, le=4_096, description="Largest answer of ORCID that is accepted, megabytes.")
    push_workers: int = Field(64, ge=4, le=1_024, description="Pushes that one process sends at the same time.")
    push_timeout_seconds: PositiveSeconds = Field(20, description="Bound of one push, answer included, seconds.")
    push_plain_http: bool = Field(
        False,
        description="Allow subscriptions with addresses that begin with http://: anybody on the way can read what is "
        "pushed.",
    )
    push_networks: Networks | None = Field(
        None,
        description="Networks of your own that pushes may reach, apart from the internet. As an environment variable: "
        "separated by spaces.",
        examples=[["10.20.0.0/16"]],
    )
    drain_seconds: Seconds = Field(
        5, description="When stopping: time in which readiness is down but notifications are still answered, seconds."
    )
    stop_seconds: PositiveSeconds = Field(
        40, description="When stopping: time for reconciliations that have begun, seconds."
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
