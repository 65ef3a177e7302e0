"""plan: what following so many iDs costs and how fresh they stay, before anybody is connected."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, duration, print_json, table, text
from orcid_sync.cli.base.session import Session

if TYPE_CHECKING:
    from orcid_sync.model.analysis.plan import Means, Plan, Population, Staleness
    from orcid_sync.settings.settings import Settings
    from orcid_sync.store.analysis.population import Observed

ENOUGH_DAYS = 7
"""So long changes must have been observed before their rate says more than the usual one."""

DAY = 86_400
"""Seconds."""


@command
def plan(
    session: Session,
    *,
    connected: Annotated[
        int | None,
        typer.Option(
            "--connected", "-n", min=1, help="Number of connected iDs. Default: those that are connected now."
        ),
    ] = None,
    changes: Annotated[
        float | None,
        typer.Option("--changes", min=0, help="Visible changes of one record per day. Default: as observed, or 0.03."),
    ] = None,
    notices: Annotated[
        float | None, typer.Option("--notices", min=0, help="Notifications for each visible change. Default: 2.")
    ] = None,
    limited: Annotated[
        float | None,
        typer.Option("--limited", min=0, max=1, help="Share of iDs that are read with the holder's permission."),
    ] = None,
    lost: Annotated[
        float | None,
        typer.Option("--lost", min=0, max=1, help="Share of changes that no notification announces. Default: 0.005."),
    ] = None,
    json: Json = False,
) -> None:
    """Estimate how many requests a number of iDs needs, and how soon changes are found, with the present settings.

    Sends no request. Exit code 1 if ORCID's limits do not suffice. Example: orcid-sync plan --connected 10000
    """
    from orcid_sync.model.analysis.plan import make_plan  # noqa: PLC0415 - with what it needs

    observed = None if connected is not None else _observe(session)
    given = {"connected": connected, "changes": changes, "notices_per_change": notices, "limited_share": limited}
    population = _population(observed, {name: value for name, value in given.items() if value is not None})
    means = _means(session.settings, **({} if lost is None else {"lost": lost}))
    made = make_plan(population, means)
    if json:
        print_json({"population": population, "means": means, "plan": made, "used": made.used})
    else:
        _show(population, means, made)
    if made.used > 1:
        raise typer.Exit(1)


def _observe(session: Session) -> "Observed":
    from orcid_sync.store.analysis.population import observe  # noqa: PLC0415 - heavy

    observed = session.run(observe)
    if not observed.connected:
        raise typer.BadParameter("nobody is connected yet: give the number of iDs, such as --connected 10000")
    return observed


def _population(observed: "Observed | None", given: dict[str, Any]) -> "Population":
    from orcid_sync.model.analysis.plan import Population  # noqa: PLC0415 - with what it needs

    known: dict[str, Any] = {}
    if observed is not None:
        known = {"connected": observed.connected, "limited_share": observed.limited_share}
        if observed.details is not None:
            known["details"] = observed.details
        if observed.days >= ENOUGH_DAYS:
            known["changes"] = observed.sessions / observed.days / observed.connected
    return Population(**{**known, **given})


def _means(settings: "Settings", **given: float) -> "Means":
    from orcid_sync.model.analysis.plan import HOUR, Means  # noqa: PLC0415 - with what it needs

    means = Means(
        per_second=settings.requests_per_second,
        per_day=settings.daily_requests,
        webhooks=settings.webhooks,
        second_look=settings.second_look_seconds / DAY,
        search_every=settings.search_interval_hours * HOUR or None,
        file_every=settings.modified_file_interval_hours * HOUR if settings.modified_file else None,
        shortest=settings.shortest_interval_hours * HOUR,
        longest=settings.check_interval_hours * HOUR,
    )
    return msgspec.structs.replace(means, **given)


def _show(population: "Population", means: "Means", made: "Plan") -> None:
    page = console()
    page.print(table("", "", title="Assumed", rows=_assumed(population, means)))
    costs = [(name, _number(amount), f"{amount / made.capacity:.1%}") for name, amount in made.requests.items()]
    total = ("all", _number(sum(made.requests.values())), text(f"{made.used:.1%}", "fail" if made.used > 1 else "ok"))
    page.print(table("requests per day", "number", "of the limit", rows=[*costs, total]))
    page.print(table("noticed after", "half", "99 of 100", "the last", rows=_freshness(made)))
    page.print(text(f"A first load of all takes {duration(made.first_load * DAY)}."))
    if means.webhooks:
        again = duration(made.first_load_again * DAY)
        page.print(text(f"If ORCID has webhooks of them from an earlier database, it takes {again}."))
    if made.quota_lasts is not None:
        hours = duration(made.quota_lasts * DAY)
        page.print(text(f"The daily quota of {means.per_day} requests is used up after {hours}.", "fail"))
    if made.used > 1:
        page.print(text("It is more than ORCID allows: lengthen check_interval_hours, or connect fewer iDs.", "fail"))


def _assumed(population: "Population", means: "Means") -> Iterator[tuple[str, str]]:
    yield "iDs", f"{population.connected:,}"
    yield "read with the holder's permission", f"{population.limited_share:.0%}"
    yield "visible changes of one record per day", f"{population.changes:.3g}"
    yield "notifications for each of them", f"{population.notices_per_change:g}"
    yield "changes that are not announced", f"{means.lost:.1%}" if means.webhooks else "all: webhooks are off"
    yield "requests per second", f"{means.per_second:g}"


def _freshness(made: "Plan") -> Iterator[tuple[str, ...]]:
    cases: list[tuple[str, Staleness | None]] = [
        ("with webhooks", made.with_webhooks),
        ("without webhooks", made.without_webhooks),
    ]
    for name, staleness in cases:
        if staleness is not None:
            yield name, *(duration(days * DAY) for days in (staleness.median, staleness.p99, staleness.worst))


def _number(amount: float) -> str:
    return f"{amount:,.0f}"
