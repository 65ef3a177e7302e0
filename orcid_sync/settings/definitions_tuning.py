"""How an installation works: intervals, limits, sizes; each with its meaning, and a default that suits most.

`definitions_setup` and `definitions_tuning` are the one list of the settings: the flags, the environment variables,
config.example.toml and the tables of deploy/docs/settings.md follow from it. Where values come from is `sources`.
"""

from typing import Literal

from pydantic import Field

from orcid_sync.settings.definitions_setup import Setup
from orcid_sync.settings.values import Hours, Id, Minutes, Networks, PositiveSeconds, Seconds


class Definitions(Setup):
    """All that can be set, in the order in which it is shown; `settings.Settings` adds demands."""

    workers: int = Field(8, ge=1, le=256, description="Number of records that one process reconciles at the same time.")
    lease_seconds: PositiveSeconds = Field(
        60, description="Seconds after which another worker takes over a record from a worker that died."
    )
    poll_seconds: PositiveSeconds = Field(5, description="How often idle workers look at the queue, in seconds.")
    grace_seconds: Seconds = Field(
        3,
        description="Seconds to wait between a notification and reading the record. Reading at once loses updates.",
    )
    second_look_seconds: Seconds = Field(
        900, description="Seconds after a notified change until the record is read once more."
    )
    check_interval_hours: Hours = Field(
        168, description="Every record is read at least this often, in hours, notified or not."
    )
    shortest_interval_hours: Hours = Field(
        24,
        description="A record that nothing watches (no webhook, no search, no modified_file) is read again after a "
        "tenth of the time since its last change, but not before this many hours.",
    )
    search_interval_hours: float = Field(
        1,
        ge=0,
        le=168,
        allow_inf_nan=False,
        description="How often the service searches ORCID for connected records that have changed, in hours: about "
        "four requests for 1,000 records. 0: never.",
    )
    modified_file: str | None = Field(
        None,
        min_length=1,
        description="Path or https address of last_modified.csv.tar, the daily list of changed records for premium "
        "members. Default: not used.",
        examples=["/var/lib/orcid-sync/last_modified.csv.tar"],
    )
    modified_file_interval_hours: Hours = Field(24, description="How often modified_file is read, in hours.")
    sender_tries: int = Field(
        25, ge=1, le=1_000, description="ORCID never calls a webhook again after this many failures in a row (a guess)."
    )
    sender_delay_minutes: Minutes = Field(
        10, description="ORCID repeats a failed call after this many minutes, then after twice as many, … (a guess)."
    )
    delivery_grace_hours: Hours = Field(
        6, description="A change that ORCID has not announced within this many hours counts as missed."
    )
    canary_orcid: Id | None = Field(
        None,
        description="A connected iD whose record you have edited on a schedule. If no notification about it "
        "arrives, the service raises an alarm.",
        examples=["0000-0002-1825-0097"],
    )
    canary_hours: Hours = Field(
        48, description="Hours without a notification about canary_orcid after which the service raises the alarm."
    )
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
        description="Highest number of requests to ORCID per second, all processes together.",
    )
    burst: int = Field(8, ge=1, le=1_000, description="Number of requests that may go out at once after a pause.")
    daily_requests: int | None = Field(
        None,
        ge=1,
        description="Highest number of requests to ORCID per day (UTC), all processes together. Default: no limit, "
        "which is right for members; a public client has a daily quota. A part of it is kept for what is urgent.",
        examples=[95_000],
    )
    request_timeout_seconds: PositiveSeconds = Field(
        120, description="Longest time for one request to ORCID, in seconds."
    )
    connect_timeout_seconds: PositiveSeconds = Field(
        10, description="Longest time for connecting to ORCID, in seconds."
    )
    max_body_mb: int = Field(256, ge=1, le=4_096, description="Largest answer of ORCID that is accepted, in megabytes.")
    push_workers: int = Field(
        64, ge=4, le=1_024, description="Number of pushes that one process sends at the same time."
    )
    push_timeout_seconds: PositiveSeconds = Field(
        20, description="Longest time for one push, answer included, in seconds."
    )
    push_plain_http: bool = Field(
        False,
        description="Allow subscriptions with addresses that begin with http://. Anybody on the network path can then "
        "read what is pushed.",
    )
    push_networks: Networks | None = Field(
        None,
        description="Networks of your own that pushes may reach besides the internet. As an environment variable: "
        "separated by spaces.",
        examples=[["10.20.0.0/16"]],
    )
    drain_seconds: Seconds = Field(
        5, description="When stopping: seconds in which readiness is down but notifications are still answered."
    )
    stop_seconds: PositiveSeconds = Field(
        40, description="When stopping: seconds to finish reconciliations that have begun."
    )
