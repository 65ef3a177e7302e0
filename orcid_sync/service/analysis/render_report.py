"""Reports as people read them: Markdown, one HTML page that needs nothing else, or CSV."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

import jinja2

from orcid_sync.model.analysis import charts
from orcid_sync.model.analysis.report_figures import LABELS, Report

FORMS: Final[Mapping[str, str]] = {"markdown": "report.md", "html": "report.html"}
"""Templates by the name of the form."""


def render(report: Report, form: str) -> str:
    """The report in one of FORMS, or csv."""
    if form == "csv":
        return _csv(report)
    return _environment().get_template(FORMS[form]).render(report=report, labels=LABELS, **_FUNCTIONS)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("orcid_sync.service.analysis"),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": _number, "cell": _cell}
    return environment


def _number(value: int) -> str:
    return f"{value:,}"


def _cell(text: object) -> str:
    """Somebody's words inside a table of Markdown."""
    return " ".join(str(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "columns": charts.columns,
    "line": charts.line,
    "share": charts.share,
    "thinned": charts.thinned,
}


def _csv(report: Report) -> str:
    """One figure a line: what it is about, of what, which, and how much."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("part", "of", "figure", "value"))
    writer.writerows(_figures(report))
    return out.getvalue()


def _figures(report: Report) -> Iterator[tuple[str, str, str, object]]:
    yield from (("report", "", name, value) for name, value in _about(report))
    if report.adoption:
        yield "adoption", "", "connected", report.adoption.connected
        yield "adoption", "", "with_permission", report.adoption.with_permission
        yield from _of("invitations", "", report.adoption.invitations)
        for month in report.adoption.months:
            yield from _of("adoption", f"{month.month:%Y-%m}", month, but=("month",))
    yield from (("records", "", name, getattr(report, name)) for name in ("records", "active"))
    if report.employed is not None:
        yield "records", "", "employed", report.employed
    for section in report.coverage:
        yield from _of("completeness", section.section, section, but=("section",))
    for year in report.works:
        yield from _of("works", str(year.year or "unknown"), year, but=("year",))
    for one in report.changes:
        yield from _of("changes", f"{one.month:%Y-%m} {one.section}", one, but=("month", "section"))
    yield "changes", "", "people_with_changes", report.people_with_changes
    for funder in report.funders:
        yield from _of("funders", _plain(funder.name), funder, but=("name",))
    yield from _of("freshness", "", report.freshness)


def _about(report: Report) -> Iterator[tuple[str, object]]:
    yield "institution", _plain(report.institution or "")
    yield "from", report.period.first
    yield "to", report.period.last
    yield "made_at", f"{report.made_at:%Y-%m-%dT%H:%M:%SZ}"
    yield "view", "limited" if report.limited else "public"


def _of(part: str, of: str, figures: Any, *, but: tuple[str, ...] = ()) -> Iterator[tuple[str, str, str, object]]:
    for name in figures.__struct_fields__:
        if name not in but:
            yield part, of, name, getattr(figures, name)


def _plain(text: str) -> str:
    """Somebody's words that no spreadsheet computes."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
