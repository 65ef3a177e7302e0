"""The table of routes: what there is below /v1. Requests are answered, and the OpenAPI document is made, from it."""

from typing import Any

from orcid_sync.model.record.diff import RECORD
from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.model.scopes import Scope
from orcid_sync.service.api import parameters as p
from orcid_sync.service.api.connections import Connections, Following, Granted, LineResult, Wish
from orcid_sync.service.api.consumers import Consumers, Keeping, Kept
from orcid_sync.service.api.event_stream import Stream
from orcid_sync.service.api.feed import Changes, Feed
from orcid_sync.service.api.feed_reader import Change
from orcid_sync.service.api.parameters import ORCID, Parameter
from orcid_sync.service.api.records import VERIFIED, Reading, Records, RecordThen, SectionThen
from orcid_sync.service.api.route import EVENTS, JSON, LINES, Answer, Route
from orcid_sync.store.feed.consumers import Consumer
from orcid_sync.store.mirror.records import Record

OPS = ("added", "updated", "removed", "withdrawn")
SECTION_NAMES = (RECORD, *SECTIONS)

_WANTED = (
    p.one_of(
        "section", "Only of these sections; the section `record` comes in any case.", SECTION_NAMES, repeated=True
    ),
    p.one_of(
        "op",
        "Only these operations; `removed`, `withdrawn` and the section `record` come in any case.",
        OPS,
        repeated=True,
    ),
    p.yes_or_no(
        "minor", "Include changes of nothing but dates, display order, grouping or names of sources.", default=True
    ),
)
_AFTER = p.text(
    "after", "A cursor from an earlier answer, or `end` for the present end of the feed. Default: everything."
)
_LIMIT = p.whole("limit", "Largest number of changes. As JSON at most 1000, by default 100.", least=1, most=1_000_000)
_WAIT = p.whole("wait", "Seconds to wait for a change if there is none yet.", least=0, most=60, default=0)
_AS_OF = p.moment("as_of", "Show what the mirror held at this time, as far as the caller may see it today.")
_PAGE = p.text("after", "Start after this iD; `next` of the page before contains it.")
_FOLLOWED = (_AFTER, _LIMIT, _WAIT, *_WANTED)

_RESYNC = (
    "The cursor is not valid, or no longer: start again. Read the address in `snapshot`, then follow the "
    "feed from `cursor`."
)
_VERIFIED = {VERIFIED: "When the record was last known to equal ORCID's.", "ETag": "For If-None-Match."}
_OBEY = (
    "Obey `removed`, `withdrawn` and the lines of the section `record`: no parameter leaves them out. Whenever the "
    "record is `updated` or `removed`, read it again and replace what you have of it; 404 means: delete it."
)
_LINES_OF_CHANGES = "The changes. As lines, the last line has no change, only `cursor` and `more`."


def feed_routes(feed: Feed, stream: Stream) -> list[Route]:
    """Following the feed."""
    changes = Answer(_LINES_OF_CHANGES, {JSON: Changes, LINES: Change})

    def of_feed(path: str, operation: str, summary: str, *more: Parameter) -> Route:
        return Route(
            method="GET",
            path=path,
            name=operation,
            summary=summary,
            details=f"In the order of commits, each at least once. Apply them by `seq`. {_OBEY}",
            scope=Scope.READ_PUBLIC,
            parameters=(*more, *_FOLLOWED),
            answers={200: changes},
            refusals={409: _RESYNC},
            handler=feed.changes,
        )

    return [
        of_feed("/v1/changes", "listChanges", "List the changes after a cursor", p.orcid("orcid", "Only of this iD.")),
        Route(
            method="GET",
            path="/v1/changes/stream",
            name="streamChanges",
            summary="Follow the changes after a cursor as server-sent events",
            details="Events are `change` (data: a change, id: the cursor after it) and `resync` (data: the problem; "
            "the last event). The header Last-Event-ID has precedence over `after`. The service sends something every "
            f"15 seconds. {_OBEY}",
            scope=Scope.READ_PUBLIC,
            parameters=(p.orcid("orcid", "Only of this iD."), _AFTER, *_WANTED),
            answers={200: Answer("The events.", {EVENTS: Change})},
            refusals={409: _RESYNC},
            handler=stream.stream,
        ),
        of_feed("/v1/records/{orcid}/changes", "listChangesOfRecord", "List the changes of one record", ORCID),
    ]


