"""diff, and show --as-of: what a record said at a moment, and how two moments differ."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import moment, print_json
from orcid_sync.cli.base.session import Failure, Session
from orcid_sync.cli.people.connect import single
from orcid_sync.cli.records.print_differences import Compared, print_differences
from orcid_sync.cli.records.print_past import past_document, print_past

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.model.ids import Orcid
    from orcid_sync.model.record.past import Past
    from orcid_sync.model.record.sections import ItemKey

Moment = Annotated[
    str, typer.Option("--from", metavar="MOMENT", help="The earlier moment: 2026-06-01, 2026-06-01T12:00Z, 3d, 12h.")
]


@command
def diff(
    session: Session,
    orcid: Annotated[str, typer.Argument(metavar="iD", help="The iD in any form.", show_default=False)],
    *,
    from_: Moment,
    to: Annotated[str, typer.Option("--to", metavar="MOMENT", help="The later moment.")] = "now",
    section: Annotated[str | None, typer.Option("--section", help="Show only this section, as ORCID names it.")] = None,
    minor: Annotated[
        bool,
        typer.Option("--minor", help="Also show changes of nothing but dates, order, names of sources or identifiers."),
    ] = False,
    json: Json = False,
) -> None:
    """Show what changed in a record between two moments, field by field."""
    wanted = single(session, orcid)
    check_section(section)

    async def work(connection: "Connection") -> Compared:
        from orcid_sync.model.record.past import differences  # noqa: PLC0415 - heavy
        from orcid_sync.store.mirror import history  # noqa: PLC0415 - heavy

        async with connection.transaction(isolation="repeatable_read", readonly=True):
            before, after = await moments(connection, wanted, {"--from": from_, "--to": to})
            if after < before:
                raise typer.BadParameter(f"--to ({moment(after)}) is before --from ({moment(before)})")
            states = [await history.as_of(connection, wanted, at, section) for at in (before, after)]
        return Compared(before, after, differences(wanted, *states))

    compared = session.run(work)
    if json:
        print_json(
            {"orcid": wanted, "from": compared.before, "to": compared.after, "differences": compared.differences}
        )
    else:
        print_differences(wanted, compared, minor=minor)


def check_section(section: str | None) -> None:
    """Raises BadParameter for a section that there is not."""
    from orcid_sync.model.record.diff import RECORD  # noqa: PLC0415 - heavy
    from orcid_sync.model.record.sections import SECTIONS  # noqa: PLC0415 - heavy

    if section is not None and section not in (RECORD, *SECTIONS):
        raise typer.BadParameter(f"there is no section {section}; there are: {', '.join([RECORD, *SECTIONS])}")


async def moments(connection: "Connection", orcid: "Orcid", given: Mapping[str, str]) -> list[datetime]:
    """The moments that options name, by the database's clock. Raises BadParameter, and Failure for a time too early."""
    from orcid_sync.model.text.moments import NotAMoment, parse_moment  # noqa: PLC0415 - heavy
    from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy
    from orcid_sync.store.mirror import history  # noqa: PLC0415 - heavy

    now, known_since = await overview.clock(connection), await history.known_since(connection, orcid)
    if known_since is None:
        raise Failure(f"The mirror has never held {orcid}. To see why: orcid-sync explain {orcid}")
    found = []
    for option, typed in given.items():
        try:
            at = parse_moment(typed, now)
        except NotAMoment as error:
            raise typer.BadParameter(f"{option}: {error}") from None
        if at < known_since:
            first = known_since.replace(microsecond=0) + timedelta(seconds=1)
            raise Failure(
                f"{option}: the mirror has held {orcid} since {moment(known_since)}, and has nothing of {moment(at)}. "
                f"For its first state: {option} {moment(first).replace(' ', 'T')}"
            )
        found.append(at)
    return found


def show_past(session: Session, orcid: "Orcid", as_of: str, section: str | None, *, json: bool) -> None:
    """What the mirror held of an iD at a moment."""
    check_section(section)

    async def work(connection: "Connection") -> "tuple[datetime, dict[ItemKey, Past]]":
        from orcid_sync.store.mirror import history  # noqa: PLC0415 - heavy

        async with connection.transaction(isolation="repeatable_read", readonly=True):
            [at] = await moments(connection, orcid, {"--as-of": as_of})
            return at, await history.as_of(connection, orcid, at, section)

    at, state = session.run(work)
    if json:
        print_json(past_document(orcid, at, state))
    else:
        print_past(orcid, at, state)
