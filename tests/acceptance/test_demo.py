"""The demo, run as somebody would who has just cloned the repository."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer

from orcid_sync.cli.demo.command import parse_duration
from orcid_sync.cli.demo.comparison import _items

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "orcid_sync", "demo", "--records", "12", "--edits-per-minute", "120"]
PATIENCE = 90.0


def environment(**more: str) -> dict[str, str]:
    """Nothing of the tests' own settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORCID_SYNC_")}
    return inherited | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | more


def play(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_it_ends_by_itself_and_finds_mirror_and_registry_equal() -> None:
    demo = play("--for", "4s")

    assert demo.returncode == 0, demo.stderr
    assert "12 webhooks are registered" in demo.stdout
    assert 'psql" "host=' in demo.stdout or 'psql "host=' in demo.stdout
    assert "->  mirrored +" in demo.stdout
    assert "Mirror and Registry: 12 records" in demo.stdout
    assert "all equal." in demo.stdout


def test_ctrl_c_ends_the_edits_and_not_the_comparison() -> None:
    with subprocess.Popen(
        COMMAND, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as demo:
        assert demo.stdout is not None
        try:
            until = time.monotonic() + PATIENCE
            for line in demo.stdout:
                if "mirrored +" in line or time.monotonic() > until:
                    break
            os.killpg(demo.pid, signal.SIGINT)  # as a terminal does: the whole group
            rest, _ = demo.communicate(timeout=PATIENCE)
        finally:
            demo.kill()

    assert "all equal." in rest
    assert demo.returncode == 0


def test_a_port_in_use_is_one_clear_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        demo = play("--for", "1s", "--port", port)

    assert demo.returncode == 1
    assert f"127.0.0.1:{port}" in demo.stderr
    assert "in use" in demo.stderr
    assert "Traceback" not in demo.stderr


def test_no_folder_to_write_to_is_one_clear_sentence() -> None:
    script = "import tempfile, sys; tempfile._candidate_tempdir_list = lambda: ['/proc/nowhere']; "
    script += "from orcid_sync.cli.main import main; sys.argv = ['orcid-sync', 'demo', '--for', '1s']; main()"
    demo = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert demo.returncode == 1
    assert "Set TMPDIR" in demo.stderr
    assert "Traceback" not in demo.stderr


@pytest.mark.parametrize(("given", "seconds"), [("30s", 30), ("2m", 120), ("1.5min", 90), ("1h", 3600), ("45", 45)])
def test_durations_are_read_as_people_write_them(given: str, seconds: float) -> None:
    assert parse_duration(given) == seconds


@pytest.mark.parametrize("given", ["", "soon", "-3s", "3 days"])
def test_other_durations_are_refused(given: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a duration"):
        parse_duration(given)


def test_the_comparison_knows_every_kind_of_item() -> None:
    found = dict(
        _items(
            {
                "name": {"given-names": {"value": "A"}, "path": "0000"},
                "biography": {"content": "b", "path": "/0000/biography"},
                "emails": {"email": [{"email": "a@example.org", "put-code": None, "path": None}]},
                "works": {"group": [{"work-summary": [{"put-code": 5, "path": "/0000/work/5"}]}]},
            }
        )
    )

    assert list(found) == ["name", "/0000/biography", "e-mail a@example.org", "/0000/work/5"]
