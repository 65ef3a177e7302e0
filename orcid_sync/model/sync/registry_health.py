"""What is concluded from the Registry's answers about the Registry itself: slow down, ask whether it is away, go on.

One record that ORCID cannot show says nothing about the service, and neither does one 503. So the answers of all
replicas are judged together:

- **the circuit**: failures in a row, from several iDs or many of one, raise a doubt and are never the verdict. Then one
  fixed question is asked that concerns no record; only if ORCID has no words of its own for that one either is it away;
- **the brake**: a 503 that is followed by an answer was a limit's, or chance. It counts by its share of the requests
  of the last half minute; a 429 and a Retry-After are ORCID's word and count at once.

Times are seconds before now, by the database's clock.
"""

import enum
import math

from msgspec import Struct
from msgspec.structs import replace

DOUBTFUL_IDS = 5
"""So many iDs in a row to which ORCID gave no answer make it doubtful that it is there …"""

DOUBTFUL_FAILURES = 10
"""… or so many failures in a row, be they of one iD: an installation may follow no more …"""

UNHEARD_SECONDS = 1.0
"""… and for so long no answer, if there are 503 among them: a limit refuses several at once, but never all."""

LIMIT_SHARE = 0.1
"""A limit refuses more than this share of the requests: what fails by chance is less."""

LIMIT_LEAST = 3
"""Fewer 503 than this say nothing."""

CHANCE = 2.0
"""Standard deviations by which the share must be exceeded: of few requests many can fail by chance."""

WINDOW_SECONDS = 30.0
WINDOW_REQUESTS = 60
"""The share is that of so many last requests, none older than half a minute."""

BRAKE_STEP = 0.6
LONGEST_STEP = 0.5
BELOW_THE_LIMIT = 0.9
"""The rate is lowered by a step; by a longer one, but not by more than half, if a little less than what was not refused
is less than that."""

BRAKE_SECONDS = 2.0
"""Requests that were on their way when the rate was lowered say the same again: one step in so many seconds."""

BRAKE_FLOOR = 0.1
"""Part of the rate allowed by the settings below which it is never lowered."""


class Sign(enum.Enum):
    """What one answer says about the Registry."""

    ANSWERED = "answered"
    """It spoke in its own words, be it a refusal."""
    UNSHOWN = "unshown"
    """It could not serve this iD: an error in its own words, or a complete answer that makes no sense."""
    CROWDED = "crowded"
    """503 without words of its own: too many requests, or it is away."""
    LIMITED = "limited"
    """It asked us in so many words to slow down: 429, or Retry-After."""
    AWAY = "away"
    """No connection, no answer, or one of something in between; or it refuses our own token."""


class Heard(Struct, frozen=True):
    """What a process heard since it last told the others. What counts in a row came after the last answer."""

    answered: bool = False
    failures: int = 0
    crowded: int = 0
    """503 among the failures."""
    ids: frozenset[int] = frozenset()
    """Whom the failures concern; as numbers, for nobody needs to know who."""
    refused: int = 0
    """503 that an answer followed."""
    limited: bool = False
    silence: float = 0.0
    """Seconds of silence that the Registry asked for."""
    probe: bool = False
    """Whether it was the fixed question that was asked."""

    def __bool__(self) -> bool:
        """Whether anything was heard."""
        return self.answered or self.failures > 0 or self.limited

    def plus(self, sign: Sign, who: int, silence: float = 0.0) -> "Heard":
        """With one more answer."""
        if sign is Sign.ANSWERED:
            return replace(
                self, answered=True, failures=0, crowded=0, ids=frozenset(), refused=self.refused + self.crowded
            )
        if sign is Sign.LIMITED:
            return replace(self, limited=True, silence=max(self.silence, silence))
        crowded = self.crowded + (sign is Sign.CROWDED)
        return replace(self, failures=self.failures + 1, crowded=crowded, ids=self.ids | {who})


