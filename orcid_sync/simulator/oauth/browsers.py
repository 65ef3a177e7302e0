"""Who is signed in at the Registry, in which browser."""

from random import Random

COOKIE = "simulated-orcid-session"
EVERY = "*"
"""Stands for every browser that has not signed in itself."""


class Browsers:
    """The sessions of the web host. A browser is known by its cookie."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._signed_in: dict[str, str | None] = {}

    def sign_in(self, orcid: str, *, browser: str = EVERY) -> None:
        """From now on this researcher is signed in there; a test calls this in place of typing a password."""
        self._signed_in[browser] = orcid

    def sign_out(self, *, browser: str = EVERY) -> None:
        """Nobody is signed in there any more."""
        self._signed_in[browser] = None
        if browser == EVERY:
            self._signed_in.clear()

    def signed_in(self, browser: str | None) -> str | None:
        """The researcher whose session a browser holds, if any."""
        return self._signed_in.get(browser or EVERY, self._signed_in.get(EVERY))

    def open(self) -> str:
        """The cookie of a browser that has none yet."""
        return f"{self._rng.getrandbits(96):024x}"
