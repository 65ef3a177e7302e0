"""The Kubernetes manifests name what is there: settings, secrets, ports, paths, commands; and leave no door open."""

import re
from pathlib import Path
from typing import Any, cast, get_args

import pytest
import yaml
from pydantic import ValidationError
from typer.main import get_command

from orcid_sync.cli.main import make_app
from orcid_sync.daemon.serve import Part
from orcid_sync.service.console.health_and_metrics import Console, make_console
from orcid_sync.service.http.authentication import Authority
from orcid_sync.service.http.listeners import FINISH_SECONDS
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.runtime.health import Draining, Heartbeats
from orcid_sync.settings.secrets import secret_settings
from orcid_sync.settings.settings import Settings
from orcid_sync.settings.sources import variables

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "kubernetes"
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text("utf-8"))
COMMANDS = get_command(make_app()).commands  # type: ignore[attr-defined]

FILES = {path.name: list(yaml.safe_load_all(path.read_text("utf-8"))) for path in sorted(FOLDER.glob("*.yaml"))}
KUSTOMIZATION = FILES["kustomization.yaml"][0]
MANIFESTS = [one for documents in FILES.values() for one in documents]
POD = FILES["pod.yaml"][0]["spec"]["template"]["spec"]
DEPLOYMENTS = {name: FILES[f"{name}.yaml"][0] for name in ("web", "worker")}
CONTAINERS = {name: one["spec"]["template"]["spec"]["containers"][0] for name, one in DEPLOYMENTS.items()}
COMMON = [*POD["initContainers"], *POD["containers"]]
PORTS = {port["name"]: port["containerPort"] for port in CONTAINERS["web"]["ports"]}
GIVEN = dict(
    line.split("=", 1) for line in (FOLDER / "settings.env").read_text("utf-8").splitlines() if not line.startswith("#")
)
SECRETS = FILES["secret.example.yaml"][0]["stringData"]
STAND_INS = {
    "client_secret": "c",
    "webhook_secret": "w" * 32,
    "encryption_key": "A" * 43 + "=",
    "internal_token": "t" * 32,
    "database_url": SECRETS["database_url"],
}

KNOWN = {variable: name for name in Settings.model_fields for variable in variables(name)}
FROM_FILES = {f"{variable}_FILE": name for variable, name in KNOWN.items() if name in secret_settings()}


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in MANIFESTS if one["kind"] == kind]


def settings() -> Settings:
    """What the pods run with."""
    given: dict[str, Any] = {KNOWN[variable]: value for variable, value in GIVEN.items()}
    return Settings(**given, **STAND_INS)


def routes() -> set[str]:
    """The paths of the internal listener's probes."""
    console = Console(draining=Draining(), heartbeats=Heartbeats(float), database=cast("Any", None), metrics=Metrics())
    listener = make_console(console, Authority(cast("Any", None), host="127.0.0.1", internal_token=None))
    return {route.resource.canonical for route in listener.router.routes() if route.resource}


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_every_variable_is_a_setting(path: Path) -> None:
    named = set(re.findall(r"\b(?:ORCID_SYNC|DATABASE_URL)[A-Z_]*", path.read_text("utf-8")))
    assert named <= KNOWN.keys() | FROM_FILES.keys()


def test_the_service_starts_with_these_settings() -> None:
    found = settings()
    found.require(*found.needed_to_serve)
    assert found.public_port == PORTS["public"]
    assert found.internal_port == PORTS["internal"]


@pytest.mark.parametrize("container", COMMON, ids=lambda one: one["name"])
def test_every_secret_is_a_file_that_is_mounted(container: dict[str, Any]) -> None:
    folder = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}["secrets"]
    assert {one["name"] for one in container["env"]} <= FROM_FILES.keys()
    assert {one["value"]: FROM_FILES[one["name"]] for one in container["env"]} == {
        f"{folder}/{name}": name for name in SECRETS
    }


@pytest.mark.parametrize("name", sorted(SECRETS.keys() - {"client_secret", "database_url"}))
def test_a_secret_that_was_copied_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="make one with"):
        Settings(**{name: SECRETS[name]})


