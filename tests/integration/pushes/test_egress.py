"""Where pushes cannot be made to go: every door through which a request of ours could reach what others must not."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from orcid_sync.model.pushes.delivery import Outcome, Result
from orcid_sync.service.pushes.guarded_client import AddressRefused, GuardedClient, Rules, open_guarded_client
from rig.certificates import expired_certificate
from rig.push_receiver import LOCAL, Receiver, receiving

NOTHING_ALLOWED = Rules(plain_http=True)


class Names:
    """A name server that says what it is told, the last answer for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, family: int) -> list[Any]:
        self.asked.append(host)
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [found for one in addresses for found in socket.getaddrinfo(one, port, family, socket.SOCK_STREAM)]


@asynccontextmanager
async def guarded_client_with(
    rules: Rules, names: Names | None = None, *, seconds: float = 2.0
) -> AsyncIterator[GuardedClient]:
    async with open_guarded_client(rules, seconds=seconds, lookup=names) as courier:
        yield courier


async def post(courier: GuardedClient, url: str) -> Result:
    return await courier.post(url, b"{}", {"webhook-id": "msg_1"})


def port_of(receiver: Receiver) -> str:
    return receiver.url.rpartition(":")[2]


LOOPBACK = ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "2130706433", "0x7f000001", "017700000001"]


@pytest.mark.parametrize("host", LOOPBACK)
async def test_no_notation_of_an_address_of_ours_is_called(receiver: Receiver, host: str) -> None:
    async with guarded_client_with(NOTHING_ALLOWED) as courier:
        result = await post(courier, f"http://{host}:{port_of(receiver)}")

    assert result.outcome in {Outcome.FORBIDDEN, Outcome.UNREACHABLE}
    assert receiver.received == []


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("10.1.2.3", "private"),
        ("192.168.1.1", "private"),
        ("169.254.169.254", "metadata of a cloud"),
        ("169.254.1.1", "link-local"),
        ("100.64.0.1", "shared by carriers"),
        ("fd00::1", "private"),
        ("fe80::1", "link-local"),
        ("::ffff:10.0.0.1", "private"),
    ],
)
async def test_a_name_that_leads_inside_is_not_called(address: str, kind: str) -> None:
    async with guarded_client_with(NOTHING_ALLOWED, Names([address])) as courier:
        result = await post(courier, "http://cris.example.edu/x")

    assert (result.outcome, result.error) == (Outcome.FORBIDDEN, f"the address is {kind}")


async def test_a_network_of_ones_own_is_called_when_it_is_allowed(receiver: Receiver) -> None:
    names = Names(["127.0.0.1"])
    async with guarded_client_with(LOCAL, names) as courier:
        result = await post(courier, f"http://cris.example.edu:{port_of(receiver)}")

    assert result.outcome is Outcome.DELIVERED
    assert receiver.received[0].headers["Host"].startswith("cris.example.edu")


async def test_of_several_addresses_only_those_are_called_that_may_be(receiver: Receiver) -> None:
    rules = Rules(allowed=[ip_network("127.0.0.0/9")], plain_http=True)
    async with receiving("127.128.0.1") as inside:
        names = Names(["127.128.0.1", "127.0.0.1"])
        async with guarded_client_with(rules, names) as courier:
            result = await post(courier, f"http://cris.example.edu:{port_of(receiver)}")

        assert result.outcome is Outcome.DELIVERED
        assert inside.received == []


async def test_a_name_that_changes_its_mind_leads_nowhere_else(receiver: Receiver) -> None:
    """DNS rebinding: what is connected to is what was judged, for the name is not asked a second time in between."""
    allowed = Rules(allowed=[ip_network("127.0.0.1/32")], plain_http=True)
    async with receiving("127.0.0.2") as inside:
        names = Names(["127.0.0.1"], ["127.0.0.2"])
        async with guarded_client_with(allowed, names) as courier:
            url = f"http://cris.example.edu:{port_of(receiver)}"
            assert (await post(courier, url)).outcome is Outcome.DELIVERED
            assert names.asked == ["cris.example.edu"]
        async with guarded_client_with(allowed, names) as courier:
            assert (await post(courier, url)).error == "the address is loopback"
        assert inside.received == []


