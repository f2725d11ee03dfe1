"""What a check of quality says, and where it begins to warn and to fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tokenvault_data.text import percent

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
