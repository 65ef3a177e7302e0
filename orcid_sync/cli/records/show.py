"""show: one iD, its record and how it stands."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import ago, console, moment, print_json, table, text
from orcid_sync.cli.base.session import Failure, Session
from orcid_sync.cli.people.connect import single
from orcid_sync.cli.records.history import show_past
from orcid_sync.model.text.labels import label

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.store.console.overview import MirroredItem, Person
    from orcid_sync.store.webhooks.inventory import Webhook

# Of works and their like only the preferred version of each group has a line; the others are counted.
_PREFERRED = (None, 0)


@command
def show(
    session: Session,
    orcid: Annotated[str, typer.Argument(metavar="iD", help="The iD in any form.", show_default=False)],
    *,
    section: Annotated[
        str | None, typer.Option("--section", help="Show only this section, as ORCID names it: work, employment, …")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="MOMENT",
            help="Show the record as it was then: 2026-06-01, 2026-06-01T12:00Z, 3d (three days ago).",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show what the mirror holds of an iD, with its connection, access and next read; or what it held at a moment."""
    from orcid_sync.model.record.sections import SECTIONS  # noqa: PLC0415 - heavy

    wanted = single(session, orcid)
    if as_of is not None:
        show_past(session, wanted, as_of, section, json=json)
        return
    if section is not None and section not in SECTIONS:
        raise typer.BadParameter(f"there is no section {section}; there are: {', '.join(SECTIONS)}")

    async def work(connection: "Connection") -> tuple[datetime, "Person | None", list["Webhook"], list["MirroredItem"]]:
        from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy
        from orcid_sync.store.webhooks import inventory  # noqa: PLC0415 - heavy

        return (
            await overview.clock(connection),
            await overview.person(connection, wanted),
            await inventory.load(connection, wanted),
            await overview.items(connection, wanted, section),
        )

    now, person, hooks, items = session.run(work)
    if person is None:
        raise Failure(f"{wanted} is not connected. Connect it with: orcid-sync connect {wanted}")
    sections = _by_section(items, SECTIONS)
    if json:
        print_json({"person": person, "webhooks": hooks, "sections": sections})
        return
    page = console()
    page.print(table("", "", rows=_facts(person, hooks, now)))
    for name, members in sections.items():
        page.print(_section_table(name, members))


def _by_section(items: list["MirroredItem"], order: Iterable[str]) -> dict[str, list["MirroredItem"]]:
    """Items by section, in ORCID's order of sections, the newest first."""
    sections = defaultdict(list)
    for item in items:
        sections[item.section].append(item)
    return {
        name: sorted(sections[name], key=lambda i: (i.modified_at or i.changed_at, i.key), reverse=True)
        for name in order
        if name in sections
    }


def _facts(person: "Person", hooks: list["Webhook"], now: datetime) -> list[tuple[str, Any]]:
    """What there is to say about the person, name by name."""
    from orcid_sync.model.explain.summary import in_doubt  # noqa: PLC0415 - heavy

    facts: list[tuple[str, Any]] = [
        ("iD", person.orcid),
        ("name", person.name),
        ("employer", person.employer),
        ("record", _record(person)),
        ("connection", _connection(person)),
        ("access", f"{person.access or 'not read yet'} (token: {person.access_state})"),
        ("webhook", ", ".join(f"{hook.state} (key {hook.key_version}, {hook.public_url})" for hook in hooks) or "none"),
        ("verified", _when(person.verified_at, now)),
        ("changed", _when(person.changed_at, now)),
        ("notified", _when(person.notified_at, now)),
        ("next read", _next_read(person, now)),
    ]
    if person.attempts:
        facts.append(("failing", text(f"{person.attempts} in a row, the last: {person.last_error}", "fail")))
    facts += [(fact.name, text(fact.value, "warn")) for fact in in_doubt(person.doubts, now)]
    return [(name, value) for name, value in facts if value is not None]


def _record(person: "Person") -> Any:
    if person.state is None:
        return text("not read yet", "warn")
    successor = f", now {person.primary_orcid}" if person.primary_orcid else ""
    return text(f"{person.state}{successor}", "" if person.state == "active" else "warn")


def _connection(person: "Person") -> str:
    since = person.disconnected_at or person.connected_at
    return f"{person.connection} since {moment(since)}"


def _next_read(person: "Person", now: datetime) -> str | None:
    if person.due_at is None:
        return None
    return "running now" if person.leased else _when(person.due_at, now)


def _when(at: datetime | None, now: datetime) -> str:
    return "never" if at is None else f"{moment(at)} ({ago(at, now)})"


def _section_table(name: str, items: list["MirroredItem"]) -> Any:
    preferred = [item for item in items if item.group_position in _PREFERRED]
    more = len(items) - len(preferred)
    title = f"{name}: {len(preferred)}" + (f" (and {more} other versions)" if more else "")
    return table("title", "where", "when", "visible to", "key", title=title, rows=map(_cells, preferred))


def _cells(item: "MirroredItem") -> list[Any]:
    said = label(bytes(item.doc))
    return [said.title, said.place, said.dates, item.visibility, text(item.key, "note")]
