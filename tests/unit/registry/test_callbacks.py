"""Our callback addresses: derivable, unguessable, bound to iD, key and environment."""

import re

import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.registry.callbacks import callback_url, verify_callback

ORCID = Orcid("0000-0002-1825-0097")
OTHER = Orcid("0000-0002-1694-233X")
SECRET = b"0123456789abcdef"


def url(**changes: object) -> str:
    return callback_url(
        **{
            "public_url": "https://hub.example.org",
            "secret": SECRET,
            "key_version": 1,
            "environment": "sandbox",
            "orcid": ORCID,
        }
        | changes
    )


def token(**changes: object) -> str:
    return url(**changes).rpartition("/")[2]


def verify(text: str, **changes: object) -> bool:
    return verify_callback(
        text, **{"secret": SECRET, "key_version": 1, "environment": "sandbox", "orcid": ORCID} | changes
    )


def test_form() -> None:
    assert re.fullmatch(rf"https://hub\.example\.org/webhooks/{ORCID}/1\.[A-Za-z0-9_-]{{43}}", url())
    assert url(public_url="https://hub.example.org/") == url()
    assert url() == url()


def test_the_own_token_is_genuine() -> None:
    assert verify(token())
    assert verify(token(key_version=2), key_version=2)


@pytest.mark.parametrize(
    "changes",
    [{"secret": b"another"}, {"key_version": 2}, {"environment": "production"}, {"orcid": OTHER}],
    ids=lambda changes: next(iter(changes)),
)
def test_a_token_is_bound_to_everything(changes: dict[str, object]) -> None:
    assert not verify(token(**changes))


@pytest.mark.parametrize("text", ["", "1.", "1", ".", "x" * 1000, "\ud800", "é"])
def test_odd_tokens_are_false(text: str) -> None:
    assert not verify(text)
    assert not verify(token() + text) or not text
    assert not verify(token()[:-1])
