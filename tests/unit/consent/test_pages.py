"""The connect pages as texts and templates: every language complete, every page well formed, only text put in."""

import re
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import resources
from string import Formatter
from typing import Any

import pytest

from orcid_sync.service.consent.html_pages import STATUSES, Facts, Pages
from orcid_sync.service.consent.translations import choose, load_texts
from orcid_sync.service.http.browser_requests import fields_of

FOLDER = resources.files("orcid_sync.service.consent").joinpath("templates")
LANGUAGES = sorted(file.name.removesuffix(".toml") for file in FOLDER.iterdir() if file.name.endswith(".toml"))
MARKUP = "<b>&\"'{institution}{{ 7 }}"
FACTS = Facts(
    institution=f"Example {MARKUP}",
    institution_url="https://www.example.edu/?a=1&b=2",
    purpose=f"Bibliography {MARKUP}",
    privacy_url="https://www.example.edu/privacy",
    contact="orcid@example.edu",
    web_url="https://orcid.org",
)
WORDS: dict[str, dict[str, Any]] = {
    "invitation": {"action": "https://x/connect/1", "name": f"Erika {MARKUP}", "returning": False},
    "connected": {"action": "https://x/connected", "name": MARKUP, "orcid": "0000-0002-1825-0097", "guard": "g"},
    "left": {"action": "https://x/connected", "name": MARKUP, "orcid": "0000-0002-1825-0097", "guard": "g"},
}
VOID = {"meta", "input", "br", "wbr"}


class Outline(HTMLParser):
    """Whether tags are closed in order, and what there is to be said of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def entries(node: Any, path: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every text with the words in its braces; lists by their length."""
    if isinstance(node, dict):
        for name, child in node.items():
            yield from entries(child, f"{path}.{name}")
    elif isinstance(node, list):
        yield f"{path} x {len(node)}", set().union(*(words for text in node for _, words in entries(text)))
    else:
        yield path, {name for _, name, _, _ in Formatter().parse(node) if name}


def texts_of(language: str) -> Any:
    return tomllib.loads(FOLDER.joinpath(f"{language}.toml").read_text("utf-8"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same(language: str) -> None:
    english, translated = dict(entries(texts_of("en"))), dict(entries(texts_of(language)))

    assert translated.keys() == english.keys()
    assert {key: words for key, words in translated.items() if words - english[key] - {"institution"}} == {}


def test_every_text_is_used() -> None:
    templates = "".join(f.read_text("utf-8") for f in FOLDER.iterdir() if f.name.endswith(".html"))
    named = set(re.findall(r'["\']([a-z_]+(?:\.[a-z_]+)?)["\']', templates))
    known = {key.strip(".").partition(" ")[0] for key, _ in entries(texts_of("en"))}
    general = {f"{page}.{part}" for page in STATUSES for part in ("title", "text")}
    choices = {f"connected.{choice}{part}" for choice in ("freeze", "erase") for part in ("", "_note")}

    assert known - named - general - choices == {"invitation.returning_title"}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("returning", [False, True])
@pytest.mark.parametrize("page", STATUSES)
def test_every_page_is_well_formed_and_can_be_used_by_all(page: str, language: str, *, returning: bool) -> None:
    words = WORDS.get(page, {"retry": "https://x/r", "other": "https://x/o"})
    if page == "invitation":
        words = {**words, "returning": returning}

    answer = Pages(FACTS, public_url="https://x").show(page, wished=language, **words)

    assert isinstance(answer.text, str)
    outline = Outline(answer.text)
    assert (answer.status, answer.headers["Content-Language"], outline.open) == (STATUSES[page], language, [])
    assert outline.all("html") == [{"lang": language}]
    assert len(outline.all("h1")) == len(outline.all("main")) == len(outline.all("title")) == 1
    assert len(set(outline.ids)) == len(outline.ids)
    labels = {attrs["for"] for attrs in outline.all("label")}
    assert {attrs["id"] for attrs in outline.all("input") if attrs["type"] != "hidden"} == labels
    described = {attrs["aria-describedby"] for attrs in outline.all("input") if "aria-describedby" in attrs}
    assert described <= set(outline.ids)
    assert not {"script", "img", "iframe", "link"} & {tag for tag, _ in outline.tags}
    assert all(attrs.get("href", "").startswith(("https://", "mailto:", "#")) for attrs in outline.all("a"))  # type: ignore[union-attr]
    assert not [name for _, attrs in outline.tags for name in attrs if name.startswith("on") or name == "style"]


@pytest.mark.fault("F72")
@pytest.mark.parametrize("page", STATUSES)
def test_what_is_put_in_stays_text(page: str) -> None:
    answer = Pages(FACTS, public_url="https://x").show(page, **WORDS.get(page, {}))

    assert isinstance(answer.text, str)
    assert "<b>" not in answer.text
    assert "&lt;b&gt;&amp;&#34;&#39;{institution}{{ 7 }}" in answer.text


def test_a_page_without_its_words_is_a_defect_and_no_page() -> None:
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        Pages(FACTS, public_url="https://x").show("connected")


def test_https_is_demanded_where_there_is_https() -> None:
    def header(public_url: str) -> str | None:
        return Pages(FACTS, public_url=public_url).show("over").headers.get("Strict-Transport-Security")

    assert (header("https://x"), header("http://127.0.0.1:8080")) == ("max-age=31536000", None)


@pytest.mark.parametrize(
    ("contact", "link"),
    [
        ("orcid@example.edu", "mailto:orcid@example.edu"),
        ("https://www.example.edu/@library", "https://www.example.edu/@library"),
    ],
)
def test_where_a_contact_leads(contact: str, link: str) -> None:
    import msgspec

    assert msgspec.structs.replace(FACTS, contact=contact).contact_link == link


@pytest.mark.parametrize(
    ("wished", "accepted", "expected"),
    [
        (None, "", "en"),
        (None, "de", "de"),
        (None, "de-CH-1996, en", "de"),
        (None, "en;q=0.3, de;q=0.4", "de"),
        (None, "de;q=0, en", "en"),
        (None, "ja, de;q=0.1", "de"),
        (None, ",".join(["xx"] * 30 + ["de"]), "en"),
        (None, "\u0661;q=\u0661, ;;;, de;q=2", "en"),
        ("DE_de", "en", "de"),
        ("ja", "de", "de"),
    ],
)
def test_the_language_is_what_the_reader_understands(wished: str | None, accepted: str, expected: str) -> None:
    assert choose(load_texts({"institution": "x"}), wished, accepted).language == expected


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("a=1&b=%C3%BC", {"a": "1", "b": "\u00fc"}),
        ("a=", {"a": ""}),
        ("a=1&a=2", {}),
        ("a=%ff", {}),
        ("&".join(f"x{number}=1" for number in range(21)), {}),
        ("", {}),
    ],
)
def test_queries_and_forms_are_read_within_limits(text: str, fields: dict[str, str]) -> None:
    assert fields_of(text) == fields
