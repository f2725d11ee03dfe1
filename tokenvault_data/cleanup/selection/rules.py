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

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import chain
from pathlib import Path
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
from tokenvault_data.identifiers import RefusedId, clean_customer_id, clean_instrument_id, judge_id
from tokenvault_data.local_paths import local_path
from tokenvault_data.text import counted

if TYPE_CHECKING:
    from tokenvault_data.collection.customer_rows import CustomerRows
    from tokenvault_data.collection.list_judgement import Guards
    from tokenvault_data.dataset.bank_names import BankNames


COLUMNS: Final = ("customer_id", "instrument_id")
"""What the two columns of a list have to be called."""

_NAMED_ROWS: Final = 5


def read_pairs(cards: object) -> tuple[tuple[str, str], ...]:
    """Read a list of cards.

    Parameters
    ----------
    cards : path, table, or iterable of pairs
        A path (text as well) names a CSV file, a text file with a heading, or a Parquet file, also
        gzipped; it and a DataFrame or Arrow table have the `COLUMNS`. Pairs are customer id first.

    Returns
    -------
    tuple of (str, str)
        Each card once, in the order of the list.

    Raises
    ------
    UsageError
        It cannot be read, names no card, or one of its ids is none; the message counts them and
        names the first rows.
    """
    if isinstance(cards, str | Path):
        return _checked(*_of_file(local_path(cards)))
    if hasattr(cards, "__arrow_c_stream__") or hasattr(cards, "columns"):
        from tokenvault_data.collection.customer_values import rows_of_values

        columns = [_values(rows_of_values(cards, column)) for column in COLUMNS]
        return _checked(list(zip(*columns, strict=True)), "the table", 1, "row")
    if isinstance(cards, bytes | dict) or not isinstance(cards, Iterable):
        raise UsageError(
            f"A list of cards cannot be taken from {type(cards).__name__}; nothing was selected; "
            "give the path of a file, a table, or pairs of customer and instrument id."
        )
    pairs = []
    for number, pair in enumerate(cards, start=1):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise UsageError(
                f"Entry {number} of the list is no pair; nothing was selected; give each card as "
                "(customer id, instrument id)."
            )
        pairs.append((pair[0], pair[1]))
    return _checked(pairs, "the list", 1, "entry")


def _of_file(path: Path) -> tuple[list[tuple[object, object]], str, int, str]:
    from tokenvault_data.collection.customer_files import rows_of_path

    columns: list[list[object]] = []
    first_row, word = 1, "row"
    for column in COLUMNS:
        with rows_of_path(path, column) as rows:
            first_row, word = rows.first_row, rows.row_word
            columns.append(_without_guards(_values(rows), rows.guards, path.name))
    if len(columns[0]) != len(columns[1]):
        raise UsageError(f"{path.name} changed while it was read; nothing was selected; try again.")
    return list(zip(*columns, strict=True)), path.name, first_row, word


def _without_guards(values: list[object], guards: Guards | None, name: str) -> list[object]:
    """Take away the apostrophes that our exports put before ids.

    Raises
    ------
    UsageError
        Some are there that may be a part of the ids.
    """
    from tokenvault_data.collection.list_judgement import plain_cells

    plain = plain_cells(values, guards)
    if plain is not None:
        return plain
    raise UsageError(
        f"Ids of {name} begin with an apostrophe, which a spreadsheet may have put there; nothing"
        " was selected; give the list as it was exported, or as a Parquet file with the true ids."
    )


def _values(rows: CustomerRows) -> list[object]:
    return [
        cast("object", value)
        for value in chain.from_iterable(
            chunk if isinstance(chunk, list) else chunk.to_pylist() for chunk in rows.chunks
        )
    ]


def _checked(
    pairs: list[tuple[object, object]], name: str, first_row: int, word: str
) -> tuple[tuple[str, str], ...]:
    kept: dict[tuple[str, str], None] = {}
    wrong: list[int] = []
    reason = ""
    for number, pair in enumerate(pairs, start=first_row):
        if all(isinstance(value, str) and not value.strip() for value in pair):
            continue  # an empty line
        judged = [judge_id(value) for value in pair]
        refused = next((one for one in judged if isinstance(one, RefusedId)), None)
        if refused is not None:
            wrong.append(number)
            reason = reason or refused.explanation
            continue
        kept[cast("tuple[str, str]", tuple(judged))] = None
    if wrong:
        rows = ", ".join(map(str, wrong[:_NAMED_ROWS])) + (", ..." * (len(wrong) > _NAMED_ROWS))
        raise UsageError(
            f"{len(wrong):,} of {len(pairs):,} cards of {name} cannot be asked for ({word} "
            f"{rows}): the first {reason}; nothing was selected; correct the list."
        )
    if not kept:
        raise UsageError(f"{name} names no card; nothing was selected; give another list.")
    return tuple(kept)


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
