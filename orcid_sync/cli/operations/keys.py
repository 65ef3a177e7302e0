"""keys: which encryption keys are in use, whether they open what they sealed, and replacing them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress
from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt, wait_fixed

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, print_json, table, text
from orcid_sync.cli.base.session import Failure, Session

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.store.database.encryption import Vault
    from orcid_sync.store.database.encryption_keys import KeyUse, Tried

ROUNDS = 5
"""How often rows are tried again that somebody else was writing, a second apart."""

SHOWN = 10
"""Tokens that do not open are named up to this number."""

keys = typer.Typer(
    no_args_is_help=True, help="Show, check and replace the keys that encrypt the tokens in the database."
)


class Rotated(msgspec.Struct, frozen=True, kw_only=True):
    """What a rotation did."""

    replaced: int
    """Rows that were sealed anew."""
    damaged: list[str]
    """Owners of rows that do not open."""
    left: int
    """Tokens that still carry another key's id than the present one's."""
    droppable: list[str]
    """Old keys that nothing needs any more."""


def _vault(session: Session) -> "Vault":
    from orcid_sync.store.database.encryption import Vault  # noqa: PLC0415 - heavy

    return Vault(session.settings.key_ring)


@command
def status(session: Session, *, json: Json = False) -> None:
    """Show which keys are set, which are in use and where, and which you can remove from the settings."""
    vault = _vault(session)

    async def work(connection: "Connection") -> "list[KeyUse]":
        from orcid_sync.store.database.encryption_keys import usage  # noqa: PLC0415 - heavy

        return await usage(connection, vault)

    uses = session.run(work)
    if json:
        print_json([{"key": use.key_id, "role": use.role, "tokens": use.rows} for use in uses])
        return
    console().print(table("key", "role", "where", "tokens", rows=_rows(uses)))
    for sentence in _advice(uses):
        console().print(text(sentence))


def _rows(uses: "list[KeyUse]") -> "Iterator[tuple[object, ...]]":
    for use in uses:
        role = text(use.role, "fail" if use.role == "missing" else "")
        for place, number in use.rows.items() or [("nowhere", 0)]:
            yield use.key_id or "(no ciphertext)", role, place, number


def _advice(uses: "list[KeyUse]") -> Iterator[str]:
    """What is to be done about the keys that are not the present one."""
    for use in uses:
        if use.role == "missing":
            yield (
                f"The key {use.key_id!a} is not set: the service cannot decrypt what it encrypted. Add it to "
                f"old_encryption_keys."
            )
        elif use.role == "old" and use.total:
            yield f"To replace the key {use.key_id!a}: orcid-sync keys rotate"
        elif use.role == "old":
            yield f"Nothing uses the key {use.key_id!a} any more: remove it from old_encryption_keys."


@command
def check(session: Session, *, json: Json = False) -> None:
    """Decrypt every token in the database once, and name those that cannot be decrypted. Changes nothing."""
    vault = _vault(session)

    async def work(connection: "Connection") -> "tuple[dict[str, Tried], list[KeyUse]]":
        from orcid_sync.store.database.encryption_keys import try_keys, usage  # noqa: PLC0415 - heavy

        return await try_keys(connection, vault), await usage(connection, vault)

    tried, uses = session.run(work)
    missing = {use.key_id: use.total for use in uses if use.role == "missing"}
    if json:
        print_json({"keys": tried, "missing": missing})
    else:
        rows = [(key_id, one.opened, len(one.closed)) for key_id, one in tried.items()]
        rows += [(key_id or "(no ciphertext)", 0, number) for key_id, number in missing.items()]
        console().print(table("key", "opens", "does not open", rows=rows))
    if failed := _failures(tried, missing):
        raise Failure(failed)


def _failures(tried: "dict[str, Tried]", missing: dict[str, int]) -> str:
    sentences = [f"The key {key_id!a} is not set." for key_id in missing]
    if closed := [place for one in tried.values() for place in one.closed]:
        more = f" and {len(closed) - SHOWN} more" if len(closed) > SHOWN else ""
        sentences.append(
            f"These cannot be decrypted, because they are damaged, moved, or encrypted with another key: "
            f"{closed[:SHOWN]}{more}."
        )
    return "\n".join(sentences)


@command
def rotate(
    session: Session,
    *,
    skip_missing: Annotated[
        bool,
        typer.Option(
            "--skip-missing",
            help="Continue although a key in use is lost. The tokens that it encrypted stay unchanged.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Encrypt every token again with the present key while the service runs. You can stop and repeat it at any time."""
    vault = _vault(session)

    async def work(connection: "Connection") -> Rotated:
        uses = await _demand_ring(connection, vault, skip_missing=skip_missing)
        return await _rotate(connection, vault, total=sum(use.total for use in uses if use.role == "old"))

    done = session.run(work)
    if json:
        print_json(done)
    else:
        typer.echo(f"{done.replaced} rows were encrypted again.")
        for key_id in done.droppable:
            typer.echo(f"Nothing uses the key {key_id!a} any more: remove it from old_encryption_keys.")
    if done.damaged:
        raise Failure(
            f"{len(done.damaged)} rows cannot be decrypted and stay unchanged. List them: orcid-sync keys check"
        )
    if done.left and not skip_missing:
        raise Failure(f"{done.left} tokens are still encrypted with another key: run the command again.")


async def _demand_ring(connection: "Connection", vault: "Vault", *, skip_missing: bool) -> "list[KeyUse]":
    """How the keys are used. Raises VaultError if the present one is wrong, Failure if one in use is missing."""
    from orcid_sync.store.database.encryption_keys import demand_right_key, usage  # noqa: PLC0415 - heavy

    await demand_right_key(connection, vault)
    uses = await usage(connection, vault)
    if (missing := [use for use in uses if use.role == "missing"]) and not skip_missing:
        sentences = [f"The key {use.key_id!a}, which encrypted {use.total} tokens, is not set." for use in missing]
        advice = "Nothing was changed. Add it to old_encryption_keys or, if it is lost, use --skip-missing."
        raise Failure("\n".join([*sentences, advice]))
    return uses


async def _rotate(connection: "Connection", vault: "Vault", *, total: int) -> Rotated:
    """Round after round, until nothing is left that somebody else was writing."""
    from orcid_sync.store.database.encryption_keys import rotate as batches  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.encryption_keys import usage  # noqa: PLC0415 - heavy

    replaced, damaged = 0, set[str]()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("encrypting again", total=total)

        async def go_round() -> int:
            """Seal anew what can be had; how many rows somebody else was writing."""
            nonlocal replaced
            damaged.clear()
            async for batch in batches(connection, vault):
                replaced += batch.replaced
                damaged.update(batch.damaged)
                progress.advance(bar, batch.replaced)
            left = sum(use.total for use in await usage(connection, vault) if use.role == "old")
            return 0 if damaged else left

        rounds: AsyncRetrying = AsyncRetrying(
            retry=retry_if_result(bool),
            wait=wait_fixed(1),
            stop=stop_after_attempt(ROUNDS),
            retry_error_callback=lambda _state: None,
        )
        await rounds(go_round)
    uses = await usage(connection, vault)
    return Rotated(
        replaced=replaced,
        damaged=sorted(damaged),
        left=sum(use.total for use in uses if use.role != "present"),
        droppable=[use.key_id for use in uses if use.role == "old" and not use.total],
    )


keys.command("status")(status)
keys.command("check")(check)
keys.command("rotate")(rotate)
