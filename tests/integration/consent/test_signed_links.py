"""Links, sessions and guards that were forged, tampered with, or made for somebody else."""

import hmac
import re
from collections.abc import Callable

import pytest

from integration.consent.connect_service import ERIKA, MAX, STRANGER, Asking, Seen, browser
from orcid_sync.service.consent import signed_links as tickets_module

TAMPERED: list[tuple[str, Callable[[str], str]]] = [
    ("another number", lambda token: "2" + token[1:]),
    ("a later end", lambda token: re.sub(r"\.(\d)", r".9", token, count=1)),
    ("another signature", lambda token: token[:-1] + ("A" if token[-1] != "A" else "E")),
    ("no signature", lambda token: token.rpartition(".")[0]),
    ("cut", lambda token: token[:-5]),
    ("longer", lambda token: token + "A"),
    ("a leading zero", lambda token: "0" + token),
    ("nothing but a name", lambda _: "admin"),
]


@pytest.mark.invariant("S15")
@pytest.mark.parametrize(("how", "change"), TAMPERED, ids=[how for how, _ in TAMPERED])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_tampered_invitation_is_not_followed(
    asking: Asking, how: str, change: Callable[[str], str], method: str
) -> None:
    link = await asking.invite()
    base, _, token = link.rpartition("/")
    used = "select pg_stat_clear_snapshot(), xact_commit from pg_stat_database where datname = current_database()"
    await asking.connection.execute("select pg_stat_force_next_flush()")
    before = (await asking.connection.fetchrow(used))["xact_commit"]

    answers = [await asking.browser.send(method, f"{base}/{change(token)}") for _ in range(20)]
    answers.append(await asking.browser.send(method, f"{base}/{change(token)}/denied"))

    assert {answer.status for answer in answers} == {404}
    assert {answer.title for answer in answers[:-1]} == {"This link is not complete"}
    assert await asking.connection.fetchval("select opened_at from orcid_sync.invitations") is None
    await asking.connection.execute("select pg_stat_force_next_flush()")
    assert (await asking.connection.fetchrow(used))["xact_commit"] - before < 15, "the database was not asked"


async def test_an_invitation_of_another_environment_is_none(asking: Asking) -> None:
    from orcid_sync.service.consent.signed_links import Link, LinkSigner
    from orcid_sync.store.database.encryption import Vault

    await asking.invite()
    elsewhere = LinkSigner(Vault(asking.settings.key_ring).derive, "production").invitation(Link(1, 9_999_999_999))

    assert (await asking.browser.get(f"{asking.url}/connect/{elsewhere}")).status == 404


async def test_signatures_are_compared_in_constant_time(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare_digest(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(
        tickets_module, "hmac", type("Hmac", (), {"compare_digest": compare_digest, "digest": hmac.digest})
    )
    link = await asking.invite()

    await asking.browser.get(link)
    await asking.browser.get(link[:-1] + ("A" if link[-1] != "A" else "E"))

    assert [one == other for one, other in compared] == [True, False]
    assert {len(one) for pair in compared for one in pair} == {43}


async def connected(asking: Asking) -> Seen:
    return await asking.browser.connect(await asking.invite(), ERIKA)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"guard": ""},
        {"guard": "A" * 43},
        {"guard": "\u0661" * 43},
    ],
)
async def test_only_the_page_itself_can_end_the_connection(asking: Asking, form: dict[str, str]) -> None:
    await connected(asking)

    answer = await asking.browser.send("POST", f"{asking.url}/connected", data={"choice": "erase", **form})

    assert (answer.status, answer.title) == (403, "Please sign in again")
    assert await asking.connection.fetchval("select state from orcid_sync.connections") == "connected"


async def test_a_guard_belongs_to_its_session(asking: Asking) -> None:
    page = await connected(asking)
    async with browser() as other:
        theirs = await other.connect(await asking.invite("p2"), MAX)
        form = {"choice": "erase", **page.fields}
        answer = await other.send("POST", f"{asking.url}/connected", data=form)

    assert theirs.fields != page.fields
    assert answer.status == 403
    states = await asking.connection.fetch("select state from orcid_sync.connections")
    assert [row["state"] for row in states] == ["connected"] * 2


@pytest.mark.parametrize("choice", [None, "", "everything", "freeze&choice=erase"])
async def test_without_a_choice_nothing_is_ended(asking: Asking, choice: str | None) -> None:
    page = await connected(asking)
    body = f"guard={page.fields['guard']}" + (f"&choice={choice}" if choice is not None else "")

    answer = await asking.browser.send("POST", f"{asking.url}/connected", data=body)

    assert answer.status in {303, 403}
    assert await asking.connection.fetchval("select state from orcid_sync.connections") == "connected"


@pytest.mark.parametrize("cookie", ["", "x", f"1.{ERIKA}.9999999999." + "A" * 43, f"1.{STRANGER}.1.", "\u0661"])
async def test_a_forged_session_shows_nothing(asking: Asking, cookie: str) -> None:
    await connected(asking)
    async with browser() as stranger:
        headers = {"Cookie": f"orcid-sync-session={cookie}"}
        page = await stranger.get(f"{asking.url}/connected", headers=headers)

    assert (page.status, page.title) == (403, "Please sign in again")
    assert ERIKA not in page.text


async def test_a_session_ends_after_half_an_hour(asking: Asking) -> None:
    from datetime import UTC, datetime

    from orcid_sync.service.consent.signed_links import Session

    await connected(asking)
    now = int(datetime.now(UTC).timestamp())
    for ends, status in ((now + 60, 200), (now - 1, 403)):
        session = asking.tickets.session(Session(1, ERIKA, ends))
        async with browser() as opened:
            headers = {"Cookie": f"orcid-sync-session={session}"}
            assert (await opened.get(f"{asking.url}/connected", headers=headers)).status == status
    kept = next(cookie for cookie in asking.browser.http.cookie_jar if cookie.key == "orcid-sync-session")
    assert kept["max-age"] == "1800"
