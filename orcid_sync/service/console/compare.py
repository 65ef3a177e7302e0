"""A record at two moments, side by side."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from aiohttp import web
from msgspec import Struct

from orcid_sync.model.feed.field_changes import come, gone
from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.diff import MINOR, RECORD
from orcid_sync.model.record.past import Difference, Past, differences
from orcid_sync.model.record.sections import ItemKey
from orcid_sync.model.scopes import Scope
from orcid_sync.model.text.labels import Label
from orcid_sync.model.text.moments import NotAMoment, parse_moment
from orcid_sync.service.console.record import NAMES, head, orcid_of
from orcid_sync.service.http.authentication import demand
from orcid_sync.service.rendering.page import Site
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.mirror import history

USUAL = "7d"
"""What is compared with now, if nothing else is asked for."""

FIRST_LOAD = timedelta(seconds=1)
"""After the mirror came to know a record, so long later its first state is there; earlier moments mean that one."""

State = Mapping[ItemKey, Past]


class Field(Struct, frozen=True):
    """A field that is not the same."""

    name: str
    before: list[str]
    after: list[str]


class Side(Struct, frozen=True):
    """An item that is not the same, with what to call it on either side; None: it is not there."""

    difference: Difference
    before: Label | None
    after: Label | None
    fields: list[Field]


class Compared(Struct, frozen=True):
    """What there is to show."""

    sections: dict[str, list[Side]]
    """By title."""
    hidden: int
    """Items of which only dates, order or names of sources differ."""


class Compare:
    """The page."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, request: web.Request) -> web.Response:
        """Answer GET /records/{orcid}/compare."""
        caller = demand(request, Scope.READ_PUBLIC)
        orcid, minor = orcid_of(request), request.query.get("minor") == "1"
        typed = [request.query.get(name, usual).strip()[:60] for name, usual in (("from", USUAL), ("to", "now"))]
        said = await head(self._site, caller, orcid)
        moments, problem = read_moments(typed, said["now"])
        compared, since = None, None
        async with self._site.viewing(caller.view) as connection:
            since = await history.known_since(connection, orcid)
            if moments and since:
                moments = [min(max(one, since + FIRST_LOAD), said["now"]) for one in moments]
                compared = await compare(connection, orcid, *moments, minor=minor)
        said |= {"typed": typed, "moments": moments, "since": since, "minor": minor}
        said |= {"problem": problem, "compared": compared}
        status = 400 if problem else 200
        return self._site.renderer.page(request, "compare.html", status=status, **said)


def read_moments(typed: list[str], now: datetime) -> tuple[list[datetime], str]:
    """The two moments; or none, and what is wrong with them."""
    try:
        first, last = (parse_moment(text, now) for text in typed)
    except NotAMoment as error:
        return [], str(error)
    return ([], "The later moment is before the earlier one.") if last < first else ([first, last], "")


async def compare(connection: AnyConnection, orcid: Orcid, first: datetime, last: datetime, *, minor: bool) -> Compared:
    """How the record differs, for the reader that the connection is."""
    before, after = [await history.as_of(connection, orcid, at) for at in (first, last)]
    found = differences(orcid, before, after)
    shown = [one for one in found if minor or not one.minor]
    sections: dict[str, list[Side]] = {}
    for one in shown:
        title = "Record" if one.section == RECORD else NAMES.get(one.section, one.section)
        sections.setdefault(title, []).append(side(one, before, after, minor=minor))
    return Compared(sections, len(found) - len(shown))


def side(one: Difference, before: State, after: State, *, minor: bool) -> Side:
    """The difference with both sides of it."""
    key = one.section, one.key
    labels = [state[key].label if key in state else None for state in (before, after)]
    fields = [
        Field(change.name, gone(change), come(change))
        for change in one.fields
        if minor or one.minor or change.name.partition(": ")[0] not in MINOR - {"doc"}
    ]
    return Side(one, labels[0], labels[1], fields)