async def test_what_the_resolver_let_through_the_socket_stops(receiver: Receiver, monkeypatch: Any) -> None:
    """The second lock: whatever an address came from, no socket is opened for it."""
    rules = Rules(plain_http=True)
    monkeypatch.setattr(rules, "check_url", lambda _url: "")
    async with guarded_client_with(rules) as courier:
        result = await post(courier, receiver.url)

    assert (result.outcome, result.error) == (Outcome.FORBIDDEN, "the address is loopback")
    assert receiver.received == []
    with pytest.raises(AddressRefused):
        rules.open_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("10.0.0.1", 80)))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    async with receiving() as inside:
        receiver.status, receiver.headers = status, {"Location": inside.url}
        async with guarded_client_with(LOCAL) as courier:
            result = await post(courier, receiver.url)

        assert (result.outcome, result.error) == (Outcome.REFUSED, f"status {status}")
        assert inside.received == []


@pytest.mark.parametrize(
    ("url", "plain_http", "complaint"),
    [
        ("https://cris.example.edu/orcid?key=1", False, None),
        ("https://cris.example.edu:8443", False, None),
        ("http://cris.example.edu/", False, "must begin with https"),
        ("http://cris.example.edu/", True, None),
        ("https://user:word@cris.example.edu/", False, "must not hold a password"),
        ("ftp://cris.example.edu/", True, "must be an address"),
        ("file:///etc/passwd", True, "must be an address"),
        ("https:///x", False, "must be an address"),
        ("https://cris.example.edu/#x", False, "must be an address"),
        ("cris.example.edu", False, "must be an address"),
        ("https://10.0.0.1/", False, "the address is private"),
        ("https://[fd00:ec2::254]/", False, "metadata"),
    ],
)
def test_what_an_address_must_look_like(url: str, complaint: str | None, *, plain_http: bool) -> None:
    rules = Rules(plain_http=plain_http)
    if complaint is None:
        assert rules.check_url(url).startswith(("http://cris.example.edu", "https://cris.example.edu"))
    else:
        with pytest.raises((ValueError, AddressRefused), match=complaint):
            rules.check_url(url)


async def test_a_setting_that_was_taken_back_counts_for_subscriptions_that_exist(receiver: Receiver) -> None:
    async with guarded_client_with(Rules(allowed=[ip_network("127.0.0.0/8")])) as courier:
        result = await post(courier, receiver.url)

    assert (result.outcome, result.error) == (Outcome.FORBIDDEN, "the service may not call this URL")


async def test_nothing_is_said_to_whom_no_certificate_proves(tmp_path: Path) -> None:
    async with receiving(certificate=expired_certificate(tmp_path)) as receiver, guarded_client_with(LOCAL) as courier:
        result = await post(courier, receiver.url)

    assert (result.outcome, "TLS" in str(result.error)) == (Outcome.UNREACHABLE, True)
    assert receiver.received == []


async def test_an_endless_answer_costs_little() -> None:
    async def drip(request: web.BaseRequest) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 65_536)

    runner = web.ServerRunner(web.Server(drip), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with guarded_client_with(LOCAL) as courier, asyncio.timeout(3):
            result = await post(courier, f"http://127.0.0.1:{runner.addresses[0][1]}/")
        assert result.outcome is Outcome.DELIVERED
    finally:
        await runner.cleanup()


async def test_whoever_does_not_answer_is_left_in_time(receiver: Receiver) -> None:
    receiver.patience = asyncio.Event()
    async with guarded_client_with(LOCAL, seconds=0.2) as courier, asyncio.timeout(2):
        result = await post(courier, receiver.url)
    receiver.patience.set()

    assert (result.outcome, result.error) == (Outcome.UNREACHABLE, "no complete answer in time")


@pytest.mark.parametrize(
    ("url", "names", "error"),
    [
        ("http://cris.example.edu/", Names([]), "the host name cannot be resolved"),
        ("http://127.0.0.1:1/", None, "no connection"),
    ],
)
async def test_no_way_there_says_which(url: str, names: Names | None, error: str) -> None:
    async with guarded_client_with(LOCAL, names) as courier:
        result = await post(courier, url)

    assert (result.outcome, result.error) == (Outcome.UNREACHABLE, error)