def consumer_routes(keeping: Keeping) -> list[Route]:
    """Keeping the cursors of those who follow."""
    name = p.name_in_path("name", "Name of the consumer.")
    return [
        Route(
            method="GET",
            path="/v1/consumers",
            name="listConsumers",
            summary="List the consumers that store their cursor here",
            scope=Scope.READ_PUBLIC,
            answers={200: Answer("Your own consumers; administrators see all.", {JSON: Consumers})},
            handler=keeping.all,
        ),
        Route(
            method="GET",
            path="/v1/consumers/{name}",
            name="getConsumer",
            summary="Show the cursor of a consumer",
            scope=Scope.READ_PUBLIC,
            parameters=(name,),
            answers={200: Answer("The cursor, and how far the consumer is behind.", {JSON: Consumer})},
            handler=keeping.one,
        ),
        Route(
            method="PUT",
            path="/v1/consumers/{name}",
            name="putConsumer",
            summary="Store the cursor of a consumer",
            details="Send it after you have processed everything before the cursor. The name belongs to the token that "
            "uses it first.",
            scope=Scope.READ_PUBLIC,
            parameters=(name,),
            bodies={JSON: Kept},
            answers={200: Answer("The consumer as it is now.", {JSON: Consumer})},
            refusals={409: _RESYNC},
            handler=keeping.put,
        ),
        Route(
            method="DELETE",
            path="/v1/consumers/{name}",
            name="deleteConsumer",
            summary="Delete a consumer",
            scope=Scope.READ_PUBLIC,
            parameters=(name,),
            answers={204: Answer("The consumer is deleted.")},
            handler=keeping.delete,
        ),
    ]


def record_routes(reading: Reading) -> list[Route]:
    """Reading the mirror."""
    return [
        Route(
            method="GET",
            path="/v1/records",
            name="listRecords",
            summary="List all records with their items: a snapshot",
            details="Afterwards, follow the feed from the cursor of the first page, which all other pages repeat. As "
            "lines, all records come at once, and the last line has only `cursor` and `more`.",
            scope=Scope.READ_PUBLIC,
            parameters=(
                _PAGE,
                p.whole("limit", "Largest number of records, as JSON.", least=1, most=100, default=20),
                p.text("cursor", "The cursor of the page before; `next` contains it."),
            ),
            answers={200: Answer("The records.", {JSON: Records, LINES: Record})},
            refusals={409: _RESYNC},
            handler=reading.all,
        ),
        Route(
            method="GET",
            path="/v1/records/{orcid}",
            name="getRecord",
            summary="Show one record with its items",
            scope=Scope.READ_PUBLIC,
            parameters=(ORCID, _AS_OF),
            answers={200: Answer("The record.", {JSON: RecordThen}, _VERIFIED), 304: Answer("It is what you have.")},
            handler=reading.one,
        ),
        Route(
            method="GET",
            path="/v1/records/{orcid}/{section}",
            name="getSection",
            summary="List the items of one section of a record",
            scope=Scope.READ_PUBLIC,
            parameters=(ORCID, _section_in_path(), _AS_OF),
            answers={200: Answer("The items.", {JSON: SectionThen}, _VERIFIED), 304: Answer("It is what you have.")},
            handler=reading.section,
        ),
    ]


def connection_routes(following: Following) -> list[Route]:
    """Who is followed. For administrators."""
    granted: dict[str, Any] = {JSON: Granted}
    return [
        Route(
            method="GET",
            path="/v1/connections",
            name="listConnections",
            summary="List the connections and their state",
            scope=Scope.ADMIN,
            parameters=(
                p.one_of("state", "Only connections in this state.", ("connected", "disconnecting", "disconnected")),
                p.yes_or_no("failing", "Only connections whose last read failed.", default=False),
                _PAGE,
                p.whole("limit", "Largest number of connections.", least=1, most=1_000, default=100),
            ),
            answers={200: Answer("The connections in the order of their iDs.", {JSON: Connections})},
            handler=following.all,
        ),
        Route(
            method="POST",
            path="/v1/connections",
            name="postConnections",
            summary="Connect or disconnect iDs",
            details="One iD as JSON, or one on each line, each of which is answered by a line. You can repeat it. It "
            "does not accept researchers' tokens: use `orcid-sync connect --file`. It never erases anybody.",
            scope=Scope.ADMIN,
            bodies={JSON: Wish, LINES: Wish},
            answers={200: Answer("What became of it.", {JSON: Granted, LINES: LineResult})},
            refusals={422: "The iD is not valid."},
            handler=following.post,
        ),
        Route(
            method="DELETE",
            path="/v1/connections/{orcid}",
            name="deleteConnection",
            summary="Disconnect an iD",
            details="Removes everything that is not public, like `orcid-sync disconnect`.",
            scope=Scope.ADMIN,
            parameters=(ORCID,),
            answers={200: Answer("What became of it.", granted)},
            handler=following.delete,
        ),
        Route(
            method="POST",
            path="/v1/records/{orcid}/sync",
            name="syncRecord",
            summary="Read a record now",
            scope=Scope.ADMIN,
            parameters=(ORCID,),
            answers={202: Answer(f"The read is due now; {VERIFIED} of the record shows when it was read.", granted)},
            handler=following.sync,
        ),
    ]


def _section_in_path() -> Parameter:
    known = p.one_of("section", "The section.", SECTION_NAMES)
    return Parameter(name=known.name, meaning=known.meaning, schema=known.schema, read=known.read, place="path")