class Window(Struct, frozen=True):
    """Requests and 503 of the present stretch of time, and of the one before: together a window that slides."""

    seconds: float = 0.0
    """Age of the present stretch."""
    sent: float = 0.0
    refused: float = 0.0
    sent_before: float = 0.0
    """In the stretch before; if the present one has grown too long, only as much as makes one stretch."""
    refused_before: float = 0.0

    @property
    def part(self) -> float:
        """How much of a stretch has passed, as a part of the whole."""
        return max(self.seconds / WINDOW_SECONDS, self.sent / WINDOW_REQUESTS)

    def renewed(self) -> "Window":
        """With a new stretch begun, if the present one is over."""
        if self.part < 1:
            return self
        return Window(sent_before=self.sent / self.part, refused_before=self.refused / self.part)

    @property
    def share(self) -> float:
        """The share of 503 if it is more than chance makes of LIMIT_SHARE, else 0."""
        before = max(0.0, 1 - self.part)
        sent = max(1.0, self.sent + self.sent_before * before)
        refused = self.refused + self.refused_before * before
        by_chance = LIMIT_SHARE * sent + CHANCE * math.sqrt(LIMIT_SHARE * (1 - LIMIT_SHARE) * sent)
        return min(1.0, refused / sent) if refused >= max(LIMIT_LEAST, min(by_chance, sent)) else 0.0


class Health(Struct, frozen=True, kw_only=True):
    """What all replicas together know of the Registry."""

    failures: int = 0
    """Failures in a row."""
    crowded: int = 0
    """503 among them."""
    ids: frozenset[int] = frozenset()
    """Whom they concern; not more than make a doubt."""
    failing_seconds: float | None = None
    """Since the first of them; None: there is none."""
    doubted: bool = False
    """Nothing is sent but the fixed question, after each pause."""
    away: bool = False
    """The fixed question was not answered either."""
    window: Window = Window()
    rate: float
    """Requests per second at present."""
    ceiling: float
    slowed_seconds: float | None = None
    """Since the rate was last lowered."""


class Judgement(Struct, frozen=True):
    """What follows from what was heard."""

    health: Health
    slowed: bool = False
    """The rate was lowered."""
    went: bool = False
    """The Registry has gone: worth a line in the log."""
    returned_after: float | None = None
    """It is back after so many seconds: worth a line, too."""


def judge(health: Health, heard: Heard) -> Judgement:
    """What all know when one process has told what it heard."""
    returned_after = health.failing_seconds if heard.answered and health.away else None
    refused = 0
    if heard.answered:
        # During a doubt, 503 were not a limit's: an outage gives back the rate as it was.
        refused = 0 if health.doubted else health.crowded + heard.refused
        health = replace(
            health, failures=0, crowded=0, ids=frozenset(), failing_seconds=None, doubted=False, away=False
        )
    before = health.away
    health = _failed(health, heard)
    health, slowed = _braked(health, heard, refused)
    return Judgement(health, slowed=slowed, went=health.away and not before, returned_after=returned_after)


def _failed(health: Health, heard: Heard) -> Health:
    """With the failures; of those that were on their way when a doubt arose nothing is learnt."""
    if health.doubted:
        gone = heard.probe and heard.failures > 0
        return replace(health, failures=health.failures + gone, away=health.away or gone)
    if not heard.failures:
        return health
    failing = replace(
        health,
        failures=health.failures + heard.failures,
        crowded=health.crowded + heard.crowded,
        ids=frozenset(sorted(health.ids | heard.ids)[:DOUBTFUL_IDS]),
        failing_seconds=health.failing_seconds or 0.0,
    )
    return replace(failing, doubted=_is_doubtful(failing))


def _is_doubtful(health: Health) -> bool:
    many = len(health.ids) >= DOUBTFUL_IDS or health.failures >= DOUBTFUL_FAILURES
    return many and (not health.crowded or (health.failing_seconds or 0.0) >= UNHEARD_SECONDS)


def _braked(health: Health, heard: Heard, refused: int) -> tuple[Health, bool]:
    """Slower, if there is a limit; what the fixed question hears never slows down."""
    window = health.window.renewed()
    window = replace(window, refused=window.refused + refused)
    health = replace(health, window=window)
    share = window.share if refused else 0.0
    limited = (heard.limited and not heard.probe) or share > 0
    lately = health.slowed_seconds is not None and 0 <= health.slowed_seconds < BRAKE_SECONDS
    if not limited or lately:
        return health, False
    step = max(LONGEST_STEP, min(BRAKE_STEP, BELOW_THE_LIMIT * (1 - share)))
    rate = min(health.rate, max(BRAKE_FLOOR * health.ceiling, step * health.rate))
    return replace(health, rate=rate, slowed_seconds=0.0, window=Window()), True
