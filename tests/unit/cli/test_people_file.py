"""Lists of people as spreadsheets export them."""

import io
from datetime import UTC, datetime

import pytest

from orcid_sync.cli.base.people_file import Entrant, Line, Rejected, read_arguments, read_people, without_repetitions
from orcid_sync.cli.base.session import Failure
from orcid_sync.model.ids import parse_orcid

NOW = datetime(2026, 1, 1, tzinfo=UTC)
A, B = parse_orcid("0000-0002-1825-0097"), parse_orcid("0000-0002-1694-233X")


def lines(content: bytes | str, *, home: str | None = None) -> list[Line]:
    """The file's lines, read."""
    raw = content.encode() if isinstance(content, str) else content
    return list(without_repetitions(read_people(io.BytesIO(raw), now=NOW, home=home)))


def orcids(content: bytes | str) -> list[tuple[int | None, str]]:
    """Line and iD; fails if a line was rejected."""
    read = lines(content)
    assert [line for line in read if isinstance(line, Rejected)] == []
    return [(line.line, line.orcid) for line in read if isinstance(line, Entrant)]


@pytest.mark.parametrize(
    "content",
    [
        f"orcid\n{A}\n{B}\n",
        f"ORCID iD\n{A}\n{B}",
        f"Orcid_Id\r\n{A}\r\n{B}\r\n",
        f"orcid,name\nhttps://orcid.org/{A},x\n{B.lower().replace('-', '')},y\n",
        f"name;orcid;\nx;{A};\ny; {B} ;\n",
        f"name\torcid\nx\t{A}\ny\t{B}\n",
        f'"orcid","name"\n"{A}","Example, A."\n"{B}","Example ""B"""\n',
        f"\ufefforcid,name\n{A},x\n{B},y\n",
        f"orcid,name\n{A},x\n{B},y\n".encode("utf-16"),
        f"orcid,name\n{A},M\xfcsterperson\n{B},y\n".encode("latin-1"),
        f"orcid,orcid\n{A},{B}\n{B},{A}\n",
        f"orcid,much,more\n{A}\n{B},x,y,z,too many\n",
    ],
)
def test_reads_what_spreadsheets_write(content: bytes | str) -> None:
    assert orcids(content) == [(2, A), (3, B)]


def test_counts_lines_as_an_editor_does() -> None:
    """Empty lines, cells with line breaks and Excel's mark of the delimiter are lines too."""
    content = f'sep=;\norcid;note\n\n;\n{A};"two\nlines"\n\n{B};x\n'

    assert orcids(content) == [(5, A), (8, B)]


def test_takes_tokens_and_their_end() -> None:
    content = (
        "orcid,access_token,refresh_token,scope,expires_at,expires_in\n"
        f"{A},token-a,token-r,/read-limited /activities/update,2045-01-02T03:04:05+01:00,\n"
        f'{B},token-b,,"openid, /read-limited",,3600\n'
    )

    first, second = lines(content)

    assert first == Entrant(
        line=2,
        orcid=A,
        access_token="token-a",
        refresh_token="token-r",
        scopes=("/read-limited", "/activities/update"),
        expires_at=datetime(2045, 1, 2, 2, 4, 5, tzinfo=UTC),
    )
    assert isinstance(second, Entrant)
    assert (second.scopes, second.expires_at) == (("openid", "/read-limited"), datetime(2026, 1, 1, 1, tzinfo=UTC))
    assert second.doubt is None


@pytest.mark.parametrize(
    ("cell", "scopes", "doubt"),
    [
        ("", (), "the token comes without scopes; what it shows"),
        ("/read-limitid", (), "/read-limitid: no scope of ORCID's, which are /read-limited, "),
        ("/activities/update,read", ("/activities/update",), "read: no scope of ORCID's"),
        ("%2Fread-limited%20%2Factivities%2Fupdate", ("/read-limited", "/activities/update"), None),
    ],
)
def test_what_is_strange_about_scopes_is_said_and_the_line_is_good(
    cell: str, scopes: tuple[str, ...], doubt: str | None
) -> None:
    """What a token shows is found out by reading: a wrong word beside it keeps nobody from being connected."""
    [line] = lines(f'orcid,access_token,scope\n{A},token,"{cell}"\n')

    assert isinstance(line, Entrant)
    assert line.scopes == scopes
    assert (line.doubt or "").startswith(doubt or "")
    assert (line.doubt is None) == (doubt is None)


