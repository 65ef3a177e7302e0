"""serve and simulate: the commands that run until they are stopped."""

import asyncio
from collections.abc import Coroutine
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orcid_sync.cli.base.options import command
from orcid_sync.cli.base.session import Session, new_event_loop, tell

if TYPE_CHECKING:
    from orcid_sync.simulator.registry import SimulatedRegistry


class Part(StrEnum):
    """A part of the service that can run alone."""

    WEB = "web"
    WORKER = "worker"


@command
def serve(
    session: Session,
    *,
    only: Annotated[
        Part | None,
        typer.Option("--only", help="Run only the HTTP listeners (web) or only the workers (worker). Default: both."),
    ] = None,
) -> None:
    """Run the service: receive notifications, read records, update the mirror and the change feed.

    Ctrl-C stops it.
    """
    from orcid_sync.daemon.serve import serve as serve_until_stopped  # noqa: PLC0415 - heavy

    settings = session.settings
    settings.require(*settings.needed_to_serve)

    async def work(dsn: str) -> None:
        async with session.connect(dsn):
            pass  # the schema is the right one
        await serve_until_stopped(settings, dsn, only=only.value if only else None)

    with session.database(create=True) as dsn:
        _run(work(dsn))


@command
def simulate(
    _session: Session,
    *,
    host: Annotated[str, typer.Option("--host", help="Interface to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port to listen on.")] = 9_999,
    records: Annotated[int, typer.Option("--records", min=0, help="Number of sample records at the start.")] = 40,
    seed: Annotated[
        int, typer.Option("--seed", help="Seed of the random numbers: the same seed gives the same records and edits.")
    ] = 7,
    edits_per_minute: Annotated[
        float, typer.Option("--edits-per-minute", min=0, help="Random edits per minute.")
    ] = 0.0,
    speed: Annotated[
        float, typer.Option("--speed", min=0, help="How many simulated seconds pass in a real second.")
    ] = 1.0,
    webhook_delay_seconds: Annotated[
        float,
        typer.Option("--webhook-delay-seconds", min=0, help="Simulated seconds from a change to its notification."),
    ] = 300.0,
) -> None:
    """Run a simulated ORCID Registry with sample records and random edits, to try the service without real data."""
    from orcid_sync.simulator.serve import serve_simulator  # noqa: PLC0415 - heavy

    simulating = serve_simulator(
        host=host,
        port=port,
        records=records,
        seed=seed,
        edits_per_minute=edits_per_minute,
        speed=speed,
        webhook_delay_seconds=webhook_delay_seconds,
        ready=_announce,
    )
    try:
        _run(simulating)
    except KeyboardInterrupt:
        tell("The simulated Registry has stopped.")


def _announce(sim: "SimulatedRegistry") -> None:
    """Print what a service needs to use this Registry, as lines for its environment."""
    from orcid_sync.simulator.world import CLIENT_ID, CLIENT_SECRET  # noqa: PLC0415 - heavy

    tell(f"A simulated Registry listens at {sim.url}. Until Ctrl-C. To use it:")
    for name, value in {
        "ENVIRONMENT": "custom",
        "API_URL": sim.url,
        "WEB_URL": sim.url,
        "CLIENT_ID": CLIENT_ID,
        "CLIENT_SECRET": CLIENT_SECRET,
    }.items():
        typer.echo(f"export ORCID_SYNC_{name}={value}")


def _run(work: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(work)
