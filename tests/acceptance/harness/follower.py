"""A research information system that follows the feed over HTTP, written from deploy/docs/consumers.md alone.

    python follower.py URL FILE [TOKEN [FILTERS]]

It keeps its copy and its cursor in one SQLite file, and changes both in the same transaction, so that it may be killed
at any moment. It knows nothing of orcid_sync but what "The feed over HTTP" says, and needs nothing but Python.
"""

import http.client
import json
import sqlite3
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

SCHEMA = """
create table if not exists items (orcid text, section text, key text, content text, primary key (orcid, section, key));
create table if not exists cursor (one integer primary key check (one = 1), text text not null);
create table if not exists log (number integer primary key, seq integer);
create table if not exists begun (one integer primary key check (one = 1), cursor text not null);
"""
RETRY_SECONDS = 0.1


class Resync(Exception):
    """We have to start again, from this cursor after a snapshot."""


class Follower:
    """The copy, and how it is kept."""

    def __init__(self, url: str, file: str, token: str | None = None, filters: str = "") -> None:
        self.url = url
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.filters = urllib.parse.parse_qsl(filters)
        self.wait = 5
        self.copy = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self.copy.executescript("pragma journal_mode = wal; pragma synchronous = off;" + SCHEMA)

    def run(self) -> None:
        """Follow for ever."""
        while True:
            try:
                self.step()
            except Resync:
                self.start_again()
            except OSError:  # nobody answers, or the answer was cut off
                time.sleep(RETRY_SECONDS)

    def step(self) -> None:
        """Take what came since, waiting for it."""
        cursor = self.cursor
        if cursor is None:
            raise Resync
        query = urllib.parse.urlencode([("after", cursor), ("wait", self.wait), *self.filters])
        for change in self.lines(f"/v1/changes?{query}"):
            with Transaction(self.copy):
                if "seq" in change:
                    self.apply(change)
                self.keep(change["cursor"])

    def start_again(self) -> None:
        """Take the snapshot, and forget what it does not have."""
        try:
            with Transaction(self.copy):
                self.copy.execute("delete from items")
                self.copy.execute("delete from log")
                for line in self.lines("/v1/records"):
                    if "more" in line:
                        self.keep(line["cursor"])
                        self.copy.execute("insert or replace into begun select * from cursor")
                    else:
                        self.take(line)
        except OSError:
            time.sleep(RETRY_SECONDS)

    def apply(self, change: dict[str, Any]) -> None:
        """Rules 2 to 4."""
        orcid, section, key = change["orcid"], change["section"], change["key"]
        self.copy.execute("insert into log (seq) values (?)", (change["seq"],))
        if change["op"] in {"removed", "withdrawn"}:
            every = section == "email" and key == ""
            self.copy.execute(
                "delete from items where orcid = ? and section = ? and (key = ? or ?)", (orcid, section, key, every)
            )
        elif change["new"] is not None:
            self.put(orcid, section, key, change["new"])
        if section == "record" and change["op"] != "added":
            self.read_anew(orcid)

    def read_anew(self, orcid: str) -> None:
        """Rule 3: exactly what is shown of this iD now."""
        try:
            record = json.loads(self.ask(f"/v1/records/{orcid}").read())
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            self.copy.execute("delete from items where orcid = ?", (orcid,))
        else:
            self.take(record)

    def take(self, record: dict[str, Any]) -> None:
        """A whole record, in place of what we have of it."""
        orcid = record["orcid"]
        self.copy.execute("delete from items where orcid = ?", (orcid,))
        self.put(orcid, "record", "", record["record"])
        sections = [value for name, value in self.filters if name == "section"]
        for item in record["items"]:
            if not sections or item["section"] in sections:
                self.put(orcid, item["section"], item["key"], item["content"])

    def put(self, *values: Any) -> None:
        """One item."""
        *key, content = values
        text = json.dumps(content, sort_keys=True)
        self.copy.execute(
            "insert or replace into items (orcid, section, key, content) values (?, ?, ?, ?)", (*key, text)
        )

    def keep(self, cursor: str) -> None:
        """How far we have come."""
        self.copy.execute("insert or replace into cursor (one, text) values (1, ?)", (cursor,))

    @property
    def cursor(self) -> str | None:
        """How far we had come."""
        row = self.copy.execute("select text from cursor").fetchone()
        return row[0] if row else None

    def lines(self, path: str) -> Iterator[dict[str, Any]]:
        """The lines of an answer. Raises ConnectionError if it was cut off."""
        complete = False
        with self.ask(path, accept="application/x-ndjson") as answer:
            try:
                for text in answer:
                    line = json.loads(text)
                    complete = line.keys() == {"cursor", "more"}
                    yield line
            except (http.client.HTTPException, ValueError):
                raise ConnectionError("cut off in a line") from None
        if not complete:
            raise ConnectionError("cut off")

    def ask(self, path: str, accept: str = "application/json") -> Any:
        """Ask, and understand 409."""
        request = urllib.request.Request(self.url + path, headers={**self.headers, "Accept": accept})
        try:
            return urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as error:
            problem = json.loads(error.read())
            if problem["type"] == "urn:orcid-sync:problem:resync":
                raise Resync from None
            raise


class Transaction:
    """All or nothing."""

    def __init__(self, copy: sqlite3.Connection) -> None:
        self.copy = copy

    def __enter__(self) -> None:
        self.copy.execute("begin immediate")

    def __exit__(self, kind: object, *_: object) -> None:
        self.copy.execute("commit" if kind is None else "rollback")


if __name__ == "__main__":
    Follower(*sys.argv[1:]).run()
