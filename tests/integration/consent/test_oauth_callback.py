"""What people try who come back from ORCID and were not asked: forged and stolen states, codes of others."""

import asyncio
import secrets
from collections.abc import Awaitable
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from integration.consent.connect_service import ERIKA, MAX, STRANGER, Asking, Seen, browser, query_of

OVER = "This step is over"


async def callback(asking: Asking, **query: str) -> str:
    text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return f"{asking.url}/oauth/callback?{text}"


@pytest.mark.fault("F69")
@pytest.mark.invariant("S15", "S18")
@pytest.mark.parametrize("state", ["", "forged", "A" * 43, "A" * 5_000, "\u0661" * 43, "A" * 42 + "\n", None])
async def test_a_forged_state_leads_nowhere(asking: Asking, state: str | None) -> None:
    await asking.browser.press(await asking.invite())
    query = {"code": "abc123"} | ({} if state is None else {"state": state})

    answer = await asking.browser.get(await callback(asking, **query))

    if len(state or "") > 1_000:
        assert answer.status == 400, "longer than any address of ours"
    else:
        assert (answer.status, answer.location) == (303, f"{asking.url}/oauth/over")
        assert (await asking.browser.get(answer.location)).title == OVER
    assert asking.exchanges() == []
    assert await asking.nothing_happened()


@pytest.mark.fault("F69")
@pytest.mark.invariant("S18")
async def test_a_state_belongs_to_the_browser_that_began(asking: Asking) -> None:
    back = await asking.browser.decide(await asking.browser.press(await asking.invite()), ERIKA)

    async with browser() as stranger:
        assert (await stranger.follow(back)).title == OVER
        stranger.http.cookie_jar.update_cookies({"orcid-sync-browser": secrets.token_urlsafe(32)})
        assert (await stranger.follow(back)).title == OVER

    assert (await asking.browser.follow(back)).title == OVER, "a wrong browser has used it up"
    assert asking.exchanges() == []
    assert await asking.nothing_happened()


@pytest.mark.fault("F69", "F70")
async def test_a_state_is_good_for_ten_minutes_and_once(asking: Asking) -> None:
    link = await asking.invite()
    late = await asking.browser.decide(await asking.browser.press(link), ERIKA)
    await asking.connection.execute("update orcid_sync.consent_flows set began_at = now() - interval '601 seconds'")
    assert (await asking.browser.follow(late)).title == OVER
    assert asking.exchanges() == []

    back = await asking.browser.decide(await asking.browser.press(link), ERIKA)
    assert (await asking.browser.follow(back)).status == 200
    reloaded = await asking.browser.follow(back)
    assert reloaded.title == OVER
    assert f'href="{asking.url}/connected"' in reloaded.text, "whoever goes back in the history finds the way out"
    assert asking.exchanges() == [200]
    assert [token.disabled for token in asking.tokens(ERIKA)] == [None]


@pytest.mark.fault("F70")
@pytest.mark.invariant("S18")
async def test_two_returns_at_once_exchange_the_code_once(asking: Asking) -> None:
    back = await asking.browser.decide(await asking.browser.press(await asking.invite()), ERIKA)

    answers = await asyncio.gather(*(asking.browser.get(back) for _ in range(8)))

    leading = sorted(urlsplit(answer.location).path for answer in answers)
    assert leading == ["/connected"] + ["/oauth/over"] * 7
    assert asking.exchanges() == [200]
    assert [token.disabled for token in asking.tokens(ERIKA)] == [None]


async def all_at_once(asking: Asking, wait_until: Any, returns: list[Awaitable[Seen]]) -> list[Seen]:
    """Let them come back together: each waits for a lock before the first may go on."""
    waiting = "select count(*) from pg_locks where not granted and pid <> pg_backend_pid()"
    async with asking.connection.transaction():
        await asking.connection.execute("lock table orcid_sync.invitations in exclusive mode")
        pages = asyncio.gather(*returns)
        await wait_until(lambda: asking.connection.fetchval(f"select ({waiting}) >= $1", len(returns)))
    return await pages


