"""Consumers that do exactly what deploy/docs/consumers.md says: its blocks of SQL, and its receiver of pushes."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

DOCUMENT = Path(__file__).parents[2] / "deploy" / "docs" / "consumers.md"
Key = tuple[str, str, str]
"""iD, section and key."""

LINES = 1000
"""The limit of the block that follows."""


def blocks(language: str) -> list[str]:
    """The blocks of the document in this language."""
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)


def sql_block(title: str) -> list[str]:
    """The statements of the block with this title."""
    [block] = [block for block in blocks("sql") if block.startswith(f"-- {title}\n")]
    return [statement.strip() for statement in block.partition("\n")[2].split(";") if statement.strip()]


class SqlCopy:
    """A copy that is kept by the blocks of SQL, as the login that the connection is."""

    def __init__(self, connection: asyncpg.Connection, *, limit: int = LINES, sections: Sequence[str] = ()) -> None:
        """Follow these sections instead of those of the document, so many lines at once."""
        self.connection = connection
        self.items: dict[Key, Any] = {}
        self.starts = 0
        self._epoch, self._seq, self._limit = "", 0, limit
        self._wanted = ", ".join(f"'{section}'" for section in sections)

    async def _run(self, title: str, *arguments: Any) -> list[list[Any]]:
        """The rows of each statement of a block."""
        found = []
        for statement in sql_block(title):
            text = statement.replace(f"limit {LINES}", f"limit {self._limit}")
            if self._wanted:
                text = text.replace("'work', 'employment'", self._wanted)
            given = arguments[: max((int(number) for number in re.findall(r"\$(\d)", text)), default=0)]
            found.append(await self.connection.fetch(text, *given))
        return found

    async def start(self) -> None:
        """Everything, and the position that belongs to it."""
        _, [feed], rows, _ = await self._run("start")
        self.items = _said(rows)
        self._epoch, self._seq = feed["epoch"], feed["last_seq"]
        self.starts += 1

    async def follow(self) -> bool:
        """What came since; whether there is more."""
        _, [feed], lines, _ = await self._run("follow", self._seq, self._epoch)
        if feed["start_again"]:
            await self.start()
            return True
        for line in lines:
            await self._apply(line)
        full = len(lines) == self._limit
        self._seq = lines[-1]["seq"] if full else feed["last_seq"]
        return full

    async def catch_up(self) -> None:
        """Up to the end of the feed."""
        while await self.follow():
            pass

    async def _apply(self, line: Any) -> None:
        place = (line["orcid"], line["section"], line["key"])
        if place[1] == "record":
            if line["op"] != "added":
                self._delete((place[0], None, ""))
                [rows] = await self._run("read again", place[0])
                self.items |= _said(rows)
        elif line["op"] in ("removed", "withdrawn"):
            self._delete(place)
        elif line["doc"] is not None:
            self.items[place] = _decoded(line["doc"])

    def _delete(self, place: tuple[str, str | None, str]) -> None:
        orcid, section, key = place
        self.items = {
            known: said
            for known, said in self.items.items()
            if known[0] != orcid or section not in (None, known[1]) or key not in ("", known[2])
        }


class PushCopy:
    """A copy that is kept by the document's receiver."""

    def __init__(self, secret: str, url: str, token: str, sections: Sequence[str]) -> None:
        """Verify with this secret, ask at this address with this token, and keep these sections."""
        [program] = [block for block in blocks("python") if "def receive(" in block]
        for written, meant in {
            '"whsec_…"': repr(secret),
            '"http://127.0.0.1:9090", "…"': repr((url, token))[1:-1],
            '{"work"}': repr(set(sections)),
            '"copy.sqlite"': '":memory:"',
        }.items():
            assert program.count(written) == 1, written
            program = program.replace(written, meant)
        self._names: dict[str, Any] = {}
        exec(compile(program, str(DOCUMENT), "exec"), self._names)

    async def start(self) -> None:
        """Take the snapshot."""
        await asyncio.to_thread(self._names["start"])

    async def receive(self, body: bytes, headers: dict[str, str]) -> int:
        """Take a message; the status of the answer."""
        status: int = await asyncio.to_thread(self._names["receive"], body, headers)
        return status

    @property
    def items(self) -> dict[Key, Any]:
        """What it holds now."""
        rows = self._names["copy"].execute("select orcid, section, key, content from items")
        return {(orcid, section, key): msgspec.json.decode(content) for orcid, section, key, content in rows}


def _said(rows: Sequence[Any]) -> dict[Key, Any]:
    return {(row["orcid"], row["section"], row["key"]): _decoded(row["doc"]) for row in rows}


def _decoded(document: Any) -> Any:
    return msgspec.json.decode(document) if isinstance(document, str | bytes) else document