def test_what_is_applied_is_there_and_the_examples_are_not() -> None:
    assert [name for name in KUSTOMIZATION["resources"] if name not in FILES or "example" in name] == []
    assert [one["path"] for one in KUSTOMIZATION["patches"]] == ["pod.yaml"]
    assert [one["envs"] for one in KUSTOMIZATION["configMapGenerator"]] == [["settings.env"]]


def test_the_image_is_the_one_of_compose() -> None:
    named = {one["image"] for one in COMMON} | {one["name"] for one in KUSTOMIZATION["images"]}
    assert named == {COMPOSE["services"]["orcid-sync"]["image"]}


def test_both_parts_of_the_service_run() -> None:
    assert {container["args"][2] for container in CONTAINERS.values()} == set(get_args(Part))
    for container in [*CONTAINERS.values(), POD["initContainers"][0]]:
        assert container["args"][0] in COMMANDS
    for container in CONTAINERS.values():
        assert container["args"][1] in {option for one in COMMANDS["serve"].params for option in one.opts}


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_a_probe_asks_what_is_answered(probe: str) -> None:
    python, script, path = POD["containers"][0][probe]["exec"]["command"]
    assert python == "python"
    assert f"COPY deploy/healthcheck.py {script}" in DOCKERFILE
    assert path in routes()


def test_a_pod_is_given_the_time_that_stopping_takes() -> None:
    found = settings()
    assert POD["terminationGracePeriodSeconds"] >= max(found.drain_seconds, found.stop_seconds) + FINISH_SECONDS + 5


@pytest.mark.parametrize("container", COMMON, ids=lambda one: one["name"])
def test_a_container_may_do_nothing(container: dict[str, Any]) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_user_is_the_one_of_the_image() -> None:
    user = re.search(r"^USER (\d+):(\d+)", DOCKERFILE, re.MULTILINE)
    assert user
    context = POD["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == tuple(map(int, user.groups()))
    assert context["runAsNonRoot"] is True
    assert POD["automountServiceAccountToken"] is False


@pytest.mark.parametrize("container", [*CONTAINERS.values(), POD["initContainers"][0]], ids=lambda one: one["args"][-1])
def test_memory_is_bounded_and_the_processor_is_not(container: dict[str, Any]) -> None:
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container["resources"]["limits"].keys() == {"memory"}


def selects(selector: dict[str, str], deployment: dict[str, Any]) -> bool:
    return selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("service", of_kind("Service"), ids=lambda one: one["metadata"]["name"])
def test_a_service_leads_to_a_port_of_every_pod_that_it_selects(service: dict[str, Any]) -> None:
    selected = [name for name, one in DEPLOYMENTS.items() if selects(service["spec"]["selector"], one)]
    assert selected
    for name in selected:
        open_ports = {port["name"] for port in CONTAINERS[name]["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= open_ports


def test_the_internet_reaches_the_public_listener_alone() -> None:
    (ingress,) = of_kind("Ingress")
    services = {one["metadata"]["name"]: one["spec"]["ports"] for one in of_kind("Service")}
    paths = [path for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]]
    for backend in (path["backend"]["service"] for path in paths):
        assert [port["name"] for port in services[backend["name"]]] == [backend["port"]["name"]] == ["public"]
    assert f"https://{ingress['spec']['rules'][0]['host']}" == GIVEN["ORCID_SYNC_PUBLIC_URL"]


def test_only_who_is_named_reaches_the_internal_listener() -> None:
    (policy,) = of_kind("NetworkPolicy")
    assert all(selects(policy["spec"]["podSelector"]["matchLabels"], one) for one in DEPLOYMENTS.values())
    for rule in policy["spec"]["ingress"]:
        ports = {port["port"] for port in rule["ports"]}
        assert ports <= PORTS.keys()
        assert ports == {"public"} or rule["from"]


def test_a_budget_keeps_one_listener_and_blocks_no_node() -> None:
    (budget,) = of_kind("PodDisruptionBudget")
    assert selects(budget["spec"]["selector"]["matchLabels"], DEPLOYMENTS["web"])
    assert 0 < budget["spec"]["minAvailable"] < DEPLOYMENTS["web"]["spec"]["replicas"]
