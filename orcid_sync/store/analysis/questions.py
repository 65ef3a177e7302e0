"""Questions that institutions ask of the mirror, each with the query that answers it: the files in `questions/`.

A file is named by number and subject. Its first line is the question, the comments below it say what to know about the
answer, the rest is one query that any reader may run.
"""

import re
from functools import cache
from pathlib import Path

import msgspec

_FOLDER = Path(__file__).with_name("questions")
_SHAPE = re.compile(r"-- (?P<number>\d+)\. (?P<title>[^\n]+)\n(?P<note>(?:-- [^\n]+\n)*)(?P<sql>.+)", re.DOTALL)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question and its query."""

    number: int
    name: str
    """Its subject, as the file is called."""
    title: str
    note: str
    """What to know about the answer; may be empty."""
    sql: str


@cache
def load_questions() -> tuple[Question, ...]:
    """All questions by their numbers."""
    return tuple(_read(path) for path in sorted(_FOLDER.glob("*.sql")))


def _read(path: Path) -> Question:
    shape = _SHAPE.fullmatch(path.read_text("utf-8"))
    if shape is None:
        raise ValueError(f"{path.name} does not begin with its question")
    note = " ".join(line.removeprefix("-- ") for line in shape["note"].splitlines())
    name = path.stem.partition("_")[2].replace("_", "-")
    return Question(number=int(shape["number"]), name=name, title=shape["title"], note=note, sql=shape["sql"])
