"""Whether a document of the index is what a query asks for."""

import re
import unicodedata
from collections.abc import Callable, Mapping

from orcid_sync.simulator.search.solr_dates import moment
from orcid_sync.simulator.search.solr_query import All, AnyOf, Match, Node, Not, QuerySyntax, Range

Document = Mapping[str, list[str]]
"""Values by field; moments as `date` writes them."""
Test = Callable[[Document], bool]

DATES = ("profile-submission-date", "profile-last-modified-date")
_ANALYSED = re.compile(
    r"text|given-names|family-name|given-and-family-names|credit-name|other-names|biography|keyword"
    r"|.*-titles?|.*-org-name|.*-affiliation-name"
)


def compiled(node: Node, *, now_ms: int) -> Test:
    """The query as a test of documents. Raises QuerySyntax for dates that are none."""
    if isinstance(node, Not):
        inner = compiled(node.what, now_ms=now_ms)
        return lambda document: not inner(document)
    if isinstance(node, (All, AnyOf)):
        tests, combine = [compiled(one, now_ms=now_ms) for one in node.of], all if isinstance(node, All) else any
        return lambda document: combine(test(document) for test in tests)
    if isinstance(node, Range):
        return _range(node, now_ms)
    if node.field in DATES and node.value != "*":
        wanted = _moment(node.value, now_ms)
        return lambda document: wanted in document.get(node.field, ())
    return _match(node)


def date(milliseconds: int) -> str:
    """A moment as documents hold it."""
    return f"{milliseconds:015d}"


def folded(text: str, *, keep: str = "") -> list[str]:
    """The words of a text without capitals and diacritics; characters of `keep` belong to words."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return "".join(one if one.isalnum() or one in keep else " " for one in plain.casefold()).split()


def _match(node: Match) -> Test:
    field, value = node.field, node.value
    if value == "*" and not node.phrase:
        return (lambda _: True) if field == "*" else (lambda document: bool(document.get(field)))
    if _ANALYSED.fullmatch(field):
        words = folded(value) if node.phrase else folded(_unescaped(value), keep="*?")
        pattern = re.compile("(?:^| )" + " ".join(_pattern(word, "[^ ]") for word in words) + "(?: |$)")
        return lambda document: (
            bool(words) and any(pattern.search(" ".join(folded(one))) for one in document.get(field, ()))
        )
    if node.phrase:
        return lambda document: any(value.casefold() == one.casefold() for one in document.get(field, ()))
    whole = re.compile(_pattern(value, "."), re.IGNORECASE | re.DOTALL)
    return lambda document: any(whole.fullmatch(one) for one in document.get(field, ()))


def _range(node: Range, now_ms: int) -> Test:
    ends = [node.low, node.high]
    if node.field in DATES:
        ends = [end if end == "*" else _moment(end, now_ms) for end in ends]
    low, high = ends

    def inside(value: str) -> bool:
        above = low == "*" or value > low or (node.with_low and value == low)
        return above and (high == "*" or value < high or (node.with_high and value == high))

    return lambda document: any(inside(one) for one in document.get(node.field, ()))


def _moment(text: str, now_ms: int) -> str:
    try:
        return date(moment(text, now_ms=now_ms))
    except (ValueError, OverflowError) as error:
        raise QuerySyntax(str(error)) from None


def _pattern(word: str, anything: str) -> str:
    """A word with `*` and `?` as a regular expression; what a backslash precedes stands for itself."""
    pieces = re.findall(r"\\.|.", word, re.DOTALL)
    return "".join({"*": f"{anything}*", "?": anything}.get(one, re.escape(_unescaped(one))) for one in pieces)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
