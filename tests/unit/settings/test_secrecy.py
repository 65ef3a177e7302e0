"""The watch over secrets (tests/rig/secrecy.py) can fail: leaks are planted, one for each way out, and each is seen."""

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]

PLANTED = '''
import asyncio, logging, subprocess, sys, traceback
import aiohttp, pytest, structlog, typer, typer.testing
from aiohttp import web
from orcid_sync.settings.settings import Settings
from orcid_sync.registry.callbacks import callback_url
from orcid_sync.service.http.listeners import internal_listener, public_listener
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.database.encryption import Vault

SIM = SimulatedRegistry()
TOKEN = SIM.token_service.issue(CLIENT_ID, ["/read-limited"])
KEY = "bWFkZS11cCBrZXkgb2YgdGhlc2UgdGVzdHMsIDMyIEI="
SETTINGS = {
    "client_id": "APP-1", "client_secret": "secret-of-the-client", "webhook_secret": "secret-of-webhooks-" * 2,
    "encryption_key": KEY, "internal_token": "token-of-the-inside-" * 2, "encryption_key_id": "2",
    "old_encryption_keys": {"1": "YW5vdGhlciBtYWRlLXVwIGtleSwgb2xkLCAzMiBCIS4="},
    "database_url": "postgresql://user:secret-of-the-database@127.0.0.1/x",
}
Settings(**SETTINGS)

def test_clean():
    print("harmless", KEY[:20], TOKEN.text[:13], "postgresql://user@127.0.0.1/x")

def test_clean_twice():
    """What was let out by one test is not held against the next."""

@pytest.mark.reveals("stdout", reason="the marker works")
def test_clean_on_purpose():
    print(TOKEN.text)

@pytest.mark.reveals("stderr", reason="not where it comes out")
def test_leak_elsewhere():
    print(TOKEN.text)

def test_leak_stdout():
    print("the token is", TOKEN.text)

def test_leak_refresh_token():
    print(TOKEN.refresh)

def test_leak_stderr():
    print(f"Bearer {TOKEN.text}!", file=sys.stderr)

def test_leak_read_by_the_test(capsys):
    print(TOKEN.text)
    assert capsys.readouterr().out

def test_leak_logging():
    logging.getLogger("aiohttp").warning("request with %s", {"Authorization": TOKEN.text})

def test_leak_structlog():
    structlog.get_logger().info("asked", token=TOKEN.text)

def test_leak_captured_log():
    with structlog.testing.capture_logs():
        structlog.get_logger().info("asked", token=TOKEN.text)

def test_leak_traceback():
    try:
        raise ValueError(TOKEN.text)
    except ValueError:
        traceback.print_exc()

def test_leak_command():
    app = typer.Typer()
    app.command()(lambda: typer.echo(TOKEN.text))
    typer.testing.CliRunner().invoke(app)

def test_leak_child():
    subprocess.run([sys.executable, "-c", f"print('{TOKEN.text}')"], capture_output=True)

def test_leak_child_of_its_environment():
    env = {"ORCID_SYNC_CLIENT_SECRET": "secret-of-a-child"}
    program = f"import os; print(os.environ['{[*env][0]}'])"
    subprocess.run([sys.executable, "-c", program], capture_output=True, env=env)

def test_leak_child_into_a_file(tmp_path):
    with (tmp_path / "log").open("ab") as log:
        subprocess.run([sys.executable, "-c", f"print('{TOKEN.text}')"], stdout=log)

async def test_leak_child_into_a_pipe():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"print('{TOKEN.text}')", stdout=asyncio.subprocess.PIPE
    )
    await process.communicate()

async def asked(port, path="/"):
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        await answer.read()

@pytest.mark.parametrize("said", [{"text": TOKEN.text}, {"headers": {"Location": "/" + TOKEN.text}}])
async def test_leak_answer_of_the_public_listener(said):
    async def handle(request):
        return web.Response(**said)
    async with public_listener(handle, host="127.0.0.1", port=0, on_error=print) as port:
        await asked(port)

async def test_leak_answer_of_the_internal_listener():
    async def handle(request):
        return web.json_response({"token": TOKEN.text})
    app = web.Application()
    app.router.add_get("/x", handle)
    async with internal_listener(app, host="127.0.0.1", port=0) as port:
        await asked(port, "/x")

@pytest.mark.parametrize("name", ["client_secret", "webhook_secret", "encryption_key", "internal_token"])
def test_leak_setting(name):
    print(f"<{SETTINGS[name]}>")

@pytest.mark.parametrize("text", [
    SETTINGS["old_encryption_keys"]["1"], KEY.rstrip("="), "made-up key of these tests, 32 B",
    b"made-up key of these tests, 32 B".hex(), "secret-of-the-database", "QVBQLTE6c2VjcmV0LW9mLXRoZS1jbGllbnQ=",
])
def test_leak_other_form(text):
    print(f"<{text}>")

def test_leak_callback_address():
    orcid = "0000-0002-1825-0097"
    print(callback_url("https://x", secret=b"s" * 32, key_version=3, environment="sandbox", orcid=orcid))

def test_leak_registered_address():
    SIM.add_record("0000-0002-1825-0097")
    SIM.webhooks.put("0000-0002-1825-0097", f"https%3A%2F%2Fx%2F1.{'A' * 43}", CLIENT_ID)
    print("1." + "A" * 43)

def test_leak_code():
    code = SIM.world.grants.offer(SIM.token_service.clients[CLIENT_ID], "0000-0002-1825-0097", ["/read-limited"], "https://x")
    print(f"GET /callback?code={code.text}&state=1")

def test_leak_sealed():
    Vault({"1": bytes(32)}).seal("token-from-a-file", orcid="0000-0002-1825-0097", column="access_token")
    print("token-from-a-file")
'''


@pytest.mark.invariant("S12")
@pytest.mark.reveals("process", reason="what pytest says about the planted leaks")
def test_every_planted_leak_is_seen(tmp_path: Path) -> None:
    planted = tmp_path / "test_planted.py"
    planted.write_text(PLANTED)
    options = ["-p", "rig.secrecy", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(tmp_path)]
    quiet = ["-o", "asyncio_mode=auto", "--tb=short", "-rA", "--color=no"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}

    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *quiet, str(planted)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=env,
        timeout=120,
        check=False,
    )

    said: defaultdict[str, set[str]] = defaultdict(set)
    for outcome, name in re.findall(r"^(PASSED|FAILED|ERROR) \S+?::(test_\w+(?:\[.*?\])?)", ended.stdout, re.MULTILINE):
        said[name].add(outcome)
    # Each passes as a test, and is then found guilty of what came out of it.
    expected = {name: {"PASSED", "ERROR"} if "_leak_" in name else {"PASSED"} for name in said}
    assert said == expected, ended.stdout[-3000:] + ended.stderr[-2000:]
    planted_names = set(re.findall(r"^(?:async )?def (test_\w+)", PLANTED, re.MULTILINE))
    assert {name.partition("[")[0] for name in said} == planted_names


def test_the_report_does_not_repeat_the_secret() -> None:
    from rig.secrecy import Secrets

    secrets = Secrets()
    secrets.add("access token", "c0ffee00-0000-4000-8000-00000000cafe")

    [(what, place)] = secrets.found_in(
        "Bearer c0ffee00-0000-4000-8000-00000000cafe; c0ffee00-0000-4000-8000-00000000cafe"
    )

    assert (what, place) == ("access token", "…Bearer <access token>; <again>…")
