"""No statement relies on the session that it meets, so that PgBouncer may give each transaction another one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import orcid_sync

PACKAGE = Path(orcid_sync.__file__).parent
STORE = PACKAGE / "store"

FIRST_WORDS = {"select", "with", "insert", "update", "delete", "lock"}
"""What a named query may begin with: nothing of this outlives its transaction."""

IN_STATEMENTS = re.compile(
    r"""pg_(try_)?advisory_(lock|unlock)      # session locks; those with _xact_ end with the transaction
      | \b with \s+ hold \b                   # cursors that outlive it
      | \b (create|into) \s+ (local\s+|global\s+)? temp (?! [^;]*? \s on \s+ commit \s+ drop \b)
      | \b pg_temp \b
      | \b (currval|lastval) \s* \(
      | set_config \s* \( [^()]* , \s* false \s* \)""",
    re.VERBOSE | re.IGNORECASE,
)
AT_THE_START = re.compile(
    r"""(?:^|;) \s*
        (set (?! \s+ local \b) | reset | discard | listen | unlisten | declare | prepare | deallocate | load) \s""",
    re.VERBOSE | re.IGNORECASE,
)
PREPARING = {
    "service/api/responses.py",  # prepares answers, not statements
    "export/selection.py",  # in the transaction of the export, which is one
}

STATEMENTS = {"execute", "executemany", "fetchrow", "fetchval", "copy_records_to_table"}
"""Methods that only the store calls, so that its texts are all that there are."""

LISTENING = "service/runtime/listen.py"
"""The one place that needs a session of its own; it works without (fault F82)."""


def uncommented(sql: str) -> str:
    return re.sub(r"--.*", "", sql)


def named_queries() -> Iterator[tuple[str, str]]:
    for path in sorted(path for path in STORE.rglob("*.sql") if path.with_suffix(".py").exists()):
        for part in re.split(r"^-- name: ", path.read_text("utf-8"), flags=re.MULTILINE)[1:]:
            name, _, sql = part.partition("\n")
            yield f"{path.stem} {name}", uncommented(sql).strip()


def sources() -> list[str]:
    """Every module but those of the simulator, which knows no database, and the demo, which has one of its own."""
    paths = (path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
    return sorted(path for path in paths if not path.startswith(("simulator/", "cli/demo/")))


def texts(tree: ast.Module) -> Iterator[str]:
    """The strings of a module, without its docstrings; what is put into them stands as a name."""
    told = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            told |= {id(part) for part in node.values}  # which come later
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


@pytest.mark.fault("F81")
@pytest.mark.parametrize(("name", "sql"), list(named_queries()))
def test_a_named_query_leaves_nothing_behind(name: str, sql: str) -> None:
    assert sql.split(maxsplit=1)[0].lower() in FIRST_WORDS
    assert not IN_STATEMENTS.search(sql)


@pytest.mark.fault("F81")
@pytest.mark.parametrize("path", sorted((STORE / "database" / "migrations").glob("*.sql")), ids=lambda path: path.stem)
def test_a_migration_leaves_nothing_behind(path: Path) -> None:
    sql = uncommented(path.read_text("utf-8"))
    assert not IN_STATEMENTS.search(sql)
    assert not AT_THE_START.search(sql)


@pytest.mark.fault("F81")
@pytest.mark.parametrize("source", sources())
def test_a_module_leaves_nothing_behind(source: str) -> None:
    tree = ast.parse((PACKAGE / source).read_text("utf-8"))
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    called = {function.attr for function in calls if isinstance(function, ast.Attribute)}
    assert not called & ({"cursor"} if source in PREPARING else {"cursor", "prepare"})
    assert source == LISTENING or "add_listener" not in called
    if source.startswith("store/"):
        wrong = [text for text in texts(tree) if IN_STATEMENTS.search(text) or AT_THE_START.search(text)]
        assert wrong == []
    else:
        assert not called & STATEMENTS


@pytest.mark.parametrize(
    "sql",
    [
        "select pg_advisory_lock(1)",
        "select pg_try_advisory_lock(1)",
        "create temporary table t (n int)",
        "select 1 into temp t",
        "declare c cursor with hold for select 1",
        "select set_config('lock_timeout', '1s', false)",
    ],
)
def test_the_first_net_catches(sql: str) -> None:
    assert IN_STATEMENTS.search(sql)


@pytest.mark.parametrize("sql", ["set lock_timeout = 1", "begin; SET x TO 1", "listen channel", "discard all"])
def test_the_second_net_catches(sql: str) -> None:
    assert AT_THE_START.search(sql)


@pytest.mark.parametrize("sql", ["set local x = 1", "update t set x = 1", "select pg_advisory_xact_lock(1)"])
def test_neither_net_catches(sql: str) -> None:
    assert not IN_STATEMENTS.search(sql)
    assert not AT_THE_START.search(sql)
