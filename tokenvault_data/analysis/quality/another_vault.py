"""Whether two lists of cards are of one vault at all, asked before anything is said of changes.

Snapshots of one account may come from two emulated vaults, and tables from anywhere. Where the
manifests of both say which vault answered, they decide. Otherwise the cards do: when a card was
saved, and its last four digits, never change in a vault, other details and ids do so for a few
cards a month. A bulk re-tokenisation, or a bank that is renamed, changes many details too, so what
is found is worded as a question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.analysis.cards.card_view import card_view
from tokenvault_data.analysis.quality.settings import NO_THRESHOLD, Finding, Verdict
from tokenvault_data.dataset.sql import connection_to

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    import duckdb

    from tokenvault_data.analysis.cards.source import Source
    from tokenvault_data.dataset.bank_names import BankNames

LEAST_CARDS: Final = 10
"""Of fewer cards nothing is concluded."""

NEARLY_ALL: Final = 0.9
"""Share of the cards in both lists whose details differ, or of all that came and went."""

LASTING: Final = ("created_at", "last_four")
"""Details that a card keeps for life."""

MOST_LASTING: Final = 0.5
"""Share of the cards in both lists of which a lasting detail differs."""

SAMPLED_CARDS: Final = 50_000
"""About so many cards of a list are looked at, all of a customer or none."""

_DETAILS: Final = (
    *("bank", "card_network", "card_type", "card_sub_type", "card_country"),
    *("last_four", "par", "instrument_uid", "created_at"),
)
_ASKED: Final = "Another account, or another emulated vault?"
_OR_ELSE: Final = "A bulk re-tokenisation or a bank that was renamed can look like this too."
_lasting_pattern: Final = rf"(^|, )({'|'.join(LASTING)})(,|$)"


@dataclass(frozen=True, slots=True)
class Overlap:
    """How far the cards of two lists are the same, of customers that both are about.

    Attributes
    ----------
    old, new : int
        Cards of each list.
    both : int
        Cards in both, by customer and id.
    changed : int
        Of these, the ones with a detail that differs.
    lasting : int
        Of these, the ones with a detail of `LASTING` that differs.
    came, went : int
        Cards of the new, and of the old list only that are not the same under another id.
    """

    old: int
    new: int
    both: int
    changed: int
    lasting: int
    came: int
    went: int

    def doubt(self) -> str | None:
        """Return what speaks for two vaults, as a sentence without figures; None when nothing."""
        if self.both >= LEAST_CARDS:
            if self.lasting >= MOST_LASTING * self.both:
                how_many = "Nearly all" if self.lasting >= NEARLY_ALL * self.both else "Most"
                return (
                    f"{how_many} cards in both lists differ in when they were saved or in their"
                    " last four digits, which a card keeps for life."
                )
            if self.changed >= NEARLY_ALL * self.both:
                return "Nearly all cards in both lists differ in their details."
        all_new = min(self.old, self.new) >= LEAST_CARDS and (
            self.went >= NEARLY_ALL * self.old and self.came >= NEARLY_ALL * self.new
        )
        if all_new:
            return "Nearly all cards of the old list are gone, and those of the new were not there."
        return None


def same_vault(old: Source, new: Source) -> bool | None:
    """Say whether two lists are of one vault, as their manifests have it; None if they do not say.

    A real vault is told by its account, an emulated one by what it calls itself.
    """
    if old.snapshot is None or new.snapshot is None:
        return None
    before, after = old.snapshot.manifest, new.snapshot.manifest
    names = ("environment", "vault" if after.environment == "emulator" else "merchant")
    pairs = [(getattr(before, name), getattr(after, name)) for name in names]
    return None if any(None in pair for pair in pairs) else all(one == two for one, two in pairs)


def question_of(old: Source, new: Source, overlap: Overlap) -> str | None:
    """Return the question whether two lists are of one vault, with its reason; None without one."""
    same = same_vault(old, new)
    if same is False:
        return f"{_ASKED} The emulators that answered hold different cards."
    doubt = None if same else overlap.doubt()
    return None if doubt is None else f"{_ASKED} {doubt} {_OR_ELSE}"


def overlap_of_events(cards: Mapping[str, int], events: pa.Table) -> Overlap:
    """Return the overlap that a comparison has found.

    Parameters
    ----------
    cards : mapping of str to int
        By line of the summary.
    events : pyarrow.Table
    """
    both = cards["unchanged"] + cards["changed"]
    changed = events["changed"].cast(pa.string())
    lasting = pc.sum(pc.match_substring_regex(changed, _lasting_pattern)).as_py() or 0
    return Overlap(
        old=both + cards["gone"] + cards["replaced"],
        new=both + cards["added"] + cards["replaced"],
        both=both,
        changed=cards["details_changed"],
        lasting=lasting,
        came=cards["added"],
        went=cards["gone"],
    )


def vault_check(source: Source, older: list[Source], *, day: date, banks: BankNames) -> Finding:
    """Check whether a source is of the vault that the newest older data are of.

    Ids and details are compared on a sample of `SAMPLED_CARDS`, of customers who have cards in
    both.
    """
    if not older:
        said = "Cannot be told: no older snapshot was given to compare with."
        return Finding("same_vault", "unknown", said, None, None, NO_THRESHOLD)
    known = same_vault(older[-1], source)
    if known:
        said = "Both snapshots are of one vault."
        return Finding("same_vault", "pass", said, None, None, NO_THRESHOLD)
    lacking = [
        name
        for name in ("customer_id", "instrument_id")
        if any(name not in one.schema.names for one in (source, older[-1]))
    ]
    if known is None and lacking:
        said = f"Cannot be told: a table has no column {', '.join(lacking)}."
        return Finding("same_vault", "unknown", said, None, None, NO_THRESHOLD)
    overlap = Overlap(0, 0, 0, 0, 0, 0, 0)
    if known is None:
        overlap = _sampled(older[-1], source, day=day, banks=banks)
    question = question_of(older[-1], source, overlap)
    if question is not None:
        verdict: Verdict = "warn" if known is None else "fail"
        return Finding("same_vault", verdict, question, None, None, NO_THRESHOLD)
    said = "Nothing speaks for two different vaults."
    return Finding("same_vault", "pass", said, None, None, NO_THRESHOLD)


def _sampled(old: Source, new: Source, *, day: date, banks: BankNames) -> Overlap:
    every = max(1, new.row_count // SAMPLED_CARDS)
    tables = {
        side: _sample(source, every, day=day, banks=banks)
        for side, source in (("old", old), ("new", new))
    }
    known = set.intersection(*(set(one.schema.names) for one in tables.values()))
    details = [name for name in _DETAILS if name in known]
    differ = {name: f"coalesce(old.{name} <> new.{name}, false)" for name in details}
    any_of = " OR ".join(differ.values()) or "false"
    lasting = " OR ".join(differ[name] for name in details if name in LASTING) or "false"
    with connection_to({}, tables) as connection:
        for side, other in (("old", "new"), ("new", "old")):
            connection.execute(
                f"CREATE TEMP TABLE {side}_kept AS SELECT * FROM {side} SEMI JOIN {other}"  # noqa: S608  names are ours
                " USING (customer_id) WHERE instrument_id IS NOT NULL"
                " QUALIFY row_number() OVER (PARTITION BY customer_id, instrument_id) = 1"
            )
        found = connection.execute(
            f"SELECT count(*), count(*) FILTER ({any_of}), count(*) FILTER ({lasting})"  # noqa: S608  names are ours
            " FROM old_kept AS old JOIN new_kept AS new USING (customer_id, instrument_id)"
        ).fetchone()
        both, changed, lastings = found or (0, 0, 0)
        olds, went = _without_a_match(connection, "old", "new", details)
        news, came = _without_a_match(connection, "new", "old", details)
    return Overlap(olds, news, both, changed, lastings, came, went)


def _without_a_match(
    connection: duckdb.DuckDBPyConnection, side: str, other: str, details: list[str]
) -> tuple[int, int]:
    """Count the cards of a side, and those that the other has under no id."""
    same = ("instrument_id", *(name for name in ("instrument_uid", "par") if name in details))
    tests = " OR ".join(f"a.{name} = b.{name}" for name in same)
    found = connection.execute(
        "SELECT count(*), count(*) FILTER (NOT EXISTS (SELECT 1"  # noqa: S608  names are ours
        f" FROM {other}_kept AS b WHERE a.customer_id = b.customer_id AND ({tests})))"
        f" FROM {side}_kept AS a"
    ).fetchone()
    return found or (0, 0)


def _sample(source: Source, every: int, *, day: date, banks: BankNames) -> pa.Table:
    with card_view(source, as_of=day, banks=banks) as connection:
        present = {*source.schema.names, *(["bank"] if "card_bank" in source.schema.names else [])}
        names = ["customer_id", "instrument_id", *(one for one in _DETAILS if one in present)]
        return connection.sql(
            f"SELECT {', '.join(names)} FROM cards WHERE hash(customer_id) % {every} = 0"  # noqa: S608  names are ours
        ).to_arrow_table()
