"""subscriptions add, edit: which changes a receiver gets, put together from options."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import print_json
from orcid_sync.cli.base.session import Failure, Session, tell

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.store.pushes.subscriptions import Subscription, Wish

ALL = "all"
"""As a value of a filter: everything; so a filter is taken away again."""

VIEWS = ("public", "limited")
WHEN_DEAD = ("pause", "continue")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the subscription.", show_default=False)]
View = Annotated[
    str | None,
    typer.Option(
        "--view", help="What the receiver may see. public: public items; limited: also items for trusted organisations."
    ),
]
Sections = Annotated[
    list[str] | None,
    typer.Option(
        "--section",
        help="Send only changes of this section, and those of the record itself. May be repeated. all: every section.",
    ),
]
Operations = Annotated[
    list[str] | None,
    typer.Option(
        "--operation",
        help="Send only this operation: added, updated, removed or withdrawn. What is removed or withdrawn is sent in "
        "any case. May be repeated. all: every operation.",
    ),
]
Organisations = Annotated[
    list[str] | None,
    typer.Option(
        "--organisation",
        metavar="[SOURCE:]ID",
        help="Send only items of this organisation: https://ror.org/…, GRID:grid.…. May be repeated. all: every "
        "organisation.",
    ),
]
ExternalIds = Annotated[
    list[str] | None,
    typer.Option(
        "--external-id",
        metavar="TYPE[:PREFIX]",
        help="Send only items with this type of identifier: doi, doi:10.5281/. May be repeated. all: every item.",
    ),
]
Minor = Annotated[
    bool | None,
    typer.Option("--minor/--no-minor", help="Also send changes of nothing but dates, order or names of sources."),
]
Contents = Annotated[
    bool | None,
    typer.Option("--contents/--no-contents", help="Send the contents of items before and after the change."),
]
WhenDead = Annotated[
    str | None,
    typer.Option(
        "--when-dead",
        help="After the last retry of a message: pause until you resume it, or continue with the next message.",
    ),
]


@command
def add(
    session: Session,
    name: Name,
    url: Annotated[str, typer.Argument(metavar="URL", help="Address that receives the messages.", show_default=False)],
    *,
    view: View = None,
    section: Sections = None,
    operation: Operations = None,
    organisation: Organisations = None,
    external_id: ExternalIds = None,
    minor: Minor = None,
    contents: Contents = None,
    when_dead: WhenDead = None,
    after: Annotated[
        int | None,
        typer.Option("--after", min=0, help="Start after this position of the feed. Default: with the next change."),
    ] = None,
    json: Json = False,
) -> None:
    """Add a subscription and print the secret that signs its messages. It is shown only once: keep it.

    Example: orcid-sync subscriptions add cris https://cris.example.edu/orcid --section work
    """
    from orcid_sync.store.database.encryption import Vault  # noqa: PLC0415 - heavy
    from orcid_sync.store.pushes import subscriptions as store  # noqa: PLC0415 - heavy

    vault = Vault(session.settings.key_ring)
    wish = _wish(
        session, _filter(section, operation, organisation, external_id, minor), url, view or "public",
        contents=contents is not False, when_dead=when_dead or "pause",
    )  # fmt: skip
    _demand_name(name)

    async def work(connection: "Connection") -> "tuple[Subscription | None, str | None]":
        await _demand_position(connection, after)
        secret = await store.add(connection, vault, name, wish, after=after)
        await _hurry(connection)
        return await store.load(connection, name), secret

    found, secret = session.run(work)
    if found is None or secret is None:
        raise Failure(f"There is already a subscription {name}. To change it: orcid-sync subscriptions edit {name}")
    if json:
        print_json({"subscription": found, "secret": secret})
        return
    typer.echo(
        f"{name} receives the changes after position {found.reached}. Send a test message: orcid-sync subscriptions "
        f"test {name}"
    )
    typer.echo(f"Its secret, shown only once: {secret}")


@command
def edit(
    session: Session,
    name: Name,
    *,
    url: Annotated[str | None, typer.Option("--url", help="Address that receives the messages.")] = None,
    view: View = None,
    section: Sections = None,
    operation: Operations = None,
    organisation: Organisations = None,
    external_id: ExternalIds = None,
    minor: Minor = None,
    contents: Contents = None,
    when_dead: WhenDead = None,
    json: Json = False,
) -> None:
    """Change the given options of a subscription. They apply to all further messages, retries included."""
    from orcid_sync.store.pushes import subscriptions as store  # noqa: PLC0415 - heavy

    given = _filter(section, operation, organisation, external_id, minor)

    async def work(connection: "Connection") -> "Subscription | None":
        found = await store.load(connection, name)
        if found is None:
            raise unknown(name)
        wish = _wish(
            session, msgspec.structs.asdict(found.filter) | given, url or found.url, view or found.view,
            contents=found.contents if contents is None else contents, when_dead=when_dead or found.when_dead,
        )  # fmt: skip
        await store.edit(connection, name, wish)
        await _hurry(connection)
        return await store.load(connection, name)

    found = session.run(work)
    if json:
        print_json(found)
    else:
        tell(f"{name} is changed. Show it: orcid-sync subscriptions show {name}")


def unknown(name: str) -> Failure:
    """There is no subscription of that name."""
    return Failure(f"There is no subscription {name!a}. List the subscriptions: orcid-sync subscriptions list")


def _wish(session: Session, chosen: dict[str, Any], url: str, view: str, *, contents: bool, when_dead: str) -> "Wish":
    """Raises BadParameter for what cannot be meant."""
    from orcid_sync.daemon.push_sender import egress_rules  # noqa: PLC0415 - heavy
    from orcid_sync.model.pushes.filters import Filter  # noqa: PLC0415 - heavy
    from orcid_sync.service.pushes.guarded_client import AddressRefused  # noqa: PLC0415 - heavy
    from orcid_sync.store.pushes.subscriptions import Wish  # noqa: PLC0415 - heavy

    for option, value, known in (("--view", view, VIEWS), ("--when-dead", when_dead, WHEN_DEAD)):
        if value not in known:
            raise typer.BadParameter(f"{option}: {value!a} must be one of {', '.join(known)}.")
    try:
        origin = egress_rules(session.settings).check_url(url)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    except AddressRefused as error:
        raise typer.BadParameter(
            f"The service may not call this URL: {error}. To allow a network of your own, set push_networks."
        ) from None
    return Wish(url=url, origin=origin, view=view, filter=Filter(**chosen), contents=contents, when_dead=when_dead)


def _filter(
    section: list[str] | None,
    operation: list[str] | None,
    organisation: list[str] | None,
    external_id: list[str] | None,
    minor: bool | None,  # noqa: FBT001 - an option, passed on
) -> dict[str, Any]:
    """What of the filter was given. Raises BadParameter."""
    from orcid_sync.model.pushes import filters  # noqa: PLC0415 - heavy

    given: dict[str, tuple[list[str] | None, Callable[[str], str]]] = {
        "sections": (section, filters.parse_section),
        "operations": (operation, filters.parse_operation),
        "organisations": (organisation, filters.parse_organisation),
        "external_ids": (external_id, filters.parse_external_id),
    }
    try:
        chosen: dict[str, Any] = {
            name: [] if ALL in values else sorted({parse(value) for value in values})
            for name, (values, parse) in given.items()
            if values
        }
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return chosen if minor is None else chosen | {"minor": minor}


def _demand_name(name: str) -> None:
    import re  # noqa: PLC0415 - with what needs it

    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        raise typer.BadParameter(f"{name!a}: a name has only lower-case letters, digits, hyphens and underscores.")


async def _demand_position(connection: "Connection", after: int | None) -> None:
    from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy

    if after is not None and after > (last := (await overview.feed_head(connection)).last):
        raise Failure(f"The feed ends at position {last}, before {after}.")


async def _hurry(connection: "Connection") -> None:
    """Wake whoever sends."""
    from orcid_sync.store.feed.changes import announce  # noqa: PLC0415 - heavy

    await announce(connection)
