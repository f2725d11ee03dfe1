"""Where the checks of quality begin to warn and to fail, and why there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from tokenvault_data.text import percent

if TYPE_CHECKING:
    from collections.abc import Mapping


Verdict: TypeAlias = Literal["pass", "warn", "fail", "unknown"]

VERDICTS: tuple[Verdict, ...] = ("fail", "warn", "pass", "unknown")
"""All verdicts, in the order in which a title counts them."""

NO_THRESHOLD = "-"
"""What stands for the threshold of a check that has none."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where the measure of a check begins to warn and to fail.

    Attributes
    ----------
    warn_above, fail_above : float or None
        The greatest measure that still passes, or does not fail yet; None: it never does.
    reason : str
        Why there.
    unit : {"share", "hours"}
        Of what the measure is: a fraction of 0 to 1 (or more, for a change), or hours.
    """

    warn_above: float | None
    fail_above: float | None
    reason: str
    unit: Literal["share", "hours"] = "share"

    def verdict(self, measured: float | None) -> Verdict:
        """Judge a measure; None, which says that nothing was measured, is unknown.

        >>> Threshold(0, 0.05, "").verdict(0.05), Threshold(0, None, "").verdict(0.0)
        ('warn', 'pass')
        """
        if measured is None:
            return "unknown"
        if self.fail_above is not None and measured > self.fail_above:
            return "fail"
        return "warn" if self.warn_above is not None and measured > self.warn_above else "pass"

    def sentence(self) -> str:
        """Return the threshold in words.

        >>> Threshold(0, 0.05, "").sentence(), Threshold(24, 168, "", unit="hours").sentence()
        ('warn above 0%, fail above 5%', 'warn above 24 hours, fail above 7 days')
        """
        # Whatever fails from the first warning on never warns.
        warn_above = None if self.warn_above == self.fail_above else self.warn_above
        borders = (("warn", warn_above), ("fail", self.fail_above))
        said = [f"{verb} above {self._worded(at)}" for verb, at in borders if at is not None]
        return ", ".join(said) or NO_THRESHOLD

    def _worded(self, border: float) -> str:
        if self.unit == "share":
            return percent(border)
        return f"{border / 24:g} days" if border >= 48 else f"{border:g} hours"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found: a row of `quality`.

    Attributes
    ----------
    check : str
        Stable code, e.g. ``missing:par``.
    verdict : str
        ``pass``, ``warn``, ``fail``, or ``unknown`` when it could not be told.
    finding : str
        What was found, with figures.
    rows : int or None
        How many rows `quality_rows` has for it; None when it could not be told.
    share : float or None
        `rows` of all that were checked; for a change, its size; None when there is no such.
    threshold : str
        What makes it warn or fail.
    column : str or None
        The column it is about; None for a check of the whole.
    """

    check: str
    verdict: Verdict
    finding: str
    rows: int | None
    share: float | None
    threshold: str
    column: str | None = None


@dataclass(frozen=True, slots=True)
class QualitySettings:
    """Thresholds of all checks, of shares of the cards or customers where not said otherwise.

    `dataclasses.replace` makes settings that differ from `QUALITY_SETTINGS` in some.

    Attributes
    ----------
    coverage, counts : Threshold
        Of the share of customers not fetched, and of customers whose rows were miscounted.
    freshness : Threshold
        Of the age of the oldest answer, in hours.
    unique_key, repeated_id, anomaly, closed_vocabulary, implausible, expired_but_active, \
contradiction, bank_unlisted, drift : Threshold
        Of the share of cards at fault.
    missing : mapping of str to Threshold
        By the columns that are checked for missing values.
    volume : Threshold
        Of the change of cards per customer, a fraction.
    oldest_plausible_years : int
        No card is issued for longer: the longest validity in use is about ten years.
    clock_skew_minutes : int
        So much may two machines' clocks differ before a card counts as saved in the future.
    """

    coverage: Threshold
    freshness: Threshold
    counts: Threshold
    unique_key: Threshold
    repeated_id: Threshold
    missing: Mapping[str, Threshold]
    anomaly: Threshold
    closed_vocabulary: Threshold
    implausible: Threshold
    expired_but_active: Threshold
    contradiction: Threshold
    bank_unlisted: Threshold
    drift: Threshold
    volume: Threshold
    oldest_plausible_years: int = 20
    clock_skew_minutes: int = 5


QUALITY_SETTINGS = QualitySettings(
    coverage=Threshold(
        0, 0.05, "Nothing is known of a customer who was not fetched; totals are too low by these."
    ),
    freshness=Threshold(
        24, 7 * 24, "Cards are saved, renewed and deleted every day.", unit="hours"
    ),
    counts=Threshold(0, 0, "A list and its rows differ only if something was lost."),
    unique_key=Threshold(0, 0, "Two rows for one place in a list are one too many."),
    repeated_id=Threshold(
        0, 0.01, "The vault lists some cards twice; a count of cards then counts them twice."
    ),
    missing={
        "instrument_id": Threshold(
            0, 0.01, "A card without its id can be neither fetched singly nor deleted."
        ),
        "expires_on": Threshold(
            0.01, 0.10, "Nobody can say whether such a card is valid; a few are always unreadable."
        ),
        "card_network": Threshold(0.01, 0.10, "Every card has a network: it was not readable."),
        "card_bank": Threshold(0.01, 0.20, "Figures by bank leave out these cards."),
        "last_four": Threshold(0.01, 0.20, "A customer cannot be told which card is meant."),
        "instrument_uid": Threshold(
            0.05, 0.50, "The same card under several customers goes unnoticed."
        ),
        "par": Threshold(0.50, None, "Optional: not every network or issuer assigns one."),
        "created_at": Threshold(0.01, 0.20, "The age of a card is not known."),
    },
    anomaly=Threshold(0, 0.05, "What cannot be read is missing from every figure."),
    closed_vocabulary=Threshold(0, 0.05, "A value outside the known ones is counted as missing."),
    implausible=Threshold(0, 0.01, "Seldom in good data: a date was misread, or sent wrongly."),
    expired_but_active=Threshold(
        0, None, "The vault leaves them ACTIVE; whoever counts ACTIVE cards counts them too."
    ),
    contradiction=Threshold(0, 0.01, "One card has one number, one account and one network."),
    bank_unlisted=Threshold(
        0.05, None, "Their names stand as received; one may be a further spelling of a known bank."
    ),
    drift=Threshold(0, None, "New values are often right, and have to be looked at."),
    volume=Threshold(0.10, 0.50, "Cards per customer change by a few percent a month at most."),
)
"""The thresholds in use when none are given."""
