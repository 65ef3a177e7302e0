"""Lists of people to invite."""

import io

import pytest

from orcid_sync.cli.base.people_file import Rejected
from orcid_sync.cli.base.session import Failure
from orcid_sync.cli.people.invitees_file import read_invitees
from orcid_sync.registry.locales import LOCALES, locale_of
from orcid_sync.store.consent.invitations import Person

ORCID = "0000-0002-1825-0097"


def read(content: bytes | str) -> list[tuple[int, Person] | Rejected]:
    raw = content.encode() if isinstance(content, str) else content
    return list(read_invitees(io.BytesIO(raw), home="production"))


def test_reads_all_columns_in_any_order_and_spelling() -> None:
    head = "\ufeffE-Mail;Last Name;First name;Person ID;ORCID iD;Language;x"

    assert read(f"{head}\ne@example.edu;M\u00fcller;Erika;p1;{ORCID};de-AT;y\n") == [
        (
            2,
            Person(
                person_id="p1",
                given_names="Erika",
                family_names="M\u00fcller",
                email="e@example.edu",
                orcid=ORCID,  # type: ignore[arg-type]
                lang="de",
            ),
        )
    ]


def test_only_the_id_must_be_there() -> None:
    assert read("person_id\np1\n\n p2 \n") == [(2, Person(person_id="p1")), (4, Person(person_id="p2"))]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (",a,,,", "person_id is missing"),
        ("p,,not-an-address,,", "email is not an e-mail address"),
        ("p,,a b@x,,", "email is not an e-mail address"),
        ("p,,,0000-0002-1825-0098,", "wrong check digit"),
        ("p,,,,klingon", "lang must be one of ORCID's languages: ar, cs, en"),
        ("p," + "x" * 201 + ",,,", "given_names is longer than 200 characters"),
        ("p,a\x07b,,,", "given_names is not text"),
        ('p,"a', "is not CSV"),
    ],
)
def test_names_the_line_and_what_is_wrong(line: str, problem: str) -> None:
    [rejected] = read(f"person_id,given_names,email,orcid,lang\n{line}\n")

    assert isinstance(rejected, Rejected)
    assert rejected.line == 2
    assert problem in rejected.problem
    assert not rejected.harmless
    assert "a b@x" not in rejected.problem


def test_names_in_another_encoding_are_not_invented() -> None:
    [rejected] = read("person_id,given_names\np1,J\u00fcrgen\n".encode("latin-1"))

    assert isinstance(rejected, Rejected)
    assert "UTF-8" in rejected.problem


def test_who_comes_twice_is_invited_once() -> None:
    first, second = read("person_id,given_names\np1,A\np1,B\n")

    assert isinstance(first, tuple)
    assert second == Rejected(3, "line 2 has the same person_id; this line is skipped", harmless=True)


def test_a_file_without_the_column_is_refused() -> None:
    with pytest.raises(Failure, match="one of them person_id; it has 'orcid'"):
        read(f"orcid\n{ORCID}\n")


@pytest.mark.parametrize(
    ("text", "locale"),
    [("de", "de"), ("DE", "de"), ("de-AT", "de"), ("pt_BR", "pt"), ("zh-cn", "zh_CN"), ("zh", None), ("", None)],
)
def test_languages_are_named_as_orcid_names_them(text: str, locale: str | None) -> None:
    assert locale_of(text) == locale
    assert all(locale_of(known) == known for known in LOCALES)
