"""The schema, brought forward: numbered files, each applied once, in one transaction, and never changed afterwards.

A file may need longer than a few seconds (rewriting a table): it says so in its first lines,
`-- statement_timeout: 10min`. Waiting for a lock stays short in any case: while a migration waits for one, everybody
else queues behind it.

Running programs survive a migration, and a fail-back survives one too: a release only adds, the next one removes what
nothing uses any more (fault F83).
"""

import enum
import hashlib
import re
from pathlib import Path

import asyncpg
import msgspec

from orcid_sync.store.database.pools import AnyConnection, connect

FOLDER = Path(__file__).with_name("migrations")

# Any number does, as long as no other program on the same database uses it.
_ADVISORY_LOCK = 0x6F72636964  # "orcid"

_DEFAULT_STATEMENT_TIMEOUT = "5s"
_LOCK_TIMEOUT = "4s"

_RECORD = """
create table if not exists orcid_sync.migrations (
  number     integer primary key,
  name       text not null,
  checksum   text not null,
  applied_at timestamptz not null default now()
);
comment on table orcid_sync.migrations is 'The migrations that made this schema what it is.';
comment on column orcid_sync.migrations.number is 'Number of the migration; they are applied in this order.';
comment on column orcid_sync.migrations.name is 'Name of its file.';
comment on column orcid_sync.migrations.checksum is 'SHA-256 of the file as it was applied.';
comment on column orcid_sync.migrations.applied_at is 'When it was applied.';
"""


class SchemaState(enum.Enum):
    """How the database's schema compares with the one that this version knows."""

    CURRENT = "current"
    BEHIND = "behind"
    AHEAD = "ahead"
    DAMAGED = "damaged"


class MigrationStatus(msgspec.Struct, frozen=True):
    """The state of the schema, and in words what to do about it."""

    state: SchemaState
    explanation: str
    pending: list[str] = []
    """Files still to be applied, in order."""


class MigrationFailed(Exception):
    """A migration could not be applied. Nothing of it was kept; the message names the file and what to do."""


class SchemaDamaged(Exception):
    """What was applied is not what this version would have applied; the message says where they part."""


class Migration(msgspec.Struct, frozen=True):
    """One numbered file."""

    number: int
    name: str
    sql: str
    checksum: str
    statement_timeout: str


def read_migrations(folder: Path = FOLDER) -> list[Migration]:
    """The files of the folder in the order of their numbers."""
    return [_read(path) for path in sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))]


async def migrate(dsn: str, *, folder: Path = FOLDER) -> MigrationStatus:
    """Apply what is missing and return the state afterwards: current, or ahead if a newer version was here before.

    May run in several processes at once; each file is applied by one of them. Raises MigrationFailed, SchemaDamaged,
    DatabaseUnavailable.
    """
    migrations = read_migrations(folder)
    async with connect(dsn) as connection:
        for migration in migrations:
            await _apply_once(connection, migration, migrations)
        return await status(connection, folder=folder)


async def status(connection: AnyConnection, *, folder: Path = FOLDER) -> MigrationStatus:
    """Compare the schema with the files of this version; changes nothing."""
    return _compare(read_migrations(folder), await _applied(connection))


def _read(path: Path) -> Migration:
    sql = path.read_text("utf-8")
    header = re.match(r"(?:--.*\n)*?-- statement_timeout: *(\w+)\n", sql)
    return Migration(
        number=int(path.name[:4]),
        name=path.name,
        sql=sql,
        checksum=hashlib.sha256(sql.encode()).hexdigest(),
        statement_timeout=header[1] if header else _DEFAULT_STATEMENT_TIMEOUT,
    )


async def _apply_once(connection: AnyConnection, migration: Migration, migrations: list[Migration]) -> None:
    async with connection.transaction():
        # Whoever comes second waits here as long as the first one needs, then finds the work done.
        await connection.execute("set local statement_timeout = 0; set local lock_timeout = 0")
        await connection.execute("select pg_advisory_xact_lock($1)", _ADVISORY_LOCK, timeout=3600)
        found = _compare(migrations, await _applied(connection))
        if found.state is SchemaState.DAMAGED:
            raise SchemaDamaged(found.explanation)
        if migration.name in found.pending:
            await _apply(connection, migration)


async def _apply(connection: AnyConnection, migration: Migration) -> None:
    limits = (
        f"set local lock_timeout = '{_LOCK_TIMEOUT}'; set local statement_timeout = '{migration.statement_timeout}'"
    )
    try:
        await connection.execute(limits)
        # No client-side limit: the server keeps the one above for each statement of the file.
        await connection.execute(migration.sql, timeout=3600)
        await connection.execute(_RECORD)
    except asyncpg.PostgresError as error:
        raise MigrationFailed(_advice(migration, error)) from None
    await connection.execute(
        "insert into orcid_sync.migrations (number, name, checksum) values ($1, $2, $3)",
        migration.number,
        migration.name,
        migration.checksum,
    )


def _advice(migration: Migration, error: asyncpg.PostgresError) -> str:
    advice = {
        asyncpg.LockNotAvailableError: f"Another session held a lock for more than {_LOCK_TIMEOUT}. "
        "Find it in pg_stat_activity, or run orcid-sync migrate again when it has ended.",
        asyncpg.QueryCanceledError: f"A statement needed more than {migration.statement_timeout}. "
        "A file that needs longer says so in its first lines: -- statement_timeout: 10min",
        asyncpg.InsufficientPrivilegeError: "Run orcid-sync migrate as the owner of the schemas orcid and orcid_sync.",
    }.get(type(error), "Fix the cause and run orcid-sync migrate again.")
    # The bare message: DETAIL can quote a row.
    message = error.args[0] if error.args else ""
    return f"Migration {migration.name} failed: {message} (SQLSTATE {error.sqlstate}). Nothing of it was kept. {advice}"


async def _applied(connection: AnyConnection) -> dict[int, tuple[str, str]]:
    if not await connection.fetchval("select to_regclass('orcid_sync.migrations') is not null"):
        return {}
    rows = await connection.fetch("select number, name, checksum from orcid_sync.migrations")
    return {row["number"]: (row["name"], row["checksum"]) for row in rows}


def _compare(migrations: list[Migration], applied: dict[int, tuple[str, str]]) -> MigrationStatus:
    known = {migration.number: migration for migration in migrations}
    newest = max(applied, default=0)
    changed = [m.name for m in migrations if m.number in applied and applied[m.number][1] != m.checksum]
    skipped = [m.name for m in migrations if m.number not in applied and m.number < newest]
    pending = [m.name for m in migrations if m.number not in applied]
    if changed or skipped:
        words = [f"{name} was changed after it had been applied" for name in changed]
        words += [f"{name} was never applied, but later ones were" for name in skipped]
        return MigrationStatus(
            SchemaState.DAMAGED,
            "; ".join(words) + ". Install the version that made this schema, or restore the database from a backup.",
        )
    if pending:
        return MigrationStatus(SchemaState.BEHIND, f"to be applied: {', '.join(pending)}", pending)
    if newer := [applied[number][0] for number in sorted(applied) if number not in known]:
        return MigrationStatus(
            SchemaState.AHEAD,
            f"the schema has {', '.join(newer)}, made by a newer version than this one. Run that version.",
        )
    return MigrationStatus(SchemaState.CURRENT, "the schema is what this version expects")
