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
    p.one_of("section", "Only of these sections.", SECTION_NAMES, repeated=True),
    p.one_of("op", "Only these operations.", OPS, repeated=True),
    p.yes_or_no("minor", "Also what only moves dates, display order, grouping or names of sources.", default=True),
)
_AFTER = p.text("after", "A cursor, as an answer gave it; `end` for the end of the feed as it is now; absent: all.")
_LIMIT = p.whole("limit", "At most so many. As JSON at most 1000, without it 100.", least=1, most=1_000_000)
_WAIT = p.whole("wait", "If there is nothing yet, wait so many seconds for it.", least=0, most=60, default=0)
_AS_OF = p.moment("as_of", "As the mirror held it at this moment, as far as the caller may see it today.")
_PAGE = p.text("after", "Those after this iD; `next` of the page before has it.")
_FOLLOWED = (_AFTER, _LIMIT, _WAIT, *_WANTED)

_RESYNC = (
    "The cursor means nothing here, or no longer: start again. `snapshot` is the address to read, `cursor` the one to "
    "go on from."
)
_VERIFIED = {VERIFIED: "When the record was last known to equal ORCID's.", "ETag": "For If-None-Match."}
_LINES_OF_CHANGES = "The changes; as lines, the last one has no change, but only `cursor` and `more`."


def feed_routes(feed: Feed, stream: Stream, keeping: Keeping) -> list[Route]:
    """Following the feed."""
    changes = Answer(_LINES_OF_CHANGES, {JSON: Changes, LINES: Change})
    name = p.name_in_path("name", "What the consumer calls itself.")

    def of_feed(path: str, operation: str, summary: str, *more: Parameter) -> Route:
        return Route(
            method="GET",
            path=path,
            name=operation,
            summary=summary,
            details="In the order of commits. Delivered at least once; apply by `seq`, obey `removed` and `withdrawn`.",
            scope=Scope.READ_PUBLIC,
            parameters=(*more, *_FOLLOWED),
            answers={200: changes},
            refusals={409: _RESYNC},
            handler=feed.changes,
        )

    return [
        of_feed("/v1/changes", "listChanges", "The changes after a cursor", p.orcid("orcid", "Only of this iD.")),
        Route(
            method="GET",
            path="/v1/changes/stream",
            name="streamChanges",
            summary="The changes after a cursor, and all that come, as server-sent events",
            details="Events are `change` (data: a change, id: the cursor behind it) and `resync` (data: the problem; "
            "the last event). The header Last-Event-ID counts before `after`. Something comes every 15 seconds.",
            scope=Scope.READ_PUBLIC,
            parameters=(p.orcid("orcid", "Only of this iD."), _AFTER, *_WANTED),
            answers={200: Answer("The events.", {EVENTS: Change})},
            refusals={409: _RESYNC},
            handler=stream.stream,
        ),
        of_feed("/v1/records/{orcid}/changes", "listChangesOfRecord", "The changes of one record", ORCID),
        Route(
            method="GET",
            path="/v1/consumers",
            name="listConsumers",
            summary="The consumers that keep their cursor here",
            scope=Scope.READ_PUBLIC,
            answers={200: Answer("One's own; administrators see all.", {JSON: Consumers})},
            handler=keeping.all,
        ),
        Route(
            method="GET",
            path="/v1/consumers/{name}",
            name="getConsumer",
            summary="How far a consumer has come",
            scope=Scope.READ_PUBLIC,
            parameters=(name,),
            answers={200: Answer("Its cursor, and how far it is behind.", {JSON: Consumer})},
            handler=keeping.one,
        ),
        Route(
            method="PUT",
            path="/v1/consumers/{name}",
            name="putConsumer",
            summary="Keep how far a consumer has come",
            details="After what came before the cursor has been dealt with. The name belongs to the token that puts it "
            "first.",
            scope=Scope.READ_PUBLIC,
            parameters=(name,),
            bodies={JSON: Kept},
            answers={200: Answer("How it stands now.", {JSON: Consumer})},
            refusals={409: _RESYNC},
            handler=keeping.put,
        ),
        Route(
            method="DELETE",
            path="/v1/consumers/{name}",
            name="deleteConsumer",
            summary="Forget a consumer",
            scope=Scope.READ_PUBLIC,
            parameters=(name,),
            answers={204: Answer("It is forgotten.")},
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
            summary="All records with their items: a snapshot",
            details="The cursor of the first page, which all others repeat, is the one to follow the feed from "
            "afterwards. As lines, all records come at once, and the last line has only `cursor` and `more`.",
            scope=Scope.READ_PUBLIC,
            parameters=(
                _PAGE,
                p.whole("limit", "At most so many, as JSON.", least=1, most=100, default=20),
                p.text("cursor", "As the page before had it; `next` has it."),
            ),
            answers={200: Answer("The records.", {JSON: Records, LINES: Record})},
            refusals={409: _RESYNC},
            handler=reading.all,
        ),
        Route(
            method="GET",
            path="/v1/records/{orcid}",
            name="getRecord",
            summary="One record with its items",
            scope=Scope.READ_PUBLIC,
            parameters=(ORCID, _AS_OF),
            answers={200: Answer("The record.", {JSON: RecordThen}, _VERIFIED), 304: Answer("It is what you have.")},
            handler=reading.one,
        ),
        Route(
            method="GET",
            path="/v1/records/{orcid}/{section}",
            name="getSection",
            summary="The items of one section of a record",
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
            summary="Who is followed, and how they stand",
            scope=Scope.ADMIN,
            parameters=(
                p.one_of("state", "Only in this state.", ("connected", "disconnecting", "disconnected")),
                p.yes_or_no("failing", "Only those whose last read failed.", default=False),
                _PAGE,
                p.whole("limit", "At most so many.", least=1, most=1_000, default=100),
            ),
            answers={200: Answer("The connections in the order of their iDs.", {JSON: Connections})},
            handler=following.all,
        ),
        Route(
            method="POST",
            path="/v1/connections",
            name="postConnections",
            summary="Follow iDs, or let them go",
            details="One iD as JSON, or one on each line, which is answered by a line each. May be repeated. Tokens of "
            "researchers are not taken here, but by `orcid-sync connect --file`, and nobody is erased.",
            scope=Scope.ADMIN,
            bodies={JSON: Wish, LINES: Wish},
            answers={200: Answer("What became of it.", {JSON: Granted, LINES: LineResult})},
            refusals={422: "The iD is none."},
            handler=following.post,
        ),
        Route(
            method="DELETE",
            path="/v1/connections/{orcid}",
            name="deleteConnection",
            summary="Let an iD go",
            details="What was not public goes, as with `orcid-sync disconnect`.",
            scope=Scope.ADMIN,
            parameters=(ORCID,),
            answers={200: Answer("What became of it.", granted)},
            handler=following.delete,
        ),
        Route(
            method="POST",
            path="/v1/records/{orcid}/sync",
            name="syncRecord",
            summary="Have a record read now",
            scope=Scope.ADMIN,
            parameters=(ORCID,),
            answers={202: Answer(f"It is due now; {VERIFIED} of the record tells when it was read.", granted)},
            handler=following.sync,
        ),
    ]


def _section_in_path() -> Parameter:
    known = p.one_of("section", "The section.", SECTION_NAMES)
    return Parameter(name=known.name, meaning=known.meaning, schema=known.schema, read=known.read, place="path")