@pytest.mark.fault("F64")
async def test_two_grants_of_one_id_at_once_bind_one_person(asking: Asking, wait_until: Any) -> None:
    links = [await asking.invite(f"p{number}") for number in range(3)]
    async with browser() as one, browser() as two, browser() as three:
        browsers = [one, two, three]
        backs = [
            await opened.decide(await opened.press(link), ERIKA) for opened, link in zip(browsers, links, strict=True)
        ]
        returns = [opened.get(back) for opened, back in zip(browsers, backs, strict=True)]
        answers = await all_at_once(asking, wait_until, returns)

    ends = sorted(urlsplit(answer.location).path.rpartition("/")[2] for answer in answers)
    assert ends == ["connected", "taken", "taken"]
    bound = "select count(*) from orcid_sync.invitations where granted_orcid is not null"
    assert await asking.connection.fetchval(bound) == 1
    assert await asking.connection.fetchval("select count(*) from orcid_sync.tokens") == 1
    assert await asking.connection.fetchval("select count(*) from orcid_sync.retired_tokens") == 2


@pytest.mark.fault("F64")
async def test_two_ids_for_one_invitation_at_once_bind_one(asking: Asking, wait_until: Any) -> None:
    link = await asking.invite()
    async with browser() as one, browser() as two:
        backs = [await one.decide(await one.press(link), ERIKA), await two.decide(await two.press(link), MAX)]
        answers = await all_at_once(asking, wait_until, [one.get(backs[0]), two.get(backs[1])])

    ends = sorted(urlsplit(answer.location).path.rpartition("/")[2] for answer in answers)
    assert ends == ["connected", "used"]
    [token] = await asking.connection.fetch("select orcid from orcid_sync.tokens")
    assert (await asking.invitation())["granted_orcid"] == token["orcid"]


@pytest.mark.fault("F70", "F71")
@pytest.mark.invariant("S18")
async def test_codes_of_others_connect_nobody_but_their_holder(asking: Asking) -> None:
    """A code that was caught elsewhere, with a state of one's own: of an invitation that expects somebody."""
    link = await asking.invite("p1", orcid=ERIKA)
    async with browser() as stranger:
        theirs = await stranger.decide(await stranger.press(await asking.invite("p2")), STRANGER)
    mine = await asking.browser.press(link)
    stolen = await callback(asking, code=query_of(theirs)["code"], state=query_of(mine)["state"])

    page = await asking.browser.follow(stolen + f"&orcid={ERIKA}&name=Erika")

    assert page.title == "This is another ORCID iD than expected"
    assert await asking.connection.fetchval("select count(*) from orcid_sync.tokens") == 0
    assert (await asking.invitation("p1"))["granted_orcid"] is None


@pytest.mark.fault("F70")
async def test_a_code_that_was_used_is_not_sent_again_by_us(asking: Asking) -> None:
    link = await asking.invite()
    back = await asking.browser.decide(await asking.browser.press(link), ERIKA)
    await asking.browser.follow(back)
    state = query_of(await asking.browser.press(link))["state"]

    page = await asking.browser.follow(await callback(asking, code=query_of(back)["code"], state=state))

    # Only whoever holds a fresh state of an invitation can make us send a code, and only one.
    assert page.title == "ORCID has ended the sign-in"
    assert asking.exchanges() == [200, 400]


@pytest.mark.fault("F72", "F93")
@pytest.mark.parametrize(
    "query",
    [
        "error=<script>&error_description=<script>",
        "error=access_denied%00&error_description=" + "x" * 2_000,
        "error=" + "x" * 3_000,
        "code=" + "x" * 3_000,
        "code=",
        "code=a%20b",
        "code=a%0D%0ASet-Cookie:x=1",
        "code=one&code=two",
        "&".join(f"x{number}=1" for number in range(100)),
        "code=%ff%fe",
    ],
)
async def test_odd_answers_of_orcid_are_neither_shown_nor_sent_on(asking: Asking, query: str) -> None:
    state = query_of(await asking.browser.press(await asking.invite()))["state"]

    returned = await asking.browser.get(f"{asking.url}/oauth/callback?state={state}&{query}")
    page = await asking.browser.get(returned.location)

    assert returned.status == 303
    assert page.title in {"ORCID has ended the sign-in", OVER}
    assert not any(sign in page.text for sign in ("<script>", "&lt;script", "xxxx", "one"[:0] or "Set-Cookie"))
    assert asking.exchanges() == []
    assert await asking.nothing_happened()


async def test_what_the_database_holds_of_a_flow_brings_nobody_back(asking: Asking) -> None:
    address = await asking.browser.press(await asking.invite())

    row = str(await asking.row("select * from orcid_sync.consent_flows"))

    assert query_of(address)["state"] not in row
    assert asking.browser.cookies()["orcid-sync-browser"] not in row
