"""iDs in all the forms that people write, and the check digit (contract section 8)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.model.ids import InvalidOrcid, check_character, hyphenated, parse_orcid


@pytest.mark.parametrize(
    "text",
    [
        "0000-0002-1825-0097",
        "0000000218250097",
        " 0000-0002-1825-0097\n",
        "https://orcid.org/0000-0002-1825-0097",
        "http://orcid.org/0000-0002-1825-0097",
        "https://www.orcid.org/0000-0002-1825-0097/",
        "orcid.org/0000-0002-1825-0097",
        "HTTPS://ORCID.ORG/0000-0002-1825-0097",
        "https://sandbox.orcid.org/0000-0002-1825-0097",
    ],
)
def test_accepts_every_written_form(text: str) -> None:
    assert parse_orcid(text) == "0000-0002-1825-0097"


@pytest.mark.fault("F45")
@pytest.mark.parametrize("home", ["production", "sandbox", "qa", None])
@pytest.mark.parametrize(
    ("host", "environment"),
    [
        ("", None),
        ("https://orcid.org/", "production"),
        ("www.orcid.org/", "production"),
        ("HTTPS://Sandbox.ORCID.org/", "sandbox"),
        ("http://qa.orcid.org/", "qa"),
    ],
)
def test_an_address_means_somebody_only_in_its_own_environment(
    host: str, environment: str | None, home: str | None
) -> None:
    if None in (environment, home) or environment == home:
        assert parse_orcid(f"{host}0000-0002-1825-0097", home=home) == "0000-0002-1825-0097"
        return
    with pytest.raises(InvalidOrcid, match=f"is an iD of ORCID's {environment}, but this is its {home}, where"):
        parse_orcid(f"{host}0000-0002-1825-0097", home=home)


def test_stores_an_upper_case_x() -> None:
    assert parse_orcid("0000-0002-1694-233x") == "0000-0002-1694-233X"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0000-0002-1825-0098", "wrong check digit: it ends in 8, but 7 belongs there"),
        ("", "is not an ORCID iD"),
        ("0000-0002-1825-009", "is not an ORCID iD"),
        ("0000-0002-1825-00977", "is not an ORCID iD"),
        ("٠٠٠٠-٠٠٠٢-١٨٢٥-٠٠٩٧", "is not an ORCID iD"),
        ("https://orcid.org.evil.example/0000-0002-1825-0097", "is not an ORCID iD"),
        ("0000-0002-1825-0097/../x", "is not an ORCID iD"),
        ("0000-0002-1825-0097\x00", "is not an ORCID iD"),
    ],
)
@pytest.mark.fault("F94")
def test_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(InvalidOrcid, match=reason):
        parse_orcid(text)


@given(st.text(alphabet="0123456789", min_size=15, max_size=15), st.integers(0, 14), st.integers(1, 9))
def test_the_check_digit_catches_every_single_wrong_digit(base: str, place: int, step: int) -> None:
    right = base + check_character(base)
    wrong = right[:place] + str((int(right[place]) + step) % 10) + right[place + 1 :]

    assert parse_orcid(right) == hyphenated(right)
    with pytest.raises(InvalidOrcid):
        parse_orcid(wrong)
