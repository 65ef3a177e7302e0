"""A sealed token opens in its own place only."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.store.vault import Vault, VaultError

KEY = bytes(range(32))
ORCID = "0009-9990-0000-0005"
VAULT = Vault({"1": KEY})
PLACE = {"orcid": ORCID, "column": "tokens.access_token"}


@pytest.mark.invariant("S19")
@given(st.text(max_size=200))
def test_round_trip(plaintext: str) -> None:
    assert VAULT.open(VAULT.seal(plaintext, **PLACE), **PLACE) == plaintext


@given(st.text(min_size=8, max_size=50))
def test_the_sealed_text_says_its_key_and_nothing_else(plaintext: str) -> None:
    sealed = VAULT.seal(plaintext, **PLACE)
    assert sealed.startswith("v1.1.")
    assert plaintext not in sealed
    assert sealed != VAULT.seal(plaintext, **PLACE), "a nonce was used twice"


@pytest.mark.invariant("S19")
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_flipped_bit_opens(position: int, mask: int) -> None:
    head, body = VAULT.seal("made-up token", **PLACE).rsplit(".", 1)
    raw = bytearray(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    raw[position % len(raw)] ^= mask
    damaged = base64.urlsafe_b64encode(raw).decode().rstrip("=")
    with pytest.raises(VaultError):
        VAULT.open(f"{head}.{damaged}", **PLACE)


@pytest.mark.invariant("S19")
@given(st.integers(0, 10_000), st.characters())
def test_no_changed_character_opens(position: int, character: str) -> None:
    sealed = VAULT.seal("made-up token", **PLACE)
    position %= len(sealed)
    changed = sealed[:position] + character + sealed[position + 1 :]
    if changed == sealed:
        return
    try:
        opened = VAULT.open(changed, **PLACE)
    except VaultError:
        return
    # The last character of base64 has bits that mean nothing.
    assert (position, opened) == (len(sealed) - 1, "made-up token")


@pytest.mark.fault("F90")
@pytest.mark.invariant("S19")
@pytest.mark.parametrize(
    ("vault", "place"),
    [
        (VAULT, {**PLACE, "orcid": "0009-9990-0000-0013"}),
        (VAULT, {**PLACE, "column": "tokens.refresh_token"}),
        (Vault({"2": KEY}), PLACE),
        (Vault({"1": KEY[::-1]}), PLACE),
    ],
    ids=["another iD", "another column", "another key id", "another key"],
)
def test_nothing_opens_elsewhere(vault: Vault, place: dict[str, str]) -> None:
    with pytest.raises(VaultError):
        vault.open(VAULT.seal("made-up token", **PLACE), **place)


def test_the_key_id_is_bound_too() -> None:
    renamed = VAULT.seal("made-up token", **PLACE).replace("v1.1.", "v1.2.", 1)
    with pytest.raises(VaultError):
        Vault({"2": KEY}).open(renamed, **PLACE)


@pytest.mark.invariant("S12")
@pytest.mark.parametrize(
    "text", ["", "made-up token", "v1.1", "v2.1.AAAA", "v1.1.!", "v1.1.AAAA", "v1.1.\xff", "a.b.c.d"]
)
def test_errors_do_not_repeat_what_they_were_given(text: str) -> None:
    with pytest.raises(VaultError) as caught:
        VAULT.open(text, **PLACE)
    assert len(text) < 5 or text not in str(caught.value)
    assert caught.value.__cause__ is None
    assert KEY.hex() not in repr(VAULT)


@pytest.mark.parametrize(("key_id", "key"), [("1", b"short"), ("", KEY), ("a.b", KEY)])
def test_unusable_keys_are_refused(key_id: str, key: bytes) -> None:
    with pytest.raises(VaultError) as caught:
        Vault({key_id: key})
    assert "short" not in str(caught.value)
