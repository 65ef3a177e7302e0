"""Which webhooks are wanted, and what is to be done: every state, in and out of a change of secret or address."""

from datetime import UTC, datetime, timedelta

import pytest

from orcid_sync.model.webhooks.registration import Act, Generation, Hook, HookState, calls, steps

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
OVERLAP = timedelta(minutes=15)

OLD = Generation(number=1, key_version=1, public_url="https://a.example", last_called_at=NOON)
UNTRIED = Generation(number=2, key_version=2, public_url="https://a.example", present_since=NOON)
PRESENT = Generation(
    number=2, key_version=2, public_url="https://a.example", present_since=NOON, last_called_at=NOON + HOUR
)
GIVEN_UP = Generation(number=1, key_version=1, public_url="https://a.example", given_up_at=NOON)


def hook(generation: Generation, state: str | None = None, age: timedelta = HOUR) -> Hook:
    return Hook(generation=generation, state=HookState(state) if state else None, age=age if state else None)


def decided(*hooks: Hook, wanted: bool = True, known: set[int] | None = None, own: int | None = 2) -> list[str]:
    """What is to be done, as "register 2"."""
    made = steps(hooks, wanted=wanted, known={1, 2, 3} if known is None else known, own=own, overlap=OVERLAP)
    return [f"{step.act.value} {step.generation.number}" for step in made]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (None, ["register 2"]),
        ("registering", ["register 2"]),
        ("active", []),
        ("verifying", ["verify 2"]),
        ("reviving", ["revive 2"]),
        ("removing", ["revive 2"]),
    ],
)
def test_the_present_one_is_brought_to_life_from_every_state(state: str | None, expected: list[str]) -> None:
    assert decided(hook(PRESENT, state)) == expected
    assert decided(hook(PRESENT, state), wanted=False) == (["remove 2"] if state else [])


OLDER = {
    "nothing": (hook(OLD), hook(PRESENT, "active"), []),
    "goes when the present one was called and has stood": (hook(OLD, "active"), hook(PRESENT, "active"), ["remove 1"]),
    "also if it may not exist": (hook(OLD, "registering"), hook(PRESENT, "active"), ["remove 1"]),
    "or was being revived": (hook(OLD, "reviving"), hook(PRESENT, "active"), ["remove 1"]),
    "stays until a new one was called": (hook(OLD, "active"), hook(UNTRIED, "active"), []),
    "unless somebody is sure": (hook(GIVEN_UP, "active"), hook(UNTRIED, "active"), ["remove 1"]),
    "stays until this iD's has stood": (hook(OLD, "active"), hook(PRESENT, "active", OVERLAP / 2), []),
    "stays beside one not confirmed": (hook(OLD, "active"), hook(PRESENT, "registering"), ["register 2"]),
    "stays beside a dead one": (hook(GIVEN_UP, "active"), hook(PRESENT, "reviving"), ["revive 2"]),
    "stays while the new one is asked for": (hook(OLD, "active"), hook(PRESENT, "verifying"), ["verify 2"]),
    "stays without a new one": (hook(OLD, "active"), hook(PRESENT), ["register 2"]),
    "half removed goes": (hook(OLD, "removing"), hook(UNTRIED), ["register 2", "remove 1"]),
}


@pytest.mark.invariant("S16")
@pytest.mark.parametrize("case", OLDER)
def test_an_older_one(case: str) -> None:
    older, present, expected = OLDER[case]

    assert decided(older, present) == expected


def test_a_call_from_before_a_generation_became_the_present_one_again_says_nothing() -> None:
    """Who goes back to an earlier secret has to see it work again."""
    back = Generation(
        number=1, key_version=1, public_url="https://a.example", present_since=NOON, last_called_at=NOON - HOUR
    )
    left = Generation(number=2, key_version=2, public_url="https://a.example", last_called_at=NOON + HOUR)

    assert decided(hook(back, "active"), hook(left, "active")) == []


def test_everything_goes_that_can_go_when_nothing_is_wanted() -> None:
    hooks = (hook(OLD, "active"), hook(PRESENT, "registering"))

    assert decided(*hooks, wanted=False) == ["remove 1", "remove 2"]
    assert decided(*hooks, wanted=False, known={2}) == ["remove 2"]
    off = Generation(number=2, key_version=2, public_url="https://a.example")
    assert decided(hook(OLD, "active"), hook(off, "active")) == ["remove 1", "remove 2"]


def test_what_nobody_knows_the_secret_of_is_left() -> None:
    assert decided(hook(OLD, "active"), hook(PRESENT, "active"), known={2}) == []


@pytest.mark.parametrize(("state", "expected"), [(None, ["register 1"]), ("active", []), ("removing", ["revive 1"])])
def test_a_process_from_before_the_present_secret_leaves_the_others_work_alone(
    state: str | None, expected: list[str]
) -> None:
    assert decided(hook(OLD, state), hook(PRESENT, "registering"), known={1}, own=1) == expected
    assert decided(hook(PRESENT, "registering"), known=set(), own=None) == []


def test_what_it_costs() -> None:
    acts = {
        Act.REGISTER.value: 10,
        Act.VERIFY.value: 20,
        Act.REVIVE.value: 30,
        Act.REMOVE.value: 40,
        "wait": 7,
        "lost": 9,
    }

    made = calls(acts, visits=95)

    assert (made.puts, made.deletes, made.reads, made.total) == (60, 70, 95, 225)
    assert made.seconds(22.5) == 10
