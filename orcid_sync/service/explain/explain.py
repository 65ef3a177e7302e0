"""Explaining one iD: gathering the facts of one moment for a view, and asking ORCID if that is wished.

    facts = await gather(connection, orcid, Question(view=None, rules=rules_of(settings), client_id=settings.client_id))
    explanation = model.explain.explanation.explain(facts)

Everything that shows why something is so (the command line, a page) goes this way; the view decides what can be in it.
"""

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from orcid_sync.model.explain import item_query
from orcid_sync.model.explain.explanation import Explanation, explain
from orcid_sync.model.explain.facts import Asked, Facts, Limits, Read, WebhookHealth
from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.doubts import Kind
from orcid_sync.model.scopes import View
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.model.webhooks.health import Rules
from orcid_sync.service.webhooks.health import assess
from orcid_sync.store.console import explain_facts, in_doubt, overview
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.roles import become
from orcid_sync.store.sync import pace_and_circuit, read_journal


class Question(Struct, frozen=True, kw_only=True):
    """What is asked, and for whose eyes."""

    view: View | None
    """Readers of this kind; None: whoever runs the service."""
    rules: Rules
    """By what it is judged whether webhooks live (`public_listener.rules_of(settings)`)."""
    client_id: str | None = None
    """Our client at ORCID, whose pace counts."""
    item: str | None = None
    """One item in particular: a DOI, a put-code, a part of a title."""


async def gather(connection: AnyConnection, orcid: Orcid, question: Question) -> Facts:
    """All that is known, as of one moment. Reads only. Raises ReadersMissing, if it is for readers."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        queue = await explain_facts.queue_of(connection, orcid)
        facts = Facts(
            at=await overview.clock(connection),
            orcid=orcid,
            view=question.view,
            connection=await explain_facts.connection_of(connection, orcid),
            record=await explain_facts.record_of(connection, orcid),
            queue=queue,
            webhooks=await explain_facts.webhooks_of(connection, orcid),
            side_steps=await explain_facts.side_steps_of(connection, orcid),
            hearing=await _hearing(connection, question.rules),
            limits=await _limits(connection, question.client_id, queue.lane if queue else None),
            reads=await read_journal.load(connection, orcid),
            doubts=await in_doubt.of_record(connection, orcid),
        )
        documents: dict[str, str] = {}
        if question.view is not None:
            await become(connection, question.view)
            doubts = await in_doubt.visible(connection, orcid, facts.doubts)
            facts = replace(_without_numbers(facts), doubts=doubts)
        elif question.item:
            documents = await in_doubt.documents(connection, orcid)
        return replace(
            facts,
            items=await explain_facts.counts(connection, orcid),
            changes=await explain_facts.changes(connection, orcid),
            item=await _item(connection, facts, question.item, documents) if question.item else None,
        )


async def _item(connection: AnyConnection, facts: Facts, text: str, documents: Mapping[str, str]) -> Asked:
    """`documents`: the parts that were set aside, by key, as far as the view may know them."""
    holding = {key for key, document in documents.items() if item_query.stands_in(document, text)}
    return Asked(
        text=text,
        found=await explain_facts.find_items(connection, facts.orcid, text),
        set_aside=[doubt for doubt in facts.doubts if doubt.kind is Kind.ITEM and doubt.key in holding],
    )


async def explain_one(connection: AnyConnection, orcid: Orcid, question: Question) -> Explanation:
    """The explanation of one iD."""
    return explain(await gather(connection, orcid, question))


def _without_numbers(facts: Facts) -> Facts:
    """Numbers of changes count items that the view does not show."""

    def blank(read: Read) -> Read:
        return replace(read, changes={})

    return replace(facts, reads=[blank(read) for read in facts.reads])


async def _hearing(connection: AnyConnection, rules: Rules) -> WebhookHealth:
    heard = await assess(connection, rules)
    return WebhookHealth(
        wanted=heard.switched_on,
        lost_before=heard.alive_since,
        outage_since=heard.outage.began if heard.outage else None,
        silent_since=heard.silence.since if heard.silence else None,
    )


async def _limits(connection: AnyConnection, client_id: str | None, lane: Lane | None) -> Limits:
    workers = await overview.workers(connection)
    known = await pace_and_circuit.load(connection, client_id) if client_id else None
    if known is None:
        return Limits(workers=workers)
    return Limits(
        used_up_seconds=known.used_up_seconds,
        shed=lane is not None and known.shed(lane),
        used=known.used,
        daily_requests=known.daily_requests,
        day_ends_seconds=known.day_ends_seconds,
        paused_seconds=known.paused_seconds,
        silent_seconds=known.silent_seconds,
        failing_since=known.failing_since if known.away else None,
        workers=workers,
    )
