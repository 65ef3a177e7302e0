"""report: adoption, completeness and activity, as institutions hand them to their boards."""

import asyncio
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from orcid_sync.cli.base.as_reader import VIEWS, Reader, Role, connect_reader
from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import print_json
from orcid_sync.cli.base.session import Session, tell
from orcid_sync.model.analysis.institution import parse_organization_id
from orcid_sync.model.analysis.report_figures import InvalidPeriod, Period, Report, period

if TYPE_CHECKING:
    from orcid_sync.settings.settings import Settings

FORMATS = ("markdown", "html", "csv")


@command
def report(
    session: Session,
    *,
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from", formats=["%Y-%m-%d"], metavar="DATE", help="First day. Default: a year before the last day."
        ),
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], metavar="DATE", help="Last day. Default: today.")
    ] = None,
    form: Annotated[str, typer.Option("--format", "-f", help=f"{', '.join(FORMATS)}.")] = "markdown",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", dir_okay=False, help="File to write. Default: stdout."),
    ] = None,
    role: Role = Reader.PUBLIC,
    json: Json = False,
) -> None:
    """Report adoption, completeness and activity over a period, in numbers without names.

    Reads public data only, unless you give --role.
    """
    if form not in FORMATS:
        raise typer.BadParameter(f"--format must be one of {', '.join(FORMATS)}")
    now = datetime.now(UTC)
    try:
        days = period(_day(first), _day(last), now.date())
    except InvalidPeriod as error:
        raise typer.BadParameter(str(error), param_hint="--from, --to") from None
    with session.database() as dsn:
        made = asyncio.run(_gather(session, dsn, role, days, now))
    if json:
        print_json(made)
        return
    from orcid_sync.service.analysis.render_report import render  # noqa: PLC0415 - heavy

    text = render(made, form)
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, "utf-8")
        tell(f"Written: {output}")


def _day(given: datetime | None) -> date | None:
    return given.date() if given else None


async def _gather(session: Session, dsn: str, role: Reader, days: Period, now: datetime) -> Report:
    """Everything as of one moment. Who is followed is only counted for those who may look into that."""
    from orcid_sync.store.analysis import report as store  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.catalogue import sees_internals, use_utc  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.roles import become  # noqa: PLC0415 - heavy

    settings = session.settings
    async with (
        connect_reader(session, dsn) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        adoption = await store.adoption(connection, days) if await sees_internals(connection) else None
        await become(connection, VIEWS[role])
        await use_utc(connection)
        mirrored = await store.mirrored(connection, days, _rors(settings))
    return Report(
        institution=settings.institution,
        period=days,
        made_at=now,
        limited=role is Reader.LIMITED,
        adoption=adoption,
        **msgspec.structs.asdict(mirrored),
    )


def _rors(settings: "Settings") -> list[str]:
    """The ROR ids of the institution and of its parts."""
    ids = (settings.institution_ror, *settings.institution_ids)
    known = (parse_organization_id(one) for one in ids if one)
    return sorted({one.value for one in known if one.source == "ROR"})
