"""Heartbeats, the lag of the loop, and questions to somebody who may not answer."""

import asyncio

import pytest
from prometheus_client import Gauge

from orcid_sync.service.runtime.health import Heartbeats, Question, measured_loop_lag


@pytest.mark.fault("F23")
def test_a_loop_is_silent_after_three_periods() -> None:
    now = 100.0
    heartbeats = Heartbeats(lambda: now)
    heartbeats.beat("worker", period=5)
    heartbeats.beat("poller", period=1)
    now = 103.5
    assert heartbeats.silent() == ["poller"]
    now = 115.5
    assert heartbeats.silent() == ["poller", "worker"]
    heartbeats.beat("worker", period=5)
    assert heartbeats.silent() == ["poller"]


@pytest.mark.fault("F28")
async def test_a_blocked_loop_shows_as_lag() -> None:
    gauge = Gauge("lag", "Lag.", registry=None)
    late = asyncio.Event()
    with measured_loop_lag(gauge, period=0.01):
        loop = asyncio.get_running_loop()
        loop.call_later(0.005, lambda: block(loop, 0.1))
        loop.call_later(0.2, late.set)
        await late.wait()
    assert 0.05 < gauge._value.get() < 0.5


def block(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    end = loop.time() + seconds
    while loop.time() < end:
        pass


async def test_one_question_at_a_time_and_nobody_waits_longer_than_the_limit() -> None:
    asked = 0
    reply: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def ask() -> str:
        nonlocal asked
        asked += 1
        return await reply

    question = Question(ask, seconds=0.01)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await question.answer()
    assert asked == 1

    waiting = asyncio.ensure_future(question.answer())
    reply.set_result("well")
    assert await waiting == "well"
    assert await question.answer() == "well"
    assert asked == 2
