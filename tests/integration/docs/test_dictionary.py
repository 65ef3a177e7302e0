"""The data dictionary says of everything in schema orcid what it means, in forms that others can read."""

import html.parser
import re

import asyncpg
import msgspec
import yaml

from rig.service.command_line import Cli


class Page(html.parser.HTMLParser):
    """Counts what a browser would show, and finds tags that are not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "link", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


async def test_the_dictionary_has_everything_in_every_form(cli: Cli, connection: asyncpg.Connection) -> None:
    names = await connection.fetch(
        "select c.relname, a.attname, col_description(c.oid, a.attnum) from pg_class c join pg_attribute a"
        " on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace = 'orcid'::regnamespace and c.relkind in ('r', 'v')"
    )
    expected = {(table, column): meaning for table, column, meaning in map(tuple, names)}

    document = msgspec.json.decode((await cli.apart("dictionary", "--json")).stdout)
    told = {(one["name"], c["name"]): c["comment"] for one in document["relations"] for c in one["columns"]}
    assert told == expected
    types = {(one["name"], c["name"]): c["type"] for one in document["relations"] for c in one["columns"]}
    assert types["works", "orcid"] == "text"
    assert types["publications", "claimants"] == "text[]"
    assert {one["name"]: one["key"] for one in document["relations"]}["emails"] == ["orcid", "email"]

    sources = yaml.safe_load((await cli.apart("dictionary", "--format", "dbt")).stdout)["sources"]
    assert {
        (t["name"], c["name"]): c["description"] for source in sources for t in source["tables"] for c in t["columns"]
    } == expected

    page = Page((await cli.apart("dictionary", "--format", "html")).stdout)
    assert page.open == []
    assert set(expected.values()) <= set(page.texts)

    text = (await cli.apart("dictionary")).stdout
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ((?:[^|]|\\\|)+) \|$", text, re.MULTILINE)
    assert sorted(rows) == sorted((column, meaning.replace("|", "\\|")) for (_, column), meaning in expected.items())
    assert "`record_as_of(orcid text, t timestamp with time zone)`" in text
