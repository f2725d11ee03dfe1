"""Checks of the data as a report shows them: no examples, and no number about few customers.

What a check finds is a group of cards, or of customers, like any other. Where its number or its
share is hidden its verdict is, too, because it says in which range they lie. None that is 0 is
hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.analysis.quality.drift import DRIFTING
from tokenvault_data.dataset.partial import not_fetched
from tokenvault_data.reports.disclosure.counted_groups import (
    ALL,
    add_group,
    cards_of,
    check_groups,
    customers_of,
)
from tokenvault_data.reports.disclosure.published_changes import OLD
from tokenvault_data.reports.disclosure.published_expiry import EXPIRED_ACTIVE
from tokenvault_data.reports.labels import is_missing, one_line
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from datetime import date, datetime

    import pandas as pd

    from tokenvault_data.analysis.cards.source import Source
    from tokenvault_data.dataset.manifest import Manifest
    from tokenvault_data.reports.disclosure.suppression import Figures

_WEIGHT: Final = 3.0
_COLLECTION_WEIGHT: Final = 5.0
_VOLUME_WEIGHT: Final = 2.0
_LONGEST: Final = 220
VERDICT_WORDS: Final = {
    "fail": "fails",
    "warn": "look at it",
    "pass": "passes",
    "unknown": "cannot be told",
    "hidden": "hidden",
}
_NAMES_VALUES: Final = frozenset({"bank_spellings", *(f"drift:{column}" for column in DRIFTING)})
"""Checks judged by the number of values, of which nothing but this number is said."""

_OF_THE_LIST: Final = "customer_list"
"""What whoever collects has to look at; it counts customers, and is not for readers of a page."""

_CLAIMS: Final = {
    "coverage": "Customers not fetched",
    "counts": "Customers for whom outcomes and rows differ",
    "volume": "Cards per customer",
}

_ELSEWHERE: Final[Mapping[str, Hashable]] = {
    "missing:card_network": ("card_network", None),
    "missing:card_bank": ("bank", None),
    "missing:expires_on": ("bucket", None),
    "expired_but_active": EXPIRED_ACTIVE,
}
"""Checks whose cards are a group of another part of the page."""

_WHOLES: Final = {
    "vocabulary:card_network": ("card_network", None),
    "vocabulary:card_type": ("card_type", None),
    "vocabulary:instrument_status": ("instrument_status", None),
    "expiry_implausible": ("bucket", "later"),
}
"""Checks whose cards are all in a group of another part of the page, with that group."""

_WHOLE_CONDITIONS: Final = {
    ("card_network", None): "card_network IS NULL",
    ("card_type", None): "card_type IS NULL",
    ("instrument_status", None): "instrument_status IS NULL",
}
_NOT_AMONG: Final = {
    "saved_in_future": ("missing:created_at",),
    "saved_after_expiry": ("missing:created_at", "missing:expires_on"),
    "repeated_id": ("missing:instrument_id",),
    **{
        f"contradiction:{name}": ("missing:instrument_uid",)
        for name in ("last_four", "par", "card_network")
    },
}
"""Checks with those whose cards they cannot have."""


@dataclass(frozen=True, slots=True)
class CheckShown:
    """One check of the data.

    Attributes
    ----------
    name : str
        Its code, readable.
    verdict : str
        ``fail``, ``warn``, ``pass``, ``unknown`` or ``hidden``.
    finding : str
        What was found, in a sentence.
    threshold : str
        What makes it warn or fail.
    """

    name: str
    verdict: str
    finding: str
    threshold: str


def not_fetched_of(about: Manifest) -> Hashable:
    """Return the key of the customers that a snapshot lacks."""
    return customers_of(("not fetched", about.id))


def add_not_fetched(figures: Figures, about: Manifest) -> Hashable:
    """Add how many customers a snapshot lacks, of whom the number says nothing."""
    missing = not_fetched(about)
    people = max(missing, figures.smallest_cell)
    return figures.add(not_fetched_of(about), missing, people, shown=_COLLECTION_WEIGHT)


class QualityFigures:
    """The figures on quality of a page.

    Parameters
    ----------
    figures : Figures
        Holds breakdowns and expiry already.
    found : pandas.DataFrame
        What `quality` returns.
    source : Source
        Of which.
    as_of : date, datetime or str, optional
        As `quality` takes it.
    about : Manifest or None
        What a snapshot says of itself.
    old_customers : int or None
        Customers of an older list, where the page compares cards per customer.
    """

    def __init__(
        self,
        figures: Figures,
        found: pd.DataFrame,
        source: Source,
        *,
        as_of: date | datetime | str | None,
        about: Manifest | None,
        old_customers: int | None,
    ) -> None:
        self.figures = figures
        self.lines: list[dict[str, Any]] = [
            {str(name): value for name, value in line.items()}
            for line in found.to_dict("records")
            if line["check"] != _OF_THE_LIST
        ]
        self.groups: dict[str, Hashable] = {}
        self.not_fetched: Hashable | None = None
        self._add_collection(about)
        if old_customers is not None:
            self.figures.add(customers_of(OLD), old_customers, shown=_VOLUME_WEIGHT)
        self._add_checks(source, as_of)

    def published(self) -> tuple[CheckShown, ...]:
        """Return the checks, worst first, once it is decided what may be shown."""
        order = list(VERDICT_WORDS)
        checks = [self._check(line) for line in self.lines]
        return tuple(sorted(checks, key=lambda check: order.index(check.verdict)))

    def _check(self, line: Mapping[str, Any]) -> CheckShown:
        verdict, finding = self._told(line)
        return CheckShown(
            one_line(str(line["check"]).replace("_", " ").replace(":", ": ")),
            verdict,
            one_line(finding, _LONGEST),
            "" if line["threshold"] == "-" else one_line(line["threshold"]),
        )

    def _told(self, line: Mapping[str, Any]) -> tuple[str, str]:
        check, verdict, finding = str(line["check"]), str(line["verdict"]), str(line["finding"])
        claim = finding.partition(":")[0].rstrip(".")
        if verdict == "unknown" or check == "same_vault":  # which is said without a figure
            return verdict, finding
        if check in _NAMES_VALUES:
            return verdict, f"{claim}."
        if check == "bank_unlisted" and self.figures.smallest_cell > 1:
            return ("hidden" if line["rows"] else verdict), f"{claim}."
        if all(self.figures.published(key) is not None for key in self._needs(check)):
            # Examples name values that a single customer may have.
            return verdict, finding.partition(", e.g. ")[0].rstrip(".") + "."
        return self._told_in_part(check, verdict, finding)

    def _told_in_part(self, check: str, verdict: str, finding: str) -> tuple[str, str]:
        """Return what may be said of a finding of which a figure is hidden."""
        key = self._found(check)
        found = None if key is None else self.figures.published(key)
        thing = "customer" if check in ("coverage", "counts") else "card"
        number = "hidden" if found is None else counted(found, thing)
        claim = _CLAIMS.get(check, finding.partition(":")[0].rstrip("."))
        if check == "freshness":
            claim = f"{finding.partition(';')[0]}; stale"
        return verdict if found == 0 else "hidden", f"{claim}: {number}."

    def _found(self, check: str) -> Hashable | None:
        """Return the number of what a check found, None for one that compares two ratios."""
        if check == "volume":
            return None
        if check == "coverage":
            return self.not_fetched
        return customers_of("miscounted") if check == "counts" else cards_of(self.groups[check])

    def _needs(self, check: str) -> list[Hashable]:
        """Return the figures without which a finding is not told."""
        if check == "bank_unlisted":  # told only where nothing has to be hidden
            return []
        if check == "coverage":
            return [customers_of("answered"), customers_of("requested")]
        if check == "counts":
            return [customers_of("miscounted"), cards_of(ALL)]
        if check == "volume":
            answered = customers_of("answered")
            now = answered if answered in self.figures else customers_of(ALL)
            return [now, customers_of(OLD), cards_of(ALL), cards_of(("line", "rows_old"))]
        return [cards_of(self.groups[check]), cards_of(ALL)]

    def _add_collection(self, about: Manifest | None) -> None:
        """Add customers by outcome: those not fetched say nothing of a customer, others do."""
        if about is None:
            return
        outcomes = {name: about.outcomes.get(name, 0) for name in ("fetched", "empty")}
        others = {name: n for name, n in about.outcomes.items() if name not in outcomes}
        weight = _COLLECTION_WEIGHT
        for name, customers in outcomes.items():
            self.figures.add(customers_of(("asked", name)), customers, shown=weight)
        for name, customers in others.items():
            people = max(customers, self.figures.smallest_cell)
            self.figures.add(customers_of(("asked", name)), customers, people, shown=weight)
        answered = self.figures.add(
            customers_of("answered"), sum(outcomes.values()), shown=_COLLECTION_WEIGHT
        )
        self.figures.total(answered, [customers_of(("asked", name)) for name in outcomes])
        requested = self.figures.add(
            customers_of("requested"), about.requested, shown=_COLLECTION_WEIGHT
        )
        keys = [customers_of(("asked", name)) for name in others]
        self.figures.total(requested, [answered, *keys])
        self.not_fetched = add_not_fetched(self.figures, about)
        self.figures.total(self.not_fetched, keys)
        fetched = customers_of(("asked", "fetched"))
        if self.figures.value(fetched) >= self.figures.value(customers_of(ALL)):
            self.figures.rest(fetched, [customers_of(ALL)])
        miscounted = [line for line in self.lines if line["check"] == "counts"]
        if miscounted and not is_missing(miscounted[0]["rows"]):
            self.figures.add(
                customers_of("miscounted"), int(miscounted[0]["rows"]), shown=_COLLECTION_WEIGHT
            )

    def _add_checks(self, source: Source, as_of: date | datetime | str | None) -> None:
        rows = {
            str(line["check"]): int(line["rows"])
            for line in self.lines
            if not is_missing(line["rows"]) and line["verdict"] != "unknown"
        }
        with check_groups(source, rows, as_of) as groups:
            found = {code: rows[code] for code in groups.conditions}
            true, enough = groups.conditions, self.figures.smallest_cell
            some = {code: condition for code, condition in true.items() if found[code]}
            inside = groups.people(some, enough)
            outside = groups.people({code: f"NOT {one}" for code, one in some.items()}, enough)
            for code, cards in found.items():
                self._add_check(code, cards, inside.get(code, 0), outside.get(code, 0))
            pairs = self._pairs(some)
            people = groups.people(
                {
                    str(at): f"({condition} AND NOT {true[code]})"
                    for at, (_, condition, code) in enumerate(pairs)
                },
                enough,
            )
            for at, (whole, _, code) in enumerate(pairs):
                self.figures.rest(whole, [cards_of(self.groups[code])], people[str(at)])
        for code in some:
            whole = cards_of(_WHOLES.get(code))
            if whole in self.figures and _WHOLES[code] not in _WHOLE_CONDITIONS:
                certain = self.figures.people(whole) - found[code]
                self.figures.rest(whole, [cards_of(self.groups[code])], max(0, certain))
        codes = [cards_of(self.groups[code]) for code in some if code.startswith("anomaly:")]
        if codes:
            together = self.figures.add("all anomalies", sum(map(self.figures.value, codes)))
            self.figures.total(together, codes)
            self.figures.rest(together, [cards_of(self.groups["anomalies"])])

    def _add_check(self, code: str, cards: int, people: int, others: int) -> None:
        group = _ELSEWHERE.get(code)
        if group is None or not self.figures.holds(cards_of(group), cards):
            group = ("check", code)
            add_group(self.figures, group, cards, people, shown=_WEIGHT)
        self.groups[code] = group
        self.figures.show(cards_of(group), _WEIGHT)
        if cards:
            self.figures.rest(cards_of(ALL), [cards_of(group)], others)

    def _pairs(self, some: Mapping[str, str]) -> list[tuple[Hashable, str, str]]:
        """Return numbers that hold the cards of a check: the number, its condition, the check."""
        pairs: list[tuple[Hashable, str, str]] = []
        for code in some:
            whole = _WHOLES.get(code)
            if whole in _WHOLE_CONDITIONS and whole is not None:
                pairs.append((cards_of(whole), _WHOLE_CONDITIONS[whole], code))
            for other in _NOT_AMONG.get(code, ()):
                if other in some:
                    rest = ("rest", cards_of(ALL), cards_of(self.groups[other]))
                    pairs.append((rest, f"NOT {some[other]}", code))
            if code.startswith("anomaly:"):
                pairs.append((cards_of(self.groups["anomalies"]), some["anomalies"], code))
                name = code.split(":")[1]
                pairs += [
                    (cards_of(self.groups[holder]), some[holder], code)
                    for holder in (f"vocabulary:{name}", f"missing:{name}")
                    if holder in some
                ]
        return [
            (whole, condition, code)
            for whole, condition, code in pairs
            if self.figures.value(whole) >= self.figures.value(cards_of(self.groups[code]))
        ]
