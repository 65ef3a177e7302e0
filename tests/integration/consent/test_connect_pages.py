"""The connect pages: the whole way, and each way in which it ends otherwise."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from integration.consent.connect_service import ERIKA, MAX, STRANGER, Asking, asking_service, query_of
from orcid_sync.service.consent import token_exchange
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.store.consent.erasure import erase
from orcid_sync.store.database.encryption import Vault


@pytest.mark.fault("F71", "F74")
@pytest.mark.invariant("S18")
async def test_the_whole_way(
    registry: SimulatedRegistry, dsn: str, connection: asyncpg.Connection, wait_until: Any
) -> None:
    async with asking_service(registry, dsn, connection, only=None) as asking:
        registry.edit.add_item(ERIKA, "work", {"title": "Only for trusted parties"}, visibility="limited")
        link = await asking.invite(given_names="Erika", family_names="Mustermann")

        welcome = await asking.browser.get(link)
        back = await asking.browser.decide(await asking.browser.press(link), ERIKA)
        returned = await asking.browser.get(back)
        page = await asking.browser.get(returned.location)

        assert (welcome.status, welcome.title) == (200, "Connect your ORCID iD")
        assert "Invitation for Erika Mustermann" in welcome.text
        assert (returned.status, returned.location, returned.text) == (303, f"{asking.url}/connected", "")
        assert (page.status, page.title) == (200, "Your ORCID iD is connected")
        assert f'href="{registry.web_url}/{ERIKA}"' in page.text
        await wait_until(lambda: connection.fetchval("select true from orcid.works where visibility = 'limited'"))
    [token] = asking.tokens(ERIKA)
    stored = await asking.row("select * from orcid_sync.tokens where orcid = $1", ERIKA)
    vault = Vault(asking.settings.key_ring)
    assert vault.open(stored["access_token"], orcid=ERIKA, column="access_token") == token.text
    assert vault.open(stored["refresh_token"], orcid=ERIKA, column="refresh_token") == token.refresh
    assert stored["scopes"] == ["/read-limited"]
    assert timedelta(days=7_300) < stored["expires_at"] - datetime.now(UTC) < timedelta(days=7_310)
    assert datetime.now(UTC) - stored["granted_at"] < timedelta(minutes=1)
    assert await asking.events() == [("granted", ERIKA, "holder", "connect-page")]
    invitation = await asking.invitation()
    assert (invitation["granted_orcid"], invitation["name"], invitation["outcome"]) == (
        ERIKA,
        "Erika Mustermann",
        "granted",
    )
    assert asking.exchanges() == [200]
    assert await connection.fetchval("select count(*) from orcid_sync.consent_flows") == 0


async def test_the_way_to_orcid_is_prepared(asking: Asking) -> None:
    link = await asking.invite(
        given_names="J\u00fcrgen & Co", family_names="M\u00fc\u00dfig", email="j+m@example.edu", orcid=ERIKA, lang="de"
    )

    address = await asking.browser.press(link)
    await asking.browser.decide(address, ERIKA)
    without = await asking.browser.press(link, "register")
    another = await asking.browser.press(link, "other")

    asked = asking.registry.journal.consents[0].parameters
    assert len(asked.pop("state")) == 43
    assert asked == {
        "client_id": asking.settings.client_id,
        "response_type": "code",
        "scope": "/read-limited",
        "redirect_uri": f"{asking.url}/oauth/callback",
        "lang": "de",
        "given_names": "J\u00fcrgen & Co",
        "family_names": "M\u00fc\u00dfig",
        "email": "j+m@example.edu",
        "orcid": ERIKA,
        "show_login": "true",
    }
    assert "j%2Bm%40example.edu" in address
    assert query_of(without)["show_login"] == "false"
    assert "orcid" not in query_of(without)
    assert query_of(another)["prompt"] == "login"


@pytest.mark.fault("F72")
async def test_a_no_is_noted_and_nothing_else(asking: Asking) -> None:
    link = await asking.invite(given_names="Erika")

    page = await asking.browser.connect(link, ERIKA, "deny")

    assert (page.status, page.title) == (200, "You have said no")
    assert f'href="{link}"' in page.text
    assert await asking.events() == [("denied", None, "holder", "connect-page")]
    assert await asking.connection.fetchval("select count(*) from orcid_sync.connections") == 0
    invitation = await asking.invitation()
    assert (invitation["outcome"], invitation["denied_at"] is None, invitation["granted_at"]) == ("denied", False, None)
    assert asking.exchanges() == []
    assert (await asking.browser.connect(link, ERIKA)).title == "Your ORCID iD is connected"


@pytest.mark.invariant("S18")
async def test_another_id_than_expected_is_not_connected_and_its_token_is_revoked(
    registry: SimulatedRegistry, dsn: str, connection: asyncpg.Connection, wait_until: Any
) -> None:
    async with asking_service(registry, dsn, connection, only=None) as asking:
        link = await asking.invite(orcid=ERIKA)

        page = await asking.browser.connect(link, STRANGER)

        assert (page.status, page.title) == (403, "This is another ORCID iD than expected")
        [token] = asking.tokens(STRANGER)
        await wait_until(lambda: token.disabled == "CLIENT_REVOKED")
        assert await connection.fetchval("select count(*) from orcid_sync.tokens") == 0
        assert await connection.fetchval("select count(*) from orcid.records") == 0
        assert (await asking.invitation())["granted_orcid"] is None
        assert await asking.events() == []
        again = await asking.browser.press(link, "other")
        assert (await asking.browser.follow(await asking.browser.decide(again, ERIKA))).status == 200


@pytest.mark.fault("F64")
async def test_an_id_belongs_to_one_person_until_that_connection_ends(asking: Asking) -> None:
    first, second = await asking.invite("p1"), await asking.invite("p2")

    assert (await asking.browser.connect(first, ERIKA)).status == 200
    taken = await asking.browser.connect(second, ERIKA)
    used = await asking.browser.connect(first, MAX)

    assert (taken.status, taken.title) == (409, "This ORCID iD is connected already")
    assert (used.status, used.title) == (409, "This invitation is connected with another ORCID iD")
    assert [(await asking.invitation(p))["outcome"] for p in ("p1", "p2")] == ["used", "taken"]
    retired = "select count(*) from orcid_sync.retired_tokens where reason = 'unwanted'"
    assert await asking.connection.fetchval(retired) == 2
    await leave(asking, first, "freeze", ERIKA)
    assert (await asking.browser.connect(second, ERIKA)).status == 200
    assert [(await asking.invitation(p))["granted_orcid"] for p in ("p1", "p2")] == [None, ERIKA]


async def test_whoever_was_merged_comes_back_with_the_primary_id(asking: Asking) -> None:
    link = await asking.invite(orcid=ERIKA)
    assert (await asking.browser.connect(link, ERIKA)).status == 200
    await asking.connection.execute(
        "insert into orcid.records (orcid, state, primary_orcid, access) values ($1, 'deprecated', $2, 'read-limited')",
        ERIKA,
        MAX,
    )

    assert (await asking.browser.connect(link, MAX)).title == "Your ORCID iD is connected"
    assert (await asking.invitation())["granted_orcid"] == MAX


async def test_less_than_was_asked_for_is_not_enough(asking: Asking) -> None:
    address = await asking.browser.press(await asking.invite())

    back = await asking.browser.decide(address.replace("scope=%2Fread-limited", "scope=%2Fauthenticate"), ERIKA)
    page = await asking.browser.follow(back)

    assert (page.status, page.title) == (403, "Something is missing")
    assert await asking.connection.fetchval("select count(*) from orcid_sync.tokens") == 0
    assert await asking.connection.fetchval("select reason from orcid_sync.retired_tokens") == "unwanted"


AWAY: list[tuple[str, dict[str, Any], int]] = [
    # fault of the simulated Registry, its options, the exchanges that it counted
    ("error", {"status": 503}, 503),
    ("error", {"status": 500}, 500),
    ("html", {}, 200),
    ("truncated", {}, 200),
    ("wrong-shape", {"body": {"access_token": "x"}}, 200),
    ("reset", {}, 0),
    ("lost-answer", {}, 0),
    ("timeout", {}, 0),
]


@pytest.mark.fault("F70")
@pytest.mark.invariant("S18")
@pytest.mark.parametrize(("kind", "options", "status"), AWAY, ids=[f"{kind} {o}" for kind, o, _ in AWAY])
async def test_without_a_reliable_answer_the_person_starts_again(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, kind: str, options: dict[str, Any], status: int
) -> None:
    monkeypatch.setattr(token_exchange, "EXCHANGE_SECONDS", 0.3 if kind == "timeout" else 10)
    link = await asking.invite()
    asking.registry.faults.add(kind, "token-code", **options)

    page = await asking.browser.connect(link, ERIKA)

    assert (page.status, page.title) == (503, "We could not finish")
    assert asking.exchanges() in ([status], [])
    assert sum(asking.registry.faults.fired.values()) == 1, "exactly one POST"
    assert await asking.nothing_happened()
    assert (await asking.invitation())["outcome"] == "unavailable"
    asking.registry.faults.clear()
    assert (await asking.browser.connect(link, ERIKA)).title == "Your ORCID iD is connected"


async def test_a_code_that_orcid_does_not_take(asking: Asking) -> None:
    back = await asking.browser.decide(await asking.browser.press(await asking.invite()), ERIKA)

    page = await asking.browser.follow(back.replace(query_of(back)["code"], "wRonG1"))

    assert (page.status, page.title) == (502, "ORCID has ended the sign-in")
    assert asking.exchanges() == [400]
    assert await asking.nothing_happened()


async def test_an_invitation_that_has_expired(asking: Asking) -> None:
    await asking.invite()
    number = (await asking.invitation())["number"]
    old = asking.link(number, datetime.now(UTC) - timedelta(days=1))
    fresh = asking.link(number, datetime.now(UTC) + timedelta(days=1))

    for page in (await asking.browser.get(old), await asking.browser.send("POST", old, data={"way": "sign-in"})):
        assert (page.status, page.title) == (410, "This invitation has expired")
    assert await asking.connection.fetchval("select count(*) from orcid_sync.consent_flows") == 0

    await asking.browser.connect(fresh, ERIKA)
    returning = await asking.browser.get(old)
    assert (returning.status, returning.title) == (200, "Your connection with Example University")
    assert ERIKA not in returning.text, "whoever has the link has not signed in"
    assert (await asking.browser.connect(old, ERIKA)).title == "Your ORCID iD is connected"
    assert (await asking.events())[0] == ("granted", ERIKA, "holder", "connect-page")


async def leave(asking: Asking, link: str, choice: str, orcid: str) -> Any:
    """Sign in by the link again, and end the connection."""
    page = await asking.browser.connect(link, orcid)
    form = {**page.fields, "choice": choice}
    ended = await asking.browser.send("POST", f"{asking.url}/connected", data=form)
    assert ended.status == 303
    return await asking.browser.get(ended.location)


LEAVING = {
    "freeze": ("The connection has ended", "disconnected"),
    "erase": ("Everything has been deleted", "erased"),
}


@pytest.mark.parametrize("choice", LEAVING)
async def test_a_connection_is_ended_where_it_was_made(
    registry: SimulatedRegistry, dsn: str, connection: asyncpg.Connection, wait_until: Any, choice: str
) -> None:
    async with asking_service(registry, dsn, connection, only=None) as asking:
        registry.edit.add_item(ERIKA, "work", {"title": "Public"})
        registry.edit.add_item(ERIKA, "work", {"title": "Limited"}, visibility="limited")
        link = await asking.invite(given_names="Erika", email="erika@example.edu", orcid=ERIKA)
        await asking.browser.connect(link, ERIKA)
        await wait_until(lambda: connection.fetchval("select count(*) = 2 from orcid.works"))

        page = await leave(asking, link, choice, ERIKA)

        title, event = LEAVING[choice]
        assert (page.status, page.title) == (200, title)
        assert (await asking.events())[-1] == (event, ERIKA, "holder", "disconnect-page")
        ended = "select state = 'disconnected' from orcid_sync.connections"
        await wait_until(lambda: connection.fetchval(ended), 10)
        assert [token.disabled for token in asking.tokens(ERIKA)] == ["CLIENT_REVOKED"] * 2
        assert len(list(registry.webhooks)) == 0
        assert await connection.fetchval("select count(*) from orcid.works") == (choice == "freeze")
        invitation = await asking.invitation()
        personal = [invitation[name] for name in ("given_names", "email", "orcid", "granted_orcid", "name")]
        assert [value is None for value in personal] == [choice == "erase"] * 5
        after = await asking.browser.get(f"{asking.url}/connected")
        assert (after.status, after.title) == (403, "Please sign in again")


async def test_the_page_shows_what_became_of_the_connection_elsewhere(asking: Asking) -> None:
    page = await asking.browser.connect(await asking.invite(), ERIKA)
    await asking.connection.execute("update orcid_sync.connections set state = 'disconnecting'")
    ended = await asking.browser.get(f"{asking.url}/connected")
    assert (ended.status, ended.title) == (200, "This connection has ended")

    await erase(asking.connection, ERIKA, by="operator", learnt="command")
    later = await asking.browser.get(f"{asking.url}/connected")
    sent = await asking.browser.send("POST", f"{asking.url}/connected", data={**page.fields, "choice": "erase"})

    assert (later.status, later.title) == (200, "Your ORCID iD is not connected")
    assert sent.location == f"{asking.url}/connected"
    assert [by for event, _, by, _ in await asking.events() if event == "erased"] == ["operator"], "and not once more"


@pytest.mark.parametrize(
    ("lang", "accepted", "expected"),
    [
        (None, "", "en"),
        (None, "de-AT,en;q=0.5", "de"),
        (None, "fr, de;q=0.2, en;q=0.9", "en"),
        (None, "xx, , ;q=, de;q=0, *", "en"),
        ("de", "en", "de"),
        ("zh_CN", "de", "de"),
        ("fr", "", "en"),
    ],
)
async def test_pages_speak_the_language_of_their_reader(
    asking: Asking, lang: str | None, accepted: str, expected: str
) -> None:
    link = await asking.invite(lang=lang)

    page = await asking.browser.get(link, headers={"Accept-Language": accepted})

    assert page.headers["Content-Language"] == expected
    assert f'<html lang="{expected}">' in page.text


async def test_without_webhooks_the_pages_are_served_all_the_same(
    registry: SimulatedRegistry, dsn: str, connection: asyncpg.Connection
) -> None:
    async with asking_service(registry, dsn, connection, webhooks=False) as asking:
        assert (await asking.browser.connect(await asking.invite(), ERIKA)).status == 200
        notification = await asking.browser.send("POST", f"{asking.url}/webhooks/{ERIKA}/1.{'A' * 43}")
        assert (notification.status, notification.text) == (404, "")


async def come_back(asking: Asking, link: str, orcid: str) -> Any:
    """Sign in only to show who it is, after the connection was ended."""
    return await asking.browser.follow(await asking.browser.decide(await asking.browser.press(link, "leave"), orcid))


@pytest.mark.fault("F64")
@pytest.mark.invariant("S11")
async def test_who_kept_what_was_public_can_have_it_deleted_later(
    registry: SimulatedRegistry, dsn: str, connection: asyncpg.Connection, wait_until: Any
) -> None:
    """Also by a link that has expired; nothing is connected or read for it, and no token is kept."""
    async with asking_service(registry, dsn, connection, only=None) as asking:
        registry.edit.add_item(ERIKA, "work", {"title": "Public"})
        await asking.browser.connect(await asking.invite(given_names="Erika"), ERIKA)
        await wait_until(lambda: connection.fetchval("select count(*) = 1 from orcid.works"))
        old = asking.link((await asking.invitation())["number"], datetime.now(UTC) - timedelta(days=1))
        await leave(asking, old, "freeze", ERIKA)
        await wait_until(lambda: connection.fetchval("select state = 'disconnected' from orcid_sync.connections"), 10)
        reads = await connection.fetchval("select count(*) from orcid_sync.reads")

        assert 'value="leave"' in (await asking.browser.get(old)).text
        address = await asking.browser.press(old, "leave")
        assert query_of(address)["scope"] == "/authenticate"
        page = await asking.browser.follow(await asking.browser.decide(address, ERIKA))
        assert (page.status, page.title) == (200, "This connection has ended")
        assert ERIKA in page.text
        form = {**page.fields, "choice": "erase"}
        ended = await asking.browser.send("POST", f"{asking.url}/connected", data=form)
        assert (await asking.browser.get(ended.location)).title == "Everything has been deleted"

        assert await connection.fetchval("select count(*) from orcid.works") == 0
        assert [event for event, *_ in await asking.events()] == ["granted", "granted", "disconnected", "erased"]
        await wait_until(lambda: all(token.disabled == "CLIENT_REVOKED" for token in asking.tokens(ERIKA)), 10)
        assert await connection.fetchval("select count(*) from orcid_sync.reads") <= reads, "nothing was read for it"
        assert 'value="leave"' not in (await asking.browser.get(old)).text, "there is nothing left to delete"


@pytest.mark.invariant("S18")
async def test_only_the_holder_has_deleted_what_was_kept(asking: Asking) -> None:
    link = await asking.invite()
    await asking.browser.connect(link, ERIKA)
    assert (await asking.browser.send("POST", link, data={"way": "leave"})).status == 200, "first it must be ended"
    await leave(asking, link, "freeze", ERIKA)

    stranger = await come_back(asking, link, STRANGER)

    assert (stranger.status, stranger.title) == (403, "This is another ORCID iD than expected")
    assert 'value="other"' not in stranger.text, "that would ask for permission"
    assert (await asking.browser.get(f"{asking.url}/connected")).title == "Please sign in again"
    states = "select count(*) from orcid_sync.connections where state = 'connected'"
    assert await asking.connection.fetchval(states) == 0
    assert await asking.connection.fetchval("select count(*) from orcid_sync.tokens") == 0


async def test_who_does_not_sign_in_to_have_it_deleted_has_not_said_no(asking: Asking) -> None:
    """No permission was asked for, so there is none that was denied."""
    link = await asking.invite()
    await asking.browser.connect(link, ERIKA)
    await leave(asking, link, "freeze", ERIKA)

    back = await asking.browser.decide(await asking.browser.press(link, "leave"), ERIKA, "deny")
    assert (await asking.browser.follow(back)).title == "ORCID has ended the sign-in"
    assert "denied" not in [event for event, *_ in await asking.events()]


async def test_who_has_left_cannot_choose_what_is_done_already(asking: Asking) -> None:
    link = await asking.invite()
    await asking.browser.connect(link, ERIKA)
    await leave(asking, link, "freeze", ERIKA)
    page = await come_back(asking, link, ERIKA)

    again = await asking.browser.send("POST", f"{asking.url}/connected", data={**page.fields, "choice": "freeze"})

    assert again.location == f"{asking.url}/connected"
    assert [event for event, *_ in await asking.events()] == ["granted", "granted", "disconnected"]
