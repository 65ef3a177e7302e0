"""explain: why the mirror of an iD, or one item of it, is as it is; one sentence, and what it is made of."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import replace

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, moment, print_json, table, text
from orcid_sync.cli.base.session import Session
from orcid_sync.cli.people.connect import single
from orcid_sync.model.scopes import View

if TYPE_CHECKING:
    from orcid_sync.model.analysis.audit import Finding
    from orcid_sync.model.explain.explanation import Explanation
    from orcid_sync.model.explain.facts import Facts, Item
    from orcid_sync.model.ids import Orcid

STYLES = {
    "connection": "cyan",
    "access": "cyan",
    "webhook": "blue",
    "notification": "magenta",
    "read": "",
    "change": "green",
    "to come": "dim",
}
"""Of the kinds of events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What is to be explained, and to whom."""

    orcid: "Orcid"
    item: str | None
    view: View | None
    ask: bool


@command
def explain(
    session: Session,
    orcid: Annotated[str, typer.Argument(metavar="iD", help="The iD in any form.", show_default=False)],
    *,
    item: Annotated[
        str | None,
        typer.Option("--item", metavar="TEXT", help="Explain one item: a DOI, a put-code, or a part of its title."),
    ] = None,
    ask: Annotated[
        bool,
        typer.Option(
            "--ask", help="Also read the record from ORCID now and compare it: one request, nothing is written."
        ),
    ] = False,
    view: Annotated[View | None, typer.Option("--view", help="Use only what these readers may see.")] = None,
    json: Json = False,
) -> None:
    """Explain why the mirror of an iD is as it is: one sentence, the facts behind it, and a time line.

    Example: orcid-sync explain 0000-0002-1825-0097 --item 10.1234/5678
    """
    from orcid_sync.model.explain.explanation import explain as judge  # noqa: PLC0415 - heavy

    if item is not None and not item.strip():
        raise typer.BadParameter("--item is empty: give a DOI, a put-code, or a part of a title")
    if ask:
        session.settings.require("client_id", "client_secret", "encryption_key")
    wish = _Wish(orcid=single(session, orcid), item=item, view=view, ask=ask)
    with session.database() as dsn:
        explanation = judge(asyncio.run(_facts(session, dsn, wish)))
    if json:
        print_json(explanation)
    else:
        _show(explanation)


async def _facts(session: Session, dsn: str, wish: _Wish) -> "Facts":
    from orcid_sync.daemon.public_listener import rules_of  # noqa: PLC0415 - heavy
    from orcid_sync.service.explain.explain import Question, gather  # noqa: PLC0415 - heavy

    settings = session.settings
    question = Question(view=wish.view, rules=rules_of(settings), client_id=settings.client_id, item=wish.item)
    now = await _ask(session, dsn, wish.orcid) if wish.ask else None
    async with session.connect(dsn) as connection:
        facts = await gather(connection, wish.orcid, question)
    return replace(facts, now=now)


async def _ask(session: Session, dsn: str, orcid: "Orcid") -> "Finding":
    """What ORCID shows at this moment, compared with the mirror."""
    from orcid_sync.cli.base.registry_access import asking  # noqa: PLC0415 - heavy
    from orcid_sync.service.analysis.audit import Auditor  # noqa: PLC0415 - heavy

    async with asking(session, dsn) as means:
        return await Auditor(database=means.database, registry=means.registry, vault=means.vault).audit(orcid)


def _show(explanation: "Explanation") -> None:
    page = console()
    calm = explanation.diagnosis.complaint in ("well", "item-present")
    page.print(text(explanation.diagnosis.sentence, "ok" if calm else "bold"))
    if explanation.diagnosis.advice:
        page.print(text(explanation.diagnosis.advice, "note"))
    for other in explanation.also:
        page.print(text(f"Also: {other.sentence}"))
    page.print()
    if explanation.item and len(explanation.item.found) > 1:
        rows = map(_item_cells, explanation.item.found)
        title = f'Items that match "{explanation.item.text}"'
        page.print(table("title", "section", "key", "visible to", "there", title=title, rows=rows))
    page.print(table("", "", rows=_facts_cells(explanation)))
    if not explanation.timeline:
        return
    page.print()
    page.print(table("when", "", "what", title="Time line", rows=_events(explanation)))


def _facts_cells(explanation: "Explanation") -> Iterator[tuple[Any, Any]]:
    yield "iD", explanation.orcid
    for fact in explanation.facts:
        yield fact.name, text(fact.value, "warn" if fact.doubtful else "")
    yield "as of", explanation.at


def _item_cells(item: "Item") -> tuple[Any, ...]:
    there = f"until {moment(item.gone_at)}" if item.gone_at else "yes"
    return item.title or text("forgotten", "note"), item.section, item.key, item.visibility, there


def _events(explanation: "Explanation") -> Iterator[tuple[Any, ...]]:
    for event in explanation.timeline:
        style = STYLES.get(event.kind.value, "")
        yield moment(event.at), text(event.kind.value, style), text(event.sentence, "dim" if style == "dim" else "")
