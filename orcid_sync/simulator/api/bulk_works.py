"""Pages of full works, `/works/1,2,3`, with their quirks (contract sections 3.8 and 12a)."""

from typing import Any

from orcid_sync.simulator.answers.rendering import Renderer
from orcid_sync.simulator.base.errors import Refusal, error_body
from orcid_sync.simulator.oauth.access import Access, forbidden_in_bulk
from orcid_sync.simulator.records.profiles import RecordState
from orcid_sync.simulator.records.visibility import sees

Json = dict[str, Any]

LIMIT = 100
PARTITION = 50


class BulkWorks:
    """Makes them, and remembers which works it has loaded, as the Registry's cache does."""

    def __init__(self, renderer: Renderer, *, room: int = 200_000) -> None:
        self._renderer = renderer
        self._room = room
        self._loaded: dict[tuple[str, int], int] = {}

    def holds(self, numbers: frozenset[int], state: RecordState) -> bool:
        """True if each of these works has been loaded as it is now."""
        works = state.of("work")
        return all(
            self._loaded.get((state.orcid, number)) == works[number].modified_ms
            for number in numbers
            if number in works
        )

    def document(self, codes: str, state: RecordState, access: Access) -> Json:
        """The page: errors have no put-codes, works that do not exist come last. Raises Refusal.

        From the database each work comes once, in the database's order, and an error for what was asked twice; from
        the cache in the order asked, as often as asked.
        """
        asked, works = _numbers(codes), state.of("work")
        found = [number for number in asked if number in works]
        missing = dict.fromkeys(number for number in asked if number not in works)
        spurious = dict.fromkeys(number for number in asked if asked.count(number) > 1)
        if self.holds(frozenset(found), state):
            spurious = {}
        else:
            found = _from_database(found)
        answers = [self._entry(number, state, access) for number in found]
        answers += [{"error": error_body(9034, str(number))} for number in (*missing, *spurious)]
        self._remember(found, state)
        return {"bulk": answers}

    def _entry(self, number: int, state: RecordState, access: Access) -> Json:
        item = state.of("work")[number]
        if sees(access.viewer, item):
            return {"work": self._renderer.item(state, item)}
        return {"error": error_body(forbidden_in_bulk(access))}

    def _remember(self, numbers: list[int], state: RecordState) -> None:
        for number in numbers:
            self._loaded[state.orcid, number] = state.of("work")[number].modified_ms
        while len(self._loaded) > self._room:
            del self._loaded[next(iter(self._loaded))]


def is_number(code: str) -> bool:
    """True for what the Registry takes for a put-code in an address."""
    return code.isascii() and code.isdigit()


def _numbers(codes: str) -> list[int]:
    asked = codes.split(",")
    if len(asked) > LIMIT:
        raise Refusal(9042)
    if not all(is_number(code) for code in asked):
        raise Refusal(9006, "a put code is not a number")
    return [int(code) for code in asked]


def _from_database(numbers: list[int]) -> list[int]:
    distinct = list(dict.fromkeys(numbers))
    parts = (distinct[start : start + PARTITION] for start in range(0, len(distinct), PARTITION))
    return [number for part in parts for number in sorted(part, key=_shuffled)]


def _shuffled(number: int) -> int:
    """Some order that is not the request's."""
    return number * 2_654_435_761 % 4_294_967_296