def test_without_a_token_scopes_say_nothing() -> None:
    [line] = lines(f"orcid,scope\n{A},whatever\n")

    assert line == Entrant(line=2, orcid=A)


def test_an_address_in_another_environment_is_named() -> None:
    """Most lists of sandbox iDs were made for trying things out: in production they are other people's."""
    bad, good, bare = lines(f"orcid\nhttps://sandbox.orcid.org/{A}\nhttps://orcid.org/{B}\n{A}\n", home="production")

    assert isinstance(bad, Rejected)
    assert "is an iD of ORCID's sandbox, but this is its production" in bad.problem
    assert [good, bare] == [Entrant(line=3, orcid=B), Entrant(line=4, orcid=A)]


def test_a_moment_without_zone_is_utc() -> None:
    [line] = lines(f"orcid,token,expires_at\n{A},t,2045-01-01\n")

    assert isinstance(line, Entrant)
    assert line.expires_at == datetime(2045, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("0000-0002-1825-0098,,,", "wrong check digit: it ends in 8, but 7 belongs there"),
        (",token,,", "'' is not an ORCID iD"),
        (f"{A},two words,,", "access_token is not a token"),
        (f"{A},t\xf6ken,,", "access_token is not a token"),
        (f"{A},,token,", "refresh_token without access_token"),
        (f"{A},token,,soon", "expires_at must be a time such as"),
    ],
)
def test_a_bad_line_is_named_and_does_not_stop_the_others(row: str, problem: str) -> None:
    bad, good = lines(f"orcid,access_token,refresh_token,expires_at\n{row}\n{B}\n")

    assert isinstance(bad, Rejected)
    assert (bad.line, bad.harmless) == (2, False)
    assert problem in bad.problem
    assert isinstance(good, Entrant)


def test_text_that_is_no_csv_is_named() -> None:
    bad, good = lines(f'orcid,name\n"{A}"x,y\n{B},z\n')

    assert isinstance(bad, Rejected)
    assert (bad.line, bad.problem[:10]) == (2, "is not CSV")
    assert isinstance(good, Entrant)


def test_a_quote_that_never_ends_is_named() -> None:
    good, bad = lines(f'orcid,name\n{B},z\n{A},"never\nends\n')

    assert isinstance(good, Entrant)
    assert isinstance(bad, Rejected)
    assert (bad.line, bad.problem[:10]) == (3, "is not CSV")


def test_repetitions_are_named_and_left_out() -> None:
    first, again = lines(f"orcid\n{A}\nhttps://orcid.org/{A}\n")

    assert isinstance(first, Entrant)
    assert again == Rejected(3, f"{A} is already in the file in line 2; this line is skipped", harmless=True)


@pytest.mark.parametrize("content", ["", "\n", f"{A}\n", "name,id\nx,y\n", b"\x00\x01\x02", b"\xff\xfe"])
def test_the_first_line_must_name_the_columns(content: bytes | str) -> None:
    with pytest.raises(Failure, match="The first line must name the columns, one of them orcid"):
        lines(content)


@pytest.mark.fault("F87")
def test_tokens_are_in_no_text_form() -> None:
    read = lines(f"orcid,access_token,refresh_token\n{A},kestrel-a,kestrel-b\n{B},kestrel c,\n")

    assert "kestrel" not in repr(read)


def test_a_large_file_is_read_bit_by_bit() -> None:
    """The first line is there before the second is asked for."""

    class Endless(io.RawIOBase):
        asked = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
            self.asked += 1
            text = (b"orcid\n" if self.asked == 1 else b"") + f"{A}\n".encode() * 10
            buffer[: len(text)] = text
            return len(text)

    endless = Endless()
    stream = read_people(endless, now=NOW, home=None)  # type: ignore[arg-type]

    assert next(stream) == Entrant(line=2, orcid=A)
    assert endless.asked < 2_000


def test_arguments_have_no_line() -> None:
    good, bad = read_arguments([f"https://orcid.org/{A}", "x"], home="production")

    assert good == Entrant(line=None, orcid=A)
    assert bad == Rejected(None, "'x' is not an ORCID iD; expected a form such as 0000-0002-1825-0097")
