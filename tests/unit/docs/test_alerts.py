"""Alarms and dashboard ask for what the service tells: every metric, label and value that they name is one of ours."""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families
from typer.main import get_command

from orcid_sync.cli.main import make_app
from orcid_sync.model.consent import invitation
from orcid_sync.model.pushes import delivery
from orcid_sync.model.record.doubts import Kind
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.model.webhooks.evidence import Verdict
from orcid_sync.model.webhooks.health import AlarmKind, Webhooks
from orcid_sync.registry.errors import RegistryError
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.sync import reconcile
from orcid_sync.service.webhooks.intake import OUTCOMES
from orcid_sync.settings.settings import Settings
from orcid_sync.store.database.queries import load_queries
from orcid_sync.store.pushes import outbox
from unit.docs.anchors import headings

DEPLOY = Path(__file__).parents[3] / "deploy"
GROUPS = yaml.safe_load((DEPLOY / "alerts.yaml").read_text("utf-8"))["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
COMMANDS = get_command(make_app()).commands  # type: ignore[attr-defined]
DASHBOARD = json.loads((DEPLOY / "grafana" / "orcid-sync.json").read_text("utf-8"))
PANELS = DASHBOARD["panels"]
SHOWN = [panel for panel in PANELS if panel["type"] != "row"]
TARGETS = {f"{panel['title']} {target['refId']}": target for panel in SHOWN for target in panel["targets"]}
EXPRESSIONS = {rule["alert"]: rule["expr"] for rule in RULES} | {name: one["expr"] for name, one in TARGETS.items()}

each_expression = pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])

# What Prometheus itself adds, and what prometheus_client tells of a process where the system lets it.
TARGET = {"job", "instance"}
BESIDES = ("up", "process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes")
NAME = re.compile(r"\b(?:orcid_sync_\w+|process_\w+|up)\b")

STATES = set(re.findall(r"(?:then|else) '(\w+)'", load_queries(outbox.__file__).summary.sql))


def kinds_below(error: type[RegistryError]) -> set[str]:
    return {error.kind}.union(*map(kinds_below, error.__subclasses__()))


ERRORS = kinds_below(RegistryError)
VALUES: dict[str, dict[str, set[str]]] = {
    "job": {"": {"orcid-sync", "$job"}},
    "lane": {"": {lane.name.lower() for lane in Lane}},
    "state": {"": STATES},
    "status": {"": ERRORS | {str(code) for code in range(200, 600)}},
    "kind": {
        "orcid_sync_alarm": set(AlarmKind),
        "orcid_sync_webhooks_in_doubt": set(Webhooks.__struct_fields__),
        "orcid_sync_changes_found": set(Verdict),
        "orcid_sync_doubts_records": set(Kind),
    },
    "outcome": {
        "orcid_sync_intake_requests_total": {outcome.name for outcome in OUTCOMES},
        "orcid_sync_consents_total": set(invitation.Outcome),
        "orcid_sync_push_tries_total": set(delivery.Outcome),
        "orcid_sync_reconciliations_total": set(re.findall(r'outcome="(\w+)"', inspect.getsource(reconcile))),
    },
}
"""What a label can say: for some labels it depends on the metric."""


def exposed() -> dict[str, set[str]]:
    """The labels of everything that a process shows at /metrics."""
    metrics = Metrics()
    for collector in list(metrics.registry._collector_to_names):
        if isinstance(collector, MetricWrapperBase) and collector._labelnames:
            collector.labels(*collector._labelnames)
    families = text_string_to_metric_families(metrics.render().decode())
    shown: dict[str, set[str]] = {name: set() for name in BESIDES}
    for sample in (sample for family in families for sample in family.samples):
        shown.setdefault(sample.name, set()).update(sample.labels)
    return shown


EXPOSED = exposed()


def matchers(expression: str) -> Iterator[tuple[str, str, str, str]]:
    """Every metric, label, operator and value in it."""
    for metric, selector in re.findall(r"(\w+)\{([^}]*)\}", expression):
        for label, operator, value in re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', selector):
            yield metric, label, operator, value


def labels_of(expression: str) -> set[str]:
    return TARGET.union(*(EXPOSED[name] for name in NAME.findall(expression)))


@each_expression
def test_metrics_exist(expression: str) -> None:
    assert set(NAME.findall(expression)) - EXPOSED.keys() == set()
    assert NAME.search(expression)


@each_expression
def test_labels_and_their_values_exist(expression: str) -> None:
    for metric, label, operator, value in matchers(expression):
        known = VALUES[label].get(metric) or VALUES[label][""]
        assert label in TARGET | EXPOSED[metric], metric
        for one in value.split("|") if "~" in operator else [re.escape(value)]:
            assert any(re.fullmatch(one, text) for text in known), f"{label}={one}"


@each_expression
def test_it_is_grouped_by_labels_that_are_there(expression: str) -> None:
    for group in re.findall(r"\b(?:by|on|without|ignoring) \(([^)]*)\)", expression):
        assert set(group.split(", ")) <= labels_of(expression)


@each_rule
def test_an_alarm_says_what_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert re.fullmatch(r"\d+[mh]", rule["for"])
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert not rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["description"].endswith((".", "?"))


@each_rule
def test_an_alarm_names_a_section_of_the_runbook(rule: dict[str, Any]) -> None:
    page, anchor = rule["annotations"]["runbook"].split("#")
    assert page == "deploy/docs/runbook.md"
    assert anchor in headings(DEPLOY / "docs" / "runbook.md")


@each_rule
def test_the_words_of_an_alarm_are_ours(rule: dict[str, Any]) -> None:
    text = " ".join(rule["annotations"].values())
    assert set(re.findall(r"orcid-sync ([a-z]+)", text)) <= COMMANDS.keys()
    assert set(re.findall(r"[a-z]+(?:_[a-z]+)+", text)) <= Settings.model_fields.keys() | {"orcid_sync"}
    assert set(re.findall(r"\$labels\.(\w+)", text)) <= labels_of(rule["expr"])


def test_no_two_alarms_have_one_name() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    assert len({group["name"] for group in GROUPS}) == len(GROUPS)


def test_the_dashboard_shows_all_that_is_told() -> None:
    told = {re.sub(r"_(bucket|sum|count)$", "", name) for name in EXPOSED if not name.endswith("_created")}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in NAME.findall(json.dumps(DASHBOARD))}
    assert {name for name in told if name.startswith("orcid_sync")} - shown == set()


@pytest.mark.parametrize("panel", SHOWN, ids=lambda panel: panel["title"])
def test_a_panel_explains_itself(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in {"s", "short", "percentunit", "reqps", "ops", "bytes"}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_legend_names_labels_that_are_there(target: dict[str, Any]) -> None:
    assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels_of(target["expr"])


def test_the_dashboard_fits_any_grafana_from_version_10() -> None:
    assert DASHBOARD["schemaVersion"] == 38
    assert set(re.findall(r'"type": "prometheus", "uid": "([^"]*)"', json.dumps(DASHBOARD))) == {"${datasource}"}
    assert [one["name"] for one in DASHBOARD["templating"]["list"]] == ["datasource", "job"]


def test_no_panel_covers_another() -> None:
    places = [panel["gridPos"] for panel in PANELS]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in PANELS}) == len({panel["title"] for panel in PANELS}) == len(PANELS)
