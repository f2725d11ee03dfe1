"""What a collection will cost before it is begun: requests, and time at the account's limit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from tokenvault_data.collection.progress import in_words
from tokenvault_data.errors import UsageError

ASSUMED_LIMIT_PER_MINUTE: Final = 100
"""What is reckoned with while nobody has named a limit; the vault publishes none."""

Ground = Literal["told", "stated", "assumed"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What it takes to ask for so many customers.

    Attributes
    ----------
    customers : int
        To be asked for: one request each, more where the cards of one fill several pages.
    share : float
        The part of the limit that is used.
    told_per_minute : int or None
        The account's limit as the vault has told it; None before it was asked.
    stated_per_minute : int or None
        The limit as the user has stated it; it is a ceiling.
    """

    customers: int
    share: float
    told_per_minute: int | None = None
    stated_per_minute: int | None = None

    @property
    def ground(self) -> Ground:
        """Whose word the limit is."""
        told, stated = self.told_per_minute, self.stated_per_minute
        if stated is not None and (told is None or stated < told):
            return "stated"
        return "assumed" if told is None else "told"

    @property
    def limit_per_minute(self) -> int:
        """The limit that is reckoned with."""
        known = (self.told_per_minute, self.stated_per_minute)
        return min((one for one in known if one is not None), default=ASSUMED_LIMIT_PER_MINUTE)

    @property
    def rate_per_minute(self) -> float:
        """Requests a minute that are ours."""
        return self.limit_per_minute * self.share

    @property
    def seconds(self) -> float:
        """How long it takes at least."""
        return self.customers / self.rate_per_minute * 60

    def headline(self) -> str:
        """Say how much and how long, such as ``3,000 customers at 50 a minute: about 1 h``."""
        many = "customer" if self.customers == 1 else "customers"
        return f"{self.customers:,} {many} at {_rate(self.rate_per_minute)}: {_about(self.seconds)}"

    def explanation(self) -> str:
        """Say whose word the limit is, and what is left to others."""
        limit = f"{self.limit_per_minute:,} a minute"
        grounds = {
            "told": f"The account's limit is {limit}",
            "stated": f"You stated a limit of {limit}",
            "assumed": f"The account's limit is not known yet; this reckons with {limit}",
        }
        return f"{grounds[self.ground]}; {left_to_others(self.share)}."


def left_to_others(share: float) -> str:
    """Say what part of the limit is left to the checkout."""
    if share >= 1:
        return "nothing of it is left to the checkout"
    if math.isclose(share, 0.5):
        return "half of it is left to the checkout"
    return f"{1 - share:.0%} of it is left to the checkout"


def read_limit(text: str) -> int | None:
    """Read a limit a minute as somebody types it; None where nothing is typed.

    Raises
    ------
    UsageError
        It is no whole number of requests above 0.
    """
    typed = text.strip().replace(",", "").replace(" ", "")
    if not typed:
        return None
    if not typed.isascii() or not typed.isdigit() or not int(typed):
        raise UsageError(
            "the limit has to be a whole number of requests a minute, such as 100; leave it empty"
            " to go by what the account says"
        )
    return int(typed)


def _rate(per_minute: float) -> str:
    said = f"{per_minute:,.1f}" if per_minute < 10 else f"{per_minute:,.0f}"
    return f"{said.removesuffix('.0')} a minute"


def _about(seconds: float) -> str:
    if seconds < 1:
        return "about a second"
    days, rest = divmod(seconds, 86_400)
    if days >= 2:
        return f"about {days:.0f} days {rest / 3600:.0f} h"
    return f"about {in_words(seconds)}".removesuffix(" 00 s").removesuffix(" 00 min")
