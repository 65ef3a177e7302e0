"""Making ORCID's JSON fit to be stored, before anything is hashed: so that a record never changes by being stored."""

import re

# PostgreSQL's text and jsonb take neither NUL nor lone surrogates (F46, F47). An escaped backslash is matched first, so
# that the text \\u0000 (a backslash and "u0000") stays as it is; proper surrogate pairs are matched before lone ones.
_ESCAPES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<bad>\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def clean(text: bytes) -> bytes:
    """JSON without what PostgreSQL cannot store: NULs, lone surrogates and broken UTF-8 become U+FFFD (F46, F47).

    Meant for one item at a time: for a whole record it would keep the event loop waiting.
    """
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            text = text.decode(errors="replace").encode()
    if b"\\u" in text:
        text = _ESCAPES.sub(lambda match: b"\\ufffd" if match["bad"] else match[0], text)
    return text
