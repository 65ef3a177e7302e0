"""The part of Solr's query language that is used on ORCID's index (contract section 6).

`field:value`, `field:"a phrase"`, `field:(a OR b)`, ranges, `AND`, `OR`, `NOT`, `+`, `-`, parentheses, `*` and `?`,
escapes by a backslash. Two clauses without a word between them are an OR, as edismax has it.
"""

import re
from collections.abc import Iterator

import msgspec

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<open>\()|(?P<close>\))
      | (?P<word>(?:AND|OR|NOT|TO)(?=[\s()]|$)|&&|\|\||!)
      | (?P<sign>[+-])(?=[^\s])
      | (?P<range>[\[{]\s*(?P<low>"[^"]*"|\S+)\s+TO\s+(?P<high>"[^"]*"|[^\s\]}]+)\s*[\]}])
      | (?P<phrase>"(?:\\.|[^"\\])*")
      | (?P<field>(?:\\.|[\w.*-])+):(?=\S)
      | (?P<term>(?:\\.|[^\s()"\[\]{}\\:])+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_JOINING = {"AND": "AND", "&&": "AND", "OR": "OR", "||": "OR", "NOT": "NOT", "!": "NOT"}
_DEEPEST = 50


class QuerySyntax(ValueError):
    """The query is malformed."""


class Match(msgspec.Struct, frozen=True):
    """A field holds a value; `phrase` values have no wildcards."""

    field: str
    value: str
    phrase: bool = False


class Range(msgspec.Struct, frozen=True):
    """A field is between two values, `*` for an open end."""

    field: str
    low: str
    high: str
    with_low: bool = True
    with_high: bool = True


class All(msgspec.Struct, frozen=True):
    """Every one of these holds."""

    of: tuple["Node", ...]


class AnyOf(msgspec.Struct, frozen=True):
    """One of these holds at least."""

    of: tuple["Node", ...]


class Not(msgspec.Struct, frozen=True):
    """This does not hold."""

    what: "Node"


Node = Match | Range | All | AnyOf | Not
DEFAULT_FIELD = "text"


def parse(text: str) -> Node:
    """The query as a tree. Raises QuerySyntax."""
    parser = _Parser(text)
    node = parser.either(DEFAULT_FIELD)
    if parser.kind != "end":
        raise QuerySyntax(f"Cannot parse '{text}': Encountered {parser.text!r}")
    return node


def count_clauses(node: Node) -> int:
    """How many values the query compares; Solr has a limit."""
    if isinstance(node, (All, AnyOf)):
        return sum(count_clauses(one) for one in node.of)
    return count_clauses(node.what) if isinstance(node, Not) else 1


class _Parser:
    """One token ahead."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._depth = 0
        self.kind = self.text = ""
        self._found: re.Match[str] | None = None
        self._next()

    def _next(self) -> None:
        self.kind, self.text, self._found = next(self._tokens)

    def either(self, field: str) -> Node:
        """`a OR b`, `a b`."""
        clauses = [self._both(field)]
        while self.kind not in ("end", "close"):
            if self._is("OR"):
                self._next()
            clauses.append(self._both(field))
        return clauses[0] if len(clauses) == 1 else AnyOf(tuple(clauses))

    def _both(self, field: str) -> Node:
        clauses = [self._clause(field)]
        while self._is("AND") or self._is("NOT") or self.kind == "sign":
            if self._is("AND"):
                self._next()
            clauses.append(self._clause(field))
        return clauses[0] if len(clauses) == 1 else All(tuple(clauses))

    def _clause(self, field: str) -> Node:
        if self._is("NOT") or (self.kind == "sign" and self.text == "-"):
            self._next()
            return Not(self._clause(field))
        if self.kind == "sign":
            self._next()
            return self._clause(field)
        kind, text, found = self.kind, self.text, self._found
        if kind not in ("open", "range", "phrase", "field", "term"):
            raise QuerySyntax(f"Encountered {text or 'the end'!r} where a clause was expected")
        self._next()
        if kind == "open":
            return self._group(field)
        if kind == "field":
            return self._clause(_plain(text))
        if kind == "range" and found is not None:
            low, high = (_plain(found[name].strip('"')) for name in ("low", "high"))
            return Range(field, low, high, with_low=text[0] == "[", with_high=text[-1] == "]")
        return Match(field, _plain(text[1:-1]), phrase=True) if kind == "phrase" else Match(field, text)

    def _group(self, field: str) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise QuerySyntax("too many parentheses")
        node = self.either(field)
        if self.kind != "close":
            raise QuerySyntax("a parenthesis is not closed")
        self._depth -= 1
        self._next()
        return node

    def _is(self, word: str) -> bool:
        return self.kind == "word" and _JOINING.get(self.text) == word


def _tokens(text: str) -> Iterator[tuple[str, str, re.Match[str] | None]]:
    position, text = 0, text.strip()
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise QuerySyntax(f"Cannot parse '{text}': Encountered {text[position]!r} at column {position}")
        kind = next(name for name in _KINDS if found[name] is not None)
        yield kind, found[kind], found
        position = found.end()
    while True:
        yield "end", "", None


_KINDS = ("open", "close", "word", "sign", "range", "phrase", "field", "term")


def _plain(text: str) -> str:
    """The text without the backslashes that escape."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
