"""Rules: which cards a cleanup is about, and whether a card just fetched is still one of them.

A rule is a condition on the columns of a card, and for two kinds something more: `duplicates`
selects the cards of an account beside the one that is kept, `listed` those that somebody named.
Rules are values: compared by content, written into plans, and said in a sentence.

>>> rule = expired("2026-11-22") & networks("rupay")
>>> rule.sentence()
'expires before 22 November 2026 and network is rupay'
>>> Rule.from_dict(rule.to_dict()) == rule
True
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from tokenvault_data.analysis.filters import filters as conditions
from tokenvault_data.analysis.filters.columns import value_for
from tokenvault_data.analysis.filters.filters import (
    All,
    Compare,
    IsIn,
    Predicate,
    predicate_from_dict,
)
from tokenvault_data.errors import UsageError
from tokenvault_data.identifiers import clean_customer_id, clean_instrument_id
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tokenvault_data.cleanup.plan.plan_file import PlannedCard
    from tokenvault_data.dataset.bank_names import BankNames

Kind = Literal["condition", "duplicates", "listed"]
"""What selects the cards: a condition alone, or one beside duplicates or a list."""

_KINDS: Final = ("condition", "duplicates", "listed")
_EVERY_CARD: Final = All(())
_OF_THE_LISTING: Final = frozenset({"fetched_at", "list_position"})


@dataclass(frozen=True, slots=True)
class Rule:
    """Which cards are selected; ``&``, ``|`` and ``~`` combine rules.

    Duplicates and lists can only be narrowed, by ``&`` with a condition.

    Attributes
    ----------
    condition : Predicate
        True of every card that is selected.
    kind : {"condition", "duplicates", "listed"}
    pairs : tuple of (str, str)
        Customer and instrument ids of a list, each once, sorted; empty for the other kinds.

    Raises
    ------
    UsageError
        The condition is none, or asks how a card was listed, which no later fetch can repeat.
    """

    condition: Predicate = _EVERY_CARD
    kind: Kind = "condition"
    pairs: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        given: object = self.condition
        if not isinstance(given, Predicate) or self.kind not in _KINDS:
            raise UsageError(
                "A rule was made of something that is no condition; nothing was selected; make "
                "one with `where`, or with the functions of this module."
            )
        foreign = sorted(self.condition.columns & _OF_THE_LISTING)
        if foreign:
            raise UsageError(
                f"A rule cannot ask for {foreign[0]}, which says how a card was listed and not "
                "what it is; nothing was selected; leave it out."
            )
        if bool(self.pairs) != (self.kind == "listed"):
            raise UsageError(
                "A list of cards is empty, or stands in a rule that is no list; nothing was "
                "selected; name the cards with `listed`."
            )
        pairs = {(clean_customer_id(c), clean_instrument_id(i)) for c, i in self.pairs}
        object.__setattr__(self, "pairs", tuple(sorted(pairs)))

    def to_dict(self) -> dict[str, Any]:
        """Return the rule as JSON can hold it; `from_dict` reads it back equal."""
        form: dict[str, Any] = {"kind": self.kind, "condition": self.condition.to_dict()}
        if self.kind == "listed":
            form["listed"] = [list(pair) for pair in self.pairs]
        return form

    @classmethod
    def from_dict(cls, form: object) -> Rule:
        """Read a rule from what `to_dict` makes.

        Raises
        ------
        UsageError
            It is no rule.
        """
        keys = {"kind", "condition"}
        if isinstance(form, dict) and form.get("kind") == "listed":
            keys.add("listed")
        if not isinstance(form, dict) or set(form) != keys or form["kind"] not in _KINDS:
            raise UsageError(
                "A rule is written as an object with its kind (condition, duplicates or listed) "
                "and its condition; nothing was selected; correct it."
            )
        pairs = _pairs_of(form["listed"]) if "listed" in form else ()
        return cls(predicate_from_dict(form["condition"]), cast("Kind", form["kind"]), pairs)

    def sentence(self) -> str:
        """Return the rule in English, e.g. ``expires before 22 November 2026``."""
        if self.kind == "condition":
            return self.condition.sentence()
        first = (
            f"is one of {counted(len(self.pairs), 'listed card')}"
            if self.kind == "listed"
            else "duplicates another card of the customer's account, of which the one that is "
            "usable longest is kept"
        )
        if self.condition == _EVERY_CARD:
            return first
        return f"{first}; and {self.condition.sentence()}"

    def __and__(self, other: Rule | Predicate) -> Rule:
        other = as_rule(other)
        if "condition" not in {self.kind, other.kind}:
            raise _not_combined("Two rules that are duplicates or lists")
        special = self if self.kind != "condition" else other
        both = [rule.condition for rule in (self, other) if rule.condition != _EVERY_CARD]
        condition = both[0] & both[1] if len(both) == 2 else (both or [_EVERY_CARD])[0]
        return Rule(condition, special.kind, special.pairs)

    def __rand__(self, other: Predicate) -> Rule:
        return as_rule(other) & self

    def __or__(self, other: Rule | Predicate) -> Rule:
        other = as_rule(other)
        if {self.kind, other.kind} != {"condition"}:
            raise _not_combined("Duplicates, or a list, and another rule by `|`")
        return Rule(self.condition | other.condition)

    def __ror__(self, other: Predicate) -> Rule:
        return as_rule(other) | self

    def __invert__(self) -> Rule:
        if self.kind != "condition":
            raise _not_combined("Duplicates, or a list, and `~`")
        return Rule(~self.condition)

    def __bool__(self) -> bool:
        raise TypeError("a rule is neither true nor false by itself: use &, | and ~")

    def drift(
        self, planned: PlannedCard, fetched: Mapping[str, object], as_of: date | str
    ) -> str | None:
        """Say why a card just fetched is not, or not surely, the one that was planned.

        Parameters
        ----------
        planned : PlannedCard
            As sealed.
        fetched : mapping of str to object
            The card as the instruments table would hold it.
        as_of : date or str
            The plan's day.

        Returns
        -------
        str or None
            The first difference found, in words and without ids; None where there is none. Whether
            the card kept in place of a duplicate is still a reason, `keeper_drift` says.
        """
        from tokenvault_data.cleanup.selection.drift import drift

        return drift(self.condition, planned, fetched, as_of)


def as_rule(rule: Rule | Predicate) -> Rule:
    """Return a rule as it is, and a condition as the rule that selects by it.

    Raises
    ------
    UsageError
        It is neither.
    """
    return rule if isinstance(rule, Rule) else Rule(rule)


def expired(as_of: date | str) -> Rule:
    """Select cards whose last day lies before `as_of`; unknown expiry is not so."""
    return Rule(conditions.expired(as_of))


def expired_for(days: int, as_of: date | str) -> Rule:
    """Select cards that expired at least `days` days before `as_of`; 1 is the same as `expired`.

    Raises
    ------
    UsageError
        `days` is no whole number of 1 or more, or leads before the year 1.
    """
    given: object = days
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise UsageError(
            "The days since expiry are no whole number of 1 or more; nothing was selected; a card "
            "has expired for one day on the day after its last."
        )
    try:
        last = cast("date", value_for("expires_on", as_of)) - timedelta(days=days)
    except OverflowError:
        raise UsageError(
            f"{days} days lead before the year 1; nothing was selected; give fewer."
        ) from None
    return Rule(Compare("expires_on", "<=", last))


def inactive() -> Rule:
    """Select cards whose status is INACTIVE."""
    return Rule(IsIn("instrument_status", ("INACTIVE",)))


def networks(*names: str | None) -> Rule:
    """Select cards of these networks, None for a missing one."""
    return Rule(IsIn("card_network", _some(names)))


def card_types(*names: str | None) -> Rule:
    """Select cards of these types (credit, debit, prepaid), None for a missing one."""
    return Rule(IsIn("card_type", _some(names)))


def banks(*names: str | None, known_as: BankNames | None = None) -> Rule:
    """Select cards of these banks in whatever spelling, None for a missing one.

    Parameters
    ----------
    *names : str or None
        Any spellings; the rule holds their canonical names.
    known_as : BankNames, optional
        Those of the package when not given; the plan has to be made with the same.
    """
    from tokenvault_data.dataset.bank_names import canonical_banks

    return Rule(IsIn("bank", tuple(canonical_banks(_some(names), known_as))))


def duplicates(keep: Literal["newest"] = "newest") -> Rule:
    """Select what a customer has beside the card to keep of one account, or of one card.

    Two cards of a customer are of one account where their ``par`` or their ``instrument_uid`` is
    the same and known. Of these the usable one is kept, of several the one that expires last, then
    the one saved last. Cards of different customers are never duplicates.

    Raises
    ------
    UsageError
        `keep` is something else than ``"newest"``.
    """
    if keep != "newest":
        raise UsageError(
            "Of duplicates only the newest can be kept; nothing was selected; leave `keep` out."
        )
    return Rule(kind="duplicates")


def listed(cards: str | Path | Iterable[tuple[str, str]] | object) -> Rule:
    """Select the cards that somebody named.

    Parameters
    ----------
    cards : path, iterable of (customer id, instrument id), or table
        A CSV, text or Parquet file, a DataFrame or an Arrow table has the columns ``customer_id``
        and ``instrument_id``.

    Raises
    ------
    UsageError
        It cannot be read, names no card, or holds something that is no id.
    """
    from tokenvault_data.cleanup.selection.rule_files import read_pairs

    return Rule(kind="listed", pairs=read_pairs(cards))


def _some(names: tuple[str | None, ...]) -> tuple[str | None, ...]:
    if not names:
        raise UsageError(
            "A rule was given no name to select by; nothing was selected; give one or more."
        )
    return names


def _pairs_of(form: object) -> tuple[tuple[str, str], ...]:
    def is_pair(one: object) -> bool:
        return isinstance(one, list) and len(one) == 2 and all(isinstance(x, str) for x in one)

    if not isinstance(form, list) or not all(map(is_pair, form)):
        raise UsageError(
            "The list of a rule does not hold pairs of customer and instrument ids; nothing was "
            "selected; correct it."
        )
    return tuple((customer, instrument) for customer, instrument in form)


def _not_combined(what: str) -> UsageError:
    return UsageError(
        f"{what} cannot be combined; nothing was selected; narrow a list or duplicates with `&` "
        "and a condition, and make a plan of each."
    )
