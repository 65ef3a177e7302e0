"""migrate: upgrading the schema, or checking whether it is the expected one."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import line, print_json
from orcid_sync.cli.base.session import Session

if TYPE_CHECKING:
    from orcid_sync.store.database.migrate import MigrationStatus


@command
def migrate(
    session: Session,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing. Exit code 1 unless the schema is the expected one.")
    ] = False,
    json: Json = False,
) -> None:
    """Upgrade the database's schema to what this release needs. You can run it in several places at once."""
    from orcid_sync.store.database.migrate import SchemaState  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.migrate import migrate as bring_forward  # noqa: PLC0415 - heavy

    with session.database(create=not check) as dsn:
        status = asyncio.run(_status(dsn) if check else bring_forward(dsn))
    if json:
        print_json(status)
    else:
        line(f"{status.state.value}: {status.explanation}")
    if status.state is not SchemaState.CURRENT:
        raise typer.Exit(1)


async def _status(dsn: str) -> "MigrationStatus":
    from orcid_sync.store.database import migrate  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.pools import connect  # noqa: PLC0415 - heavy

    async with connect(dsn) as connection:
        return await migrate.status(connection)
