"""token: creating, listing and revoking the tokens of the internal listener."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import ago, console, line, print_json, table, text
from orcid_sync.cli.base.session import Failure, Session, tell
from orcid_sync.model.scopes import NAME, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from asyncpg import Connection

    from orcid_sync.store.console.api_tokens import ApiToken

token = typer.Typer(
    no_args_is_help=True,
    help="Create, list and revoke tokens for the internal listener: the HTTP API and the status pages.",
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What the token is called.", show_default=False)]
Scopes = Annotated[
    list[Scope],
    typer.Option(
        "--scope",
        help="What the token allows. May be repeated. read-limited includes read-public, admin includes both.",
    ),
]
Overlap = Annotated[
    float,
    typer.Option(
        "--overlap",
        min=0,
        max=8760,
        metavar="HOURS",
        help="With --replace: the old tokens stay valid for this many hours.",
    ),
]


@command
def create(
    session: Session,
    name: Name,
    *,
    scopes: Scopes,
    expires: Annotated[
        int | None, typer.Option("--expires", min=1, max=3650, metavar="DAYS", help="Days until the token expires.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the tokens with the same name: they are revoked.")
    ] = False,
    overlap: Overlap = 0,
    json: Json = False,
) -> None:
    """Create a token and print it. It is shown only once: the database stores only its hash.

    Example: orcid-sync token create cris --scope read-public --expires 365
    """
    if not NAME.fullmatch(name):
        raise typer.BadParameter(
            "a name has at most 64 letters, digits, dots and hyphens, and does not begin with a hyphen"
        )
    if overlap and not replace:
        raise typer.BadParameter("--overlap needs --replace")
    secret = session.run(
        lambda connection: _create(
            connection,
            name=name,
            scopes=scopes,
            lifetime=timedelta(days=expires) if expires else None,
            overlap=timedelta(hours=overlap) if replace else None,
        )
    )
    if json:
        print_json({"name": name, "scopes": sorted({scope.value for scope in scopes}), "token": secret})
        return
    tell(
        f"This is the token {name}. It is shown only once. Send it in the header Authorization, after the word Bearer."
    )
    line(secret)


async def _create(connection: "Connection", **wanted: Any) -> str:
    from orcid_sync.store.console import api_tokens  # noqa: PLC0415 - heavy

    secret = api_tokens.new_token()
    try:
        await api_tokens.create(connection, secret, **wanted)
    except api_tokens.NameTaken as error:
        raise Failure(f"There is already a token {error}: choose another name, or use --replace.") from None
    return secret


@command
def list_(session: Session, *, json: Json = False) -> None:
    """List the tokens: what they allow, when they expire, when they were last used."""

    async def work(connection: "Connection") -> "tuple[datetime, list[ApiToken]]":
        from orcid_sync.store.console import api_tokens, overview  # noqa: PLC0415 - heavy

        return await overview.clock(connection), await api_tokens.list_tokens(connection)

    now, tokens = session.run(work)
    if json:
        print_json(tokens)
    elif tokens:
        console().print(table("name", "scopes", "made", "ends", "last used", rows=_rows(tokens, now)))
    else:
        console().print(text("There is no token. On a loopback address, everybody on this machine may do everything."))


def _rows(tokens: "list[ApiToken]", now: "datetime") -> "Iterator[tuple[Any, ...]]":
    for one in tokens:
        ends = ago(one.expires_at, now) if one.expires_at else "never"
        made, used = ago(one.created_at, now), ago(one.last_used_at, now)
        yield one.name, ", ".join(one.scopes), made, text(ends, "fail" if one.expired else ""), used


@command
def revoke(session: Session, name: Name, *, json: Json = False) -> None:
    """Revoke all tokens with this name, and end the browser sessions that were opened with them, at once."""

    async def work(connection: "Connection") -> int:
        from orcid_sync.store.console import api_tokens  # noqa: PLC0415 - heavy

        return await api_tokens.revoke(connection, name)

    number = session.run(work)
    if json:
        print_json({"name": name, "revoked": number})
    elif number:
        line(name, "revoked")
    if not number:
        raise Failure(f"There is no token {name}. List the tokens: orcid-sync token list")


token.command("create")(create)
token.command("list")(list_)
token.command("revoke")(revoke)
