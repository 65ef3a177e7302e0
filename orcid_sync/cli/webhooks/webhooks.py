"""webhooks: the inventory of the webhooks at ORCID, and the requests that would correct it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import ago, console, duration, print_json, table, text
from orcid_sync.cli.base.session import Session
from orcid_sync.cli.webhooks.converge import apply, revive, verify
from orcid_sync.cli.webhooks.recover import forget, recover
from orcid_sync.cli.webhooks.rotate import rotate
from orcid_sync.service.explain.status_webhooks import role, webhook_findings

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.model.webhooks.registration import Calls
    from orcid_sync.store.webhooks.convergence import Inventory

webhooks = typer.Typer(
    no_args_is_help=True,
    help="Show, repair and replace the webhooks at ORCID, one for each connected iD.\n\nORCID has no list of "
    "them, so this inventory is the only one. The service maintains it; use these commands to look at "
    "it, to have work done at once, or after a secret or the inventory was lost. They send nothing to "
    "ORCID themselves: the service does, at its own pace.",
)


@command
def status(session: Session, *, json: Json = False) -> None:
    """Count the webhooks by generation (secret and address) and state, and show what needs attention.

    A webhook is registering (sent to ORCID, not confirmed), active, verifying or reviving (to be registered again),
    or removing. Suspect webhooks did not announce a change.
    """
    overlap = session.settings.second_look_seconds
    seen = _inventory(session)
    found = webhook_findings(seen, overlap_seconds=overlap)
    if json:
        print_json({"attention": found, "inventory": seen})
        return
    page = console()
    for finding in found:
        page.print(text(finding.sentence, finding.severity))
    if not found:
        page.print(text("Every connected iD has the right webhook.", "ok"))
    if seen.generations:
        columns = ("generation", "key version", "address", "webhooks", "", "last called")
        page.print()
        page.print(table(*columns, rows=_generations(seen)))


def _generations(seen: "Inventory") -> Iterator[tuple[Any, ...]]:
    for one in seen.generations:
        states = seen.states.get(one.number, {})
        counted = ", ".join(f"{number} {state}" for state, number in sorted(states.items())) or "none"
        called = ago(one.last_called_at, seen.at)
        yield one.number, one.key_version, one.public_url or "(not known)", counted, role(one, seen), called


@command
def plan(session: Session, *, json: Json = False) -> None:
    """Show which requests would correct all webhooks, and how long they take at the present pace.

    The service handles each iD once and also reads its record, so that no change is missed between two webhooks.
    Work that has to wait is shown separately. This command changes nothing.
    """
    from orcid_sync.model.webhooks.registration import calls  # noqa: PLC0415 - with what it needs

    seen, rate = _inventory(session), session.run(lambda connection: _rate(session, connection))
    now, later = calls(seen.acts, seen.visits.total), calls({"remove": seen.number("wait")}, seen.number("wait"))
    if json:
        print_json(
            {
                "requests_per_second": rate,
                "work": seen.acts,
                "now": _cost(now, rate),
                "later": _cost(later, rate),
                "lost": seen.number("lost"),
            }
        )
        return
    page = console()
    rows = [_row("now", now, rate), *([_row("later", later, rate)] if later.total else [])]
    page.print(table("", "PUT", "DELETE", "reads", "requests", "takes", rows=rows))
    page.print(text(f"At {rate:g} requests per second; notifications and the like go first."))
    if lost := seen.number("lost"):
        page.print(text(f"{lost} webhooks cannot be removed: orcid-sync webhooks status", "warn"))


def _row(name: str, made: "Calls", rate: float) -> tuple[Any, ...]:
    return name, made.puts, made.deletes, made.reads, made.total, duration(made.seconds(rate))


def _cost(made: "Calls", rate: float) -> dict[str, float]:
    return {
        "puts": made.puts,
        "deletes": made.deletes,
        "reads": made.reads,
        "requests": made.total,
        "seconds": made.seconds(rate),
    }


def _inventory(session: Session) -> "Inventory":
    from orcid_sync.cli.webhooks.converge import look  # noqa: PLC0415 - heavy

    return session.run(lambda connection: look(session, connection))


async def _rate(session: Session, connection: "Connection") -> float:
    """Requests per second at present: what the settings allow, or less if ORCID has said that it is too much."""
    from orcid_sync.store.sync import pace_and_circuit  # noqa: PLC0415 - heavy

    allowed = session.settings.requests_per_second
    present = await pace_and_circuit.load(connection, session.settings.client_id or "")
    return allowed if present is None else min(allowed, present.rate)


for function in (status, plan, apply, verify, revive, rotate, recover, forget):
    webhooks.command(function.__name__)(function)
