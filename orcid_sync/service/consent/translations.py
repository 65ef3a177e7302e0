"""What the connect pages say, in every language that there is a file for: templates/<language>.toml.

A translation is one more file. Nothing in it is HTML: whatever stands in braces is put in as text, and the templates
escape it all.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

import msgspec

DEFAULT = "en"

_RANGE = re.compile(r"([A-Za-z]{1,8})(?:-[A-Za-z0-9-]*)?(?:;q=([01](?:\.[0-9]{0,3})?))?", re.ASCII)
_ACCEPTED = 20
"""Languages of a browser that are looked at."""


class Translations(msgspec.Struct, frozen=True):
    """The texts of one language; keys are written with dots: invitation.title."""

    language: str
    """Its tag, for HTML."""
    entries: Mapping[str, Any]
    facts: Mapping[str, str]
    """Words that may stand in braces in any text."""

    def say(self, key: str, **words: str) -> str:
        """One sentence. Raises KeyError if there is none, or if it wants another word."""
        return str(self._entry(key)).format_map({**self.facts, **words})

    def lines(self, key: str) -> list[str]:
        """A list of sentences. Raises KeyError."""
        return [str(line).format_map(self.facts) for line in self._entry(key)]

    def _entry(self, key: str) -> Any:
        found: Any = self.entries
        for part in key.split("."):
            found = found[part]
        return found


def load_texts(facts: Mapping[str, str]) -> dict[str, Translations]:
    """The texts of every language by its tag."""
    return {language: Translations(language, entries, facts) for language, entries in _files()}


def choose(texts: Mapping[str, Translations], wished: str | None, accepted: str) -> Translations:
    """The texts in the language wished for, else in what the browser accepts (Accept-Language), else in English."""
    for tag in (*filter(None, [wished]), *_preferred(accepted), DEFAULT):
        if (language := re.split("[-_]", tag)[0].lower()) in texts:
            return texts[language]
    raise LookupError(DEFAULT)


def _preferred(accepted: str) -> list[str]:
    """The languages of an Accept-Language header, the best first; what is not understood is passed over."""
    ranges = [_RANGE.fullmatch(part.replace(" ", "")) for part in accepted.split(",")[:_ACCEPTED]]
    weighed = [(float(one[2] or 1), one[1]) for one in ranges if one is not None]
    return [tag for weight, tag in sorted(weighed, key=lambda pair: -pair[0]) if weight > 0]


def _files() -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted(
        resources.files("orcid_sync.service.consent").joinpath("templates").iterdir(), key=lambda file: file.name
    ):
        if file.name.endswith(".toml"):
            yield file.name.removesuffix(".toml"), tomllib.loads(file.read_text("utf-8"))
