"""status: the state of the service at a glance, first what needs attention."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import ago, console, duration, moment, print_json, table, text
from orcid_sync.cli.base.session import Session
from orcid_sync.service.explain.status_attention import attention
from orcid_sync.service.explain.status_health import facts

if TYPE_CHECKING:
    from asyncpg import Connection
    from rich.table import Table

    from orcid_sync.model.webhooks.health import WebhookHealth
    from orcid_sync.store.console.overview import Overview
    from orcid_sync.store.sync.job_runs import Run
    from orcid_sync.store.sync.pace_and_circuit import Pace


@command
def status(session: Session, *, json: Json = False) -> None:
    """Show the state of the service: first what needs attention, then queue, freshness, webhooks, jobs and feed."""

    async def work(connection: "Connection") -> "tuple[Overview, WebhookHealth]":
        from orcid_sync.daemon.public_listener import rules_of  # noqa: PLC0415 - heavy
        from orcid_sync.service.webhooks.health import assess  # noqa: PLC0415 - heavy
        from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy

        return await overview.overview(connection), await assess(connection, rules_of(session.settings))

    seen, health = session.run(work)
    found = attention(seen, health)
    if json:
        print_json({"attention": found, "overview": seen, "hearing": health})
        return
    page = console()
    for finding in found:
        page.print(text(f"{finding.severity.upper()}  {finding.sentence}", finding.severity))
    if not found:
        page.print(text("All is well.", "ok"))
    for part in _tables(seen, health):
        page.print()
        page.print(part)


def _tables(seen: "Overview", health: "WebhookHealth") -> Iterable["Table"]:
    yield table("", "", rows=[*_facts(seen), *facts(health)])
    yield table("lane", "due", "leased", "failing", "oldest", title="Queue", rows=_lanes(seen))
    if seen.freshness:
        yield table("last verified", "iDs", title="Freshness", rows=seen.freshness.items())
    if seen.paces:
        yield table("ORCID client", "state", "requests/s", "today", title="Registry", rows=map(_pace, seen.paces))
    if seen.consumers:
        yield table("consumer", "behind", "since", "stored", title="Consumers", rows=_consumers(seen))
    if seen.jobs:
        yield table("job", "began", "took", "outcome", title="Jobs", rows=(_job(job, seen) for job in seen.jobs))


def _facts(seen: "Overview") -> list[tuple[str, str]]:
    end = f"{seen.feed.last}" + (f" ({ago(seen.feed.at, seen.at)})" if seen.feed.at else "")
    return [
        ("connected", str(seen.connections.get("connected", 0))),
        ("others", _counted({k: v for k, v in seen.connections.items() if k != "connected"})),
        ("records", _counted(seen.records)),
        ("access", _counted(seen.access)),
        ("webhooks", _counted(seen.webhooks)),
        ("workers", f"{seen.workers} database connections"),
        ("feed ends at", end),
        ("feed's epoch", seen.feed.epoch),
        ("subscriptions", _counted({group.state: group.number for group in seen.pushes.groups})),
    ]


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items())) or "none"


def _lanes(seen: "Overview") -> Iterable[tuple[Any, ...]]:
    for lane in seen.queue:
        oldest = duration(lane.oldest_seconds) if lane.due else ""
        yield lane.lane.name.lower().replace("_", " "), lane.due, lane.leased, lane.failing, oldest


def _pace(pace: "Pace") -> tuple[Any, ...]:
    state = text("answers", "ok")
    if pace.slowed_at:
        state = text(f"slowed since {moment(pace.slowed_at)}", "warn")
    if pace.away and pace.failing_since:
        state = text(f"failing since {moment(pace.failing_since)}, {pace.failures} in a row", "fail")
    if pace.pause:
        state = text(f"paused for {duration(pace.pause)}", "fail")
    rate = f"{pace.rate:g}" if pace.slowed_at is None else f"{pace.rate:.1f} of {pace.ceiling:g}"
    today = str(pace.used) if pace.daily_requests is None else f"{pace.used} of {pace.daily_requests}"
    return pace.client_id, state, rate, today


def _consumers(seen: "Overview") -> Iterable[tuple[Any, ...]]:
    for one in seen.consumers:
        behind = text("must start again", "fail") if one.must_resync else f"{one.behind} changes"
        since = duration(one.behind_seconds) if one.behind and not one.must_resync else ""
        yield one.name, behind, since, ago(one.updated_at, seen.at)


def _job(job: "Run", seen: "Overview") -> tuple[Any, ...]:
    took = duration((job.finished_at - job.started_at).total_seconds()) if job.finished_at else "not ended"
    outcome = text(job.error, "fail") if job.error else _counted(job.outcome or {})
    return job.job, ago(job.started_at, seen.at), took, outcome
