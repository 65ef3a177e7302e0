"""Certificates, ledger and log beside each other: one to one, and a restore explains only what is before it."""

from collections.abc import Sequence

import pytest

from orcid_sync.model.consent.hash_chain import ChainBroken, Head
from orcid_sync.model.consent.proof import Claim, Compared, Verdict, judge_log, pair, verdict_of

SAID = ("0000-0002-1825-0097", "holder", "command")


def claims(entries: str, *, said: tuple[str, str, str] = SAID) -> list[Claim]:
    """Claims about these entries of the ledger, each a letter, in this order."""
    return [Claim(number, entry, said) for number, entry in enumerate(entries, 1)]


@pytest.mark.parametrize(
    ("certificates", "entries", "first", "said"),
    [
        (claims("abc"), claims("ab"), 3, "entry in the consent ledger is missing"),
        (claims("abc"), claims("ac"), 2, "entry in the consent ledger is missing"),
        (claims("ab"), claims("abc"), 3, "is missing: entry 3"),
        (claims("ac"), claims("abc"), 2, "is missing: entry 2"),
        ([], claims("a"), 1, "is missing: entry 1"),
        (claims("a"), [], 1, "entry in the consent ledger is missing"),
        (claims("ba"), claims("ab"), 2, "belongs to a certificate before it"),
        (claims("aa"), claims("a"), 2, "belongs to a certificate before it"),
        (claims("a"), claims("a", said=("0000-0002-1694-233X", "holder", "command")), 1, "says something else"),
        (claims("a"), claims("a", said=(SAID[0], "operator", "command")), 1, "says something else"),
        (claims("a"), claims("a", said=(SAID[0], "holder", "disconnect-page")), 1, "says something else"),
    ],
)
def test_what_does_not_match_one_to_one_is_found(
    certificates: list[Claim], entries: list[Claim], first: int, said: str
) -> None:
    with pytest.raises(ChainBroken, match=said) as broken:
        pair(certificates, entries)
    assert broken.value.number == first


@pytest.mark.parametrize("entries", ["", "a", "abc"])
def test_what_matches_is_in_order(entries: str) -> None:
    pair(claims(entries), claims(entries))


def log(said: str) -> list[Compared]:
    """A log in words: a letter for a chain, `!` after it for a misfit, `*` for a line about a restore."""
    return [
        Compared(number, word[0], "misfit" if "!" in word else None, restored="*" in word)
        for number, word in enumerate(said.split(), 1)
    ]


@pytest.mark.parametrize(
    ("said", "explained", "misfits"),
    [
        ("", 0, []),
        ("c e c", 0, []),
        ("c e! c", 0, [2]),
        ("e! c! c*", 1, [1]),
        ("e! c! e* c*", 2, []),
        ("e! c! c* e*", 2, []),
        ("c* c!", 0, [2]),  # what comes after it is not explained by it
        ("c! c*!", 0, [1, 2]),  # a line about a restore that is itself no entry explains nothing
        ("c! c*! c*", 2, []),  # restored twice, the second time further back
        ("c! c* c! c*", 2, []),
        ("c! c* c!", 1, [3]),
    ],
)
def test_a_restore_explains_what_the_log_had_before(said: str, explained: int, misfits: Sequence[int]) -> None:
    number, open_ = judge_log(log(said))
    assert (number, [one.line for one in open_]) == (explained, misfits)


def test_a_verdict_names_the_end_or_the_first_break() -> None:
    assert verdict_of(Head(2, b"\x01")) == Verdict(ok=True, entries=2, hash="01")
    broken = verdict_of(ChainBroken(3, "is missing"))
    assert broken == Verdict(ok=False, first_broken=3, problem="entry 3: is missing")
