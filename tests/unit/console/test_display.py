"""How the status pages show numbers, times, texts and charts."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from orcid_sync.model.text.labels import Label
from orcid_sync.service.console.record import NAMES, by_section
from orcid_sync.service.console.sign_in import local
from orcid_sync.service.rendering import charts
from orcid_sync.service.rendering.answer_cache import SECONDS, SHARE, AnswerCache
from orcid_sync.service.rendering.html import Renderer, linked, number, share, shown, when
from orcid_sync.service.rendering.live_page import event
from orcid_sync.store.console.connection_list import Entry

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("part", "said"),
    [(0, "0 %"), (0.0004, "< 0.1 %"), (0.005, "0.5 %"), (0.25, "25 %"), (0.9996, "> 99.9 %"), (1, "100 %")],
)
def test_shares_are_not_rounded_to_all_or_nothing(part: float, said: str) -> None:
    assert share(part) == said


def test_numbers_and_moments() -> None:
    assert number(1_234_567) == "1,234,567"
    assert when(AT.astimezone(UTC) + timedelta(seconds=7)) == "2026-03-01 09:30:07 UTC"


@pytest.mark.fault("F55")
@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("line\nline", "line\nline"),
        ("می\u200cنامد", "می\u200cنامد"),
        ("Ayşe Örnekoğlu", "Ayşe Örnekoğlu"),
    ],
)
def test_what_acts_unseen_is_seen(text: str, safe: str) -> None:
    assert shown(text) == safe


def test_sentences_link_the_ids_that_they_name_and_nothing_else() -> None:
    said = str(linked('<b>"x"</b> of 0000-0002-1825-0097 failed'))

    assert '<a class="whole" href="/records/0000-0002-1825-0097">0000-0002-1825-0097</a> failed' in said
    assert said.startswith("&lt;b&gt;&#34;x&#34;&lt;/b&gt; of ")


@pytest.mark.parametrize(
    ("address", "led"),
    [
        ("/records/0000-0002-1825-0097?section=work", "/records/0000-0002-1825-0097?section=work"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("/a\r\nSet-Cookie: x=1", "/"),
        ("", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_nobody_is_led_elsewhere_after_signing_in(address: str, led: str) -> None:
    assert local(address) == led


def test_bars_are_as_high_as_what_they_stand_for() -> None:
    chart = charts.bars([(AT, 0), (AT + timedelta(hours=1), 1), (AT + timedelta(hours=2), 1_000)])

    assert [bar.height for bar in chart.bars] == [0, charts.LEAST, charts.HEIGHT]
    assert [bar.y + bar.height for bar in chart.bars] == [charts.HEIGHT] * 3
    assert (chart.most, chart.total, chart.bars[2].label) == (1_000, 1_001, "2026-03-01 11:30 UTC")
    assert charts.bars([]).total == 0


def test_parts_fill_the_whole_in_their_order() -> None:
    found = charts.parts({"late": 1, "odd": 1, "good": 2}, {"good": "best", "none": "x", "late": "poor"})

    assert [(part.name, part.kind, part.x, part.width) for part in found] == [
        ("good", "best", 0, 50),
        ("late", "poor", 50, 25),
        ("odd", "note", 75, 25),
    ]
    assert charts.parts({}, {}) == []


def test_an_event_of_several_lines_is_one_event() -> None:
    assert event("<p>\n</p>") == b"data: <p>\ndata: </p>\n\n"


def test_every_section_has_a_title() -> None:
    from orcid_sync.model.record.sections import SECTIONS

    assert set(NAMES) == set(SECTIONS)


def test_sections_come_in_the_order_in_which_people_look() -> None:
    def entry(section: str) -> Entry:
        return Entry(
            section=section,
            key="1",
            visibility="public",
            modified_at=None,
            versions=1,
            total=1,
            source=None,
            doc=b'{"content": "x"}',
        )

    sections = by_section([entry("work"), entry("keyword"), entry("new-kind"), entry("name")])

    assert [section.title for section in sections] == ["Name", "Keywords", "Works", "new-kind"]
    assert sections[1].lines[0].label == Label("x", "", "")


def test_files_have_names_of_their_content_and_unknown_ones_are_not_served() -> None:
    renderer = Renderer(environment="sandbox", web_url="https://sandbox.orcid.org")

    address = renderer._address("console.css")

    assert renderer.file(address.removeprefix("/static/")) is not None
    assert renderer.file("console.css") is None
    assert renderer.file("../rendering.py") is None


class Database:
    """Something that is asked, and how often it was."""

    def __init__(self) -> None:
        self.now, self.asked, self.takes = 0.0, 0, 0.0

    async def ask(self) -> int:
        self.asked += 1
        await asyncio.sleep(0)
        self.now += self.takes
        return self.asked


async def test_many_who_look_at_once_ask_once() -> None:
    database = Database()
    fresh = AnswerCache(database.ask, clock=lambda: database.now)

    assert await asyncio.gather(*(fresh.get() for _ in range(20))) == [1] * 20
    database.now = SECONDS - 0.1
    assert await fresh.get() == 1
    database.now = SECONDS
    assert await fresh.get() == 2


async def test_what_takes_long_is_asked_seldom() -> None:
    database = Database()
    database.takes = 1.0
    fresh = AnswerCache(database.ask, clock=lambda: database.now)

    await fresh.get()
    database.now += SHARE - 0.1
    assert await fresh.get() == 1
    database.now += 0.1
    assert await fresh.get() == 2


async def test_a_failure_is_not_kept() -> None:
    answers = iter([OSError("away"), None])

    async def ask() -> str:
        if (answer := next(answers)) is not None:
            raise answer
        return "back"

    fresh = AnswerCache(ask, clock=lambda: 0.0)
    with pytest.raises(OSError, match="away"):
        await fresh.get()
    assert await fresh.get() == "back"
