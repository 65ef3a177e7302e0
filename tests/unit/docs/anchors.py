"""What links lead to."""

import re
from pathlib import Path


def titles(path: Path) -> list[str]:
    """The headings of a page as they are written; what only looks like one in a block of code is none."""
    prose = re.sub(r"^ *```.*?^ *```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"^#+ (.+)", prose, re.MULTILINE)


def headings(path: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles(path)}
