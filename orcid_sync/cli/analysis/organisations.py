"""organisations: what ROR knows of organisations, from its dump; never from the net."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orcid_sync.cli.base.csv_file import read_cells
from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, print_json, table, text
from orcid_sync.cli.base.session import Failure, Session, tell

if TYPE_CHECKING:
    from orcid_sync.model.analysis.ror import OrganisationId
    from orcid_sync.store.analysis.organisations import Known, Loaded

SHOWN = 20
"""Lines of a mapping that are named; --json has all that the dump does not know."""

_COLUMNS = {"scheme": "scheme", "id": "id", "identifier": "id", "ror": "ror", "rorid": "ror"}

organisations = typer.Typer(
    no_args_is_help=True,
    help="Load organisations from ROR, so that GRID, FundRef, Ringgold and other identifiers lead to a ROR id.",
)


@command
def load(
    session: Session,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            show_default=False,
            help="The ROR dump (https://doi.org/10.5281/zenodo.6347574): the zip, or the JSON file in it.",
        ),
    ],
    *,
    ids: Annotated[
        Path | None,
        typer.Option(
            "--ids",
            metavar="CSV",
            exists=True,
            dir_okay=False,
            show_default=False,
            help="CSV file with identifiers that ROR does not have, such as Ringgold's. Columns: scheme, id, ror.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Load a ROR dump and replace the one before. Readers see the old one until the new one is complete."""
    mapping = _read_mapping(ids) if ids else []
    with session.database(create=True) as dsn:
        loaded, known = asyncio.run(_load(session, dsn, file, mapping))
    if json:
        print_json({**_plain(loaded), "known": known})
    else:
        _show(loaded, known)


async def _load(
    session: Session, dsn: str, file: Path, mapping: "list[OrganisationId]"
) -> "tuple[Loaded, list[Known]]":
    from orcid_sync.bulk.ror_dump import read_dump  # noqa: PLC0415 - heavy
    from orcid_sync.store.analysis import organisations as stored  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.pools import MAINTENANCE  # noqa: PLC0415 - heavy

    async with session.connect(dsn, MAINTENANCE) as connection:
        loaded = await stored.replace(connection, read_dump(file), mapping)
        return loaded, await stored.known(connection)


def _read_mapping(file: Path) -> "list[OrganisationId]":
    """The lines of a mapping. Raises Failure that names those that are not understood."""
    from orcid_sync.model.analysis.ror import OrganisationId  # noqa: PLC0415 - heavy

    found, bad = [], []
    with file.open("rb") as stream:
        for number, cells in read_cells(stream, _COLUMNS, required="ror"):
            if isinstance(cells, str):
                bad.append(f"line {number} {cells}")
            elif missing := [name for name in ("scheme", "id", "ror") if not cells.get(name)]:
                bad.append(f"line {number} has no {missing[0]}")
            else:
                found.append(
                    OrganisationId(cells["scheme"].lower(), cells["id"], cells["ror"], preferred=True, origin="mapping")
                )
    if bad:
        more = [f"… and {len(bad) - SHOWN:,} more"] if len(bad) > SHOWN else []
        raise Failure("\n".join([f"{file.name} was not loaded:", *bad[:SHOWN], *more]))
    return found


def _plain(loaded: "Loaded") -> dict[str, object]:
    unknown = [{"scheme": scheme, "id": identifier, "ror": ror} for scheme, identifier, ror in loaded.unknown]
    return {"organisations": loaded.organisations, "identifiers": loaded.identifiers, "unknown": unknown}


def _show(loaded: "Loaded", known: "list[Known]") -> None:
    page = console()
    facts = [("organisations", f"{loaded.organisations:,}"), ("identifiers", f"{loaded.identifiers:,}")]
    page.print(table("", "", rows=facts))
    rows = [
        (one.scheme, f"{one.items:,}", text(f"{one.known:,}", "ok" if one.known == one.items else "warn"))
        for one in known
    ]
    if rows:
        page.print(table("scheme", "named in the mirror", "with a ROR id", rows=rows))
    for scheme, identifier, ror in loaded.unknown[:SHOWN]:
        tell(f"Passed over: {scheme} {identifier}; the dump has no {ror}.")
    if len(loaded.unknown) > SHOWN:
        tell(f"… and {len(loaded.unknown) - SHOWN:,} more of the mapping.")


organisations.command("load")(load)
