"""changes: the change feed, for people a line each, for machines a JSON document each."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import line, moment, print_json_line, text
from orcid_sync.cli.base.session import Failure, Session, tell
from orcid_sync.cli.people.connect import single
from orcid_sync.model.text.labels import Label, label

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.store.console.overview import Choice, FeedEntry

PAGE = 500
"""Changes read at once."""

LAST = 20
"""Changes shown if no position is given."""

POLL_SECONDS = 1.0
"""How often --follow looks."""

REWOUND = "Resync: the history of the feed was lost or rewound. Start again from position 0."

OPS = {"added": "green", "updated": "yellow", "removed": "red", "withdrawn": "magenta"}


@command
def changes(
    session: Session,
    *,
    after: Annotated[
        int | None,
        typer.Option(
            "--after",
            min=0,
            help=f"Print the changes after this position. Default: the last {LAST} changes.",
            show_default=False,
        ),
    ] = None,
    epoch: Annotated[
        str | None,
        typer.Option(
            "--epoch", help="Epoch of the position in --after. If the feed now has another epoch, that is an error."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Print at most this many changes.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for new changes and print them, until Ctrl-C.")
    ] = False,
    orcid: Annotated[str | None, typer.Option("--orcid", metavar="iD", help="Only changes of this iD.")] = None,
    section: Annotated[
        str | None,
        typer.Option("--section", help="Only changes of this section, as ORCID names it, and of the record itself."),
    ] = None,
    minor: Annotated[
        bool,
        typer.Option("--minor/--no-minor", help="Also print changes of nothing but dates, order or names of sources."),
    ] = True,
    json: Json = False,
) -> None:
    """Print the change feed: the changes of the mirror in the order in which they were committed."""
    from orcid_sync.store.console.overview import Choice  # noqa: PLC0415 - heavy

    choice = Choice(orcid=single(session, orcid) if orcid else None, section=section, minor=minor)

    async def work(dsn: str) -> None:
        start, known = await _start(session, dsn, choice, after, epoch, limit)
        pages = (_follow if follow else _read)(session, dsn, choice, start, known)
        await _print(pages, limit, json=json)

    with session.database() as dsn:
        try:
            asyncio.run(work(dsn))
        except KeyboardInterrupt:
            if not follow:
                raise


async def _start(
    session: Session, dsn: str, choice: "Choice", after: int | None, epoch: str | None, limit: int | None
) -> tuple[int, str]:
    """The position to start after, and the feed's epoch. Raises Failure if the reader's position means nothing here."""
    from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy

    async with session.connect(dsn) as connection:
        head = await overview.feed_head(connection)
        if epoch is not None and epoch != head.epoch:
            raise Failure(
                f"Resync: the feed has another history now (epoch {head.epoch}). Start again from position 0."
            )
        if after is None:
            return await overview.position_before_last(connection, limit or LAST, choice), head.epoch
        if after > head.last:
            raise Failure(
                f"Resync: the feed ends at position {head.last}, before {after}. Start again from position 0."
            )
        return after, head.epoch


async def _read(
    session: Session, dsn: str, choice: "Choice", after: int, epoch: str
) -> AsyncIterator[list["FeedEntry"]]:
    async with session.connect(dsn) as connection:
        while page := await _page(connection, choice, after, epoch):
            yield page
            after = page[-1].seq


async def _page(connection: "Connection", choice: "Choice", after: int, epoch: str) -> list["FeedEntry"]:
    """The next changes. Raises Failure if they belong to another history than the position (invariant S20)."""
    from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy

    page = await overview.changes_after(connection, after, choice, limit=PAGE)
    if page and page[-1].epoch != epoch:
        raise Failure(REWOUND)
    return page


async def _follow(
    session: Session, dsn: str, choice: "Choice", after: int, epoch: str
) -> AsyncIterator[list["FeedEntry"]]:
    """Pages without end. A database that is away is waited for; a feed that was rewound ends it with Failure."""
    from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.pools import DatabaseUnavailable  # noqa: PLC0415 - heavy

    waiting = False
    while True:
        try:
            async with session.connect(dsn) as connection:
                if (head := await overview.feed_head(connection)).epoch != epoch or head.last < after:
                    raise Failure(REWOUND)
                if waiting:
                    tell("The database answers again.")
                waiting = False
                while True:
                    page = await _page(connection, choice, after, epoch)
                    yield page
                    after = page[-1].seq if page else after
                    if len(page) < PAGE:
                        await asyncio.sleep(POLL_SECONDS)
        except DatabaseUnavailable as error:
            if not waiting:
                tell(f"Waiting for the database: {error}.")
            waiting = True
            await asyncio.sleep(POLL_SECONDS)


async def _print(pages: AsyncIterator[list["FeedEntry"]], limit: int | None, *, json: bool) -> None:
    left = limit
    async with aclosing(pages) as opened:  # type: ignore[type-var]
        async for page in opened:
            for change in page[:left]:
                if json:
                    print_json_line(change)
                else:
                    _print_line(change)
            if left is not None and (left := left - len(page)) <= 0:
                return


def _print_line(change: "FeedEntry") -> None:
    said = said_by(change)
    dim = "dim" if change.minor else ""
    line(
        text(str(change.seq).rjust(6), "dim"),
        text(moment(change.at), dim),
        text(change.orcid, dim),
        text(change.op, dim or OPS.get(change.op, "")),
        text(change.section, dim),
        text(f'"{said.title}"' if said and said.title else change.key, dim),
        text(", ".join(change.fields), "dim") if change.fields else None,
        text(f"because: {change.reason}", dim) if change.reason else None,
        text("minor", "dim") if change.minor else None,
    )


def said_by(change: "FeedEntry") -> Label | None:
    """What to call the item that the change is about; None if its content was forgotten."""
    document = _document(change)
    return None if document is None else label(document)


def _document(change: "FeedEntry") -> bytes | None:
    """The item that the change is about, as it is after the change, of a removed one as it was before."""
    import msgspec  # noqa: PLC0415 - heavy

    content = change.new or change.old
    if content is None:
        return None
    document = msgspec.json.decode(bytes(content), type=dict[str, msgspec.Raw]).get("doc")
    return None if document is None else bytes(document)
