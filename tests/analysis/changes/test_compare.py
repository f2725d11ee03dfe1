"""What changed between two lists of cards, against the rules written out row by row."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from analysis_cases import NOW, card, publish, table_of, table_of_one
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.changes import differences
from tokenvault_data.analysis.changes.compare import changes, compare
from tokenvault_data.analysis.changes.events import EVENT_COLUMNS, KINDS
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.schema import INSTRUMENTS, OUTCOMES
from tokenvault_data.dataset.snapshot_writer import CollectionFacts, SnapshotWriter
from tokenvault_data.errors import UsageError

BANKS = load_bank_names()
LATER = NOW + timedelta(days=31)
OK = ("fetched", "empty")
DETAILS = (
    *("bank", "card_network", "card_type", "card_sub_type", "card_country"),
    *("last_four", "par", "instrument_uid", "created_at"),
)

# ---------------------------------------------------------------- the rules, in plain Python


class List:
    """One side: its rows, and the outcomes of its customers."""

    def __init__(self, rows, outcomes):
        self.rows = rows
        self.outcomes = outcomes  # pairs of customer and outcome
        self.fetched = {customer for customer, outcome in outcomes if outcome in OK}
        self.without_id = sum(row["instrument_id"] is None for row in rows)
        groups = defaultdict(list)
        for row in rows:
            if row["instrument_id"] is not None:
                groups[row["customer_id"], row["instrument_id"]].append(row)
        self.cards = {key: min(group, key=usability) for key, group in groups.items()}
        self.repeated = len(rows) - self.without_id - len(self.cards)

    def table(self):
        return pa.Table.from_pylist(self.rows, schema=INSTRUMENTS)


def usability(row):
    expires = row["expires_on"] or date.min
    return row["instrument_status"] != "ACTIVE", -expires.toordinal(), row["list_position"]


def detail(row, name):
    return BANKS.canonical(row["card_bank"]) if name == "bank" else row[name]


def by_the_rules(old, new):
    """Return the events as dictionaries, and the lines of the summary that count cards."""
    asked_old, asked_new = ({c for c, _ in side.outcomes} for side in (old, new))
    counts = Counter()
    events, gone, added = [], {}, {}
    for key in old.cards.keys() | new.cards.keys():
        before, after = old.cards.get(key), new.cards.get(key)
        comparable = key[0] in old.fetched and key[0] in new.fetched
        if before and after:
            found = list(of_both(before, after))
            events += found
            counts["changed" if found else "unchanged"] += 1
        elif comparable:
            (gone if before else added)[key] = before or after
        else:
            counts["unknown_old" if before else "unknown_new"] += 1
    for shared in ("instrument_uid", "par"):
        for value in {(r["customer_id"], r[shared]) for r in gone.values() if r[shared]}:
            queues = [
                sorted(
                    (r for r in side.values() if (r["customer_id"], r[shared]) == value),
                    key=lambda r: (
                        r["created_at"] or datetime.max.replace(tzinfo=UTC),
                        r["instrument_id"],
                    ),
                )
                for side in (gone, added)
            ]
            for before, after in zip(*queues, strict=False):
                del gone[before["customer_id"], before["instrument_id"]]
                del added[after["customer_id"], after["instrument_id"]]
                new_id = after["instrument_id"]
                more = {"new_instrument_id": new_id, "matched_by": shared}
                events.append(event("replaced", before, after, **more))
    events += [event("gone", row, None) for row in gone.values()]
    events += [event("added", None, row) for row in added.values()]
    counts |= {
        "rows_old": len(old.rows),
        "rows_new": len(new.rows),
        "without_id_old": old.without_id,
        "without_id_new": new.without_id,
        "repeated_old": old.repeated,
        "repeated_new": new.repeated,
        "customers_only_old": len(asked_old - asked_new),
        "customers_only_new": len(asked_new - asked_old),
        "customers_not_fetched": len((asked_old & asked_new) - (old.fetched & new.fetched)),
    }
    kinds = Counter(one["kind"] for one in events)
    counts |= {kind: kinds[kind] for kind in KINDS}
    order = {kind: place for place, kind in enumerate(KINDS)}
    events.sort(key=lambda e: (order[e["kind"]], e["customer_id"], e["instrument_id"]))
    return events, counts


def of_both(before, after):
    if before["instrument_status"] != after["instrument_status"]:
        yield event("status_changed", before, after)
    was, now = before["expires_on"], after["expires_on"]
    if was != now:
        yield event("renewed" if was and now and now > was else "expiry_changed", before, after)
    names = [
        name
        for name in DETAILS
        if None not in (detail(before, name), detail(after, name))
        and detail(before, name) != detail(after, name)
    ]
    if names:
        yield event("details_changed", before, after, changed=", ".join(names))


def event(kind, before, after, **more):
    first, last = before or after, after or before
    made = dict.fromkeys(EVENT_COLUMNS[:-2])
    made |= {"kind": kind, **{n: first[n] for n in ("customer_id", "instrument_id")}}
    for name in ("card_network", "card_bank", "card_type", "last_four"):
        made[name] = last[name] if last[name] is not None else first[name]
    made["bank"] = BANKS.canonical(made["card_bank"])
    for side, row in (("old", before), ("new", after)):
        if row:
            made[f"{side}_status"] = row["instrument_status"]
            made[f"{side}_expires_on"] = row["expires_on"]
    return made | more


# ---------------------------------------------------------------- random pairs of lists

SAVED = datetime(2023, 11, 1, 4, 55, 7, tzinfo=UTC)
ROW = st.fixed_dictionaries(
    {
        "instrument_id": st.sampled_from([None, "i1", "i2", "i3", "i4"]),
        "instrument_uid": st.sampled_from([None, "u1", "u2"]),
        "par": st.sampled_from([None, "p1", "p2"]),
        "instrument_status": st.sampled_from([None, "ACTIVE", "INACTIVE"]),
        "expires_on": st.sampled_from([None, date(2027, 1, 31), date(2028, 2, 29)]),
        "created_at": st.sampled_from([None, SAVED, SAVED + timedelta(days=9)]),
        "card_bank": st.sampled_from([None, "HDFC BANK", "HDFC Bank Limited", "AXIS BANK"]),
        "card_network": st.sampled_from([None, "visa", "rupay"]),
        "last_four": st.sampled_from([None, "4375"]),
        "card_sub_type": st.sampled_from([None, "retail"]),
    }
)
LISTS = st.lists(ROW, max_size=5)
OUTCOME = st.sampled_from(["failed", "not_attempted"])


@st.composite
def pairs_of_vaults(draw):
    """Two vaults, dicts of customer to a list or the outcome of one that was not fetched."""
    old, new = {}, {}
    for customer in draw(st.sets(st.sampled_from("abcdefghijkl"), min_size=1)):
        before = draw(LISTS)
        after = draw(LISTS)
        if draw(st.booleans()):  # most cards of a real vault stay
            after = [dict(row) for row in draw(st.permutations(before))] + after[:1]
            if after and draw(st.booleans()):
                after[0]["expires_on"] = date(2031, 5, 31)
        for vault, cards in ((old, before), (new, after)):
            fate = draw(st.integers(0, 9))
            if fate != 0:
                vault[customer] = draw(OUTCOME) if fate == 1 else cards
    return old, new


def list_of(vault, now):
    rows, outcomes = [], []
    for customer, cards in vault.items():
        if isinstance(cards, str):
            outcomes.append((customer, cards))
            continue
        outcomes.append((customer, "fetched" if cards else "empty"))
        rows += [
            {"customer_id": customer, "list_position": place, "fetched_at": now}
            | {"api_version": "2025-01-01", "card_type": "debit", "card_country": "IN"}
            | cards[place]
            for place in range(len(cards))
        ]
    return List(rows, outcomes)


def published(store, side, now):
    counts = Counter(row["customer_id"] for row in side.rows)
    outcomes = [
        {"customer_id": customer, "position": place, "outcome": outcome, "requests": 1}
        | {"instruments": counts[customer], "finished_at": now}
        for place, (customer, outcome) in enumerate(side.outcomes)
    ]
    with SnapshotWriter(store, now=now) as writer:
        writer.add(side.table(), pa.Table.from_pylist(outcomes, schema=OUTCOMES))
        return writer.publish(CollectionFacts(len(outcomes), "emulator", "2025-01-01", now, now))


def found(comparison):
    columns = EVENT_COLUMNS[:-2]
    events = comparison.events.arrow().select(columns).to_pylist()
    lines = comparison.summary.arrow().to_pylist()
    counts = {line["what"]: line["cards"] for line in lines if line["cards"] is not None}
    counts |= {line["what"]: line["customers"] for line in lines if line["cards"] is None}
    return events, counts


def agree(comparison, old, new):
    events, counts = found(comparison)
    wanted_events, wanted_counts = by_the_rules(old, new)
    assert events == wanted_events
    assert counts == {what: wanted_counts[what] for what in counts}
    assert set(wanted_counts) <= set(counts)
    reconciles(comparison, counts)


def reconciles(comparison, counts):
    both = counts["unchanged"] + counts["changed"] + counts["replaced"]
    for side, one_sided in (("old", "gone"), ("new", "added")):
        apart = ("unknown", "without_id", "repeated")
        others = sum(counts[f"{what}_{side}"] for what in apart)
        assert counts[f"rows_{side}"] == both + counts[one_sided] + others
    by_kind = comparison.by()
    assert dict(zip(by_kind["kind"], by_kind["cards"], strict=True)) == {
        kind: counts[kind] for kind in KINDS if counts[kind]
    }


@settings(max_examples=8, deadline=None)
@given(pairs_of_vaults())
def test_snapshots_follow_the_rules(vaults):
    """Events, summary and their order are what the rules say, whatever the two snapshots hold, and
    every row of either is in exactly one line of the account.
    """
    old, new = list_of(vaults[0], NOW), list_of(vaults[1], LATER)
    with tempfile.TemporaryDirectory() as store:
        before, after = published(store, old, NOW), published(store, new, LATER)
        agree(compare(before, after, banks=BANKS), old, new)


@settings(max_examples=6, deadline=None)
@given(pairs_of_vaults())
def test_tables_follow_the_rules(vaults):
    """In tables that are no snapshots a customer was fetched if it has a row."""
    old, new = list_of(vaults[0], NOW), list_of(vaults[1], LATER)
    for side in (old, new):
        side.outcomes = [(c, "fetched") for c in sorted({row["customer_id"] for row in side.rows})]
        side.fetched = {customer for customer, _ in side.outcomes}
    comparison = compare(old.table(), new.table(), banks=BANKS)
    agree(comparison, old, new)


@settings(max_examples=6, deadline=None)
@given(pairs_of_vaults(), st.sampled_from(["0::UBIGINT", f"hash(instrument_id) & {7 << 61}"]))
def test_hashes_that_keys_share_change_no_figure(vaults, key_hash):
    """Cards whose keys have one hash are told apart by their keys."""
    old, new = list_of(vaults[0], NOW), list_of(vaults[1], LATER)
    with tempfile.TemporaryDirectory() as store, pytest.MonkeyPatch.context() as patch:
        before, after = published(store, old, NOW), published(store, new, LATER)
        patch.setattr(differences, "_KEY_HASH", f"({key_hash})")
        agree(compare(before, after, banks=BANKS), old, new)


@settings(max_examples=6, deadline=None)
@given(pairs_of_vaults(), st.randoms(use_true_random=False))
def test_list_order_is_no_change(vaults, random):
    """A list whose rows come in another order, distinct in status and expiry where an id repeats,
    has no events.
    """
    rows = {}
    for row in list_of(vaults[0], NOW).rows:
        rows[row["customer_id"], row["instrument_id"], usability(row)[:2]] = row
    before = list(rows.values())
    after = random.sample(before, len(before))
    after = [row | {"list_position": place} for place, row in enumerate(after)]
    old, new = List(before, []), List(after, [])
    assert len(changes(old.table(), new.table(), banks=BANKS)) == 0


# ---------------------------------------------------------------- cases by hand


def kinds_of(events):
    return list(zip(events["kind"], events["instrument_id"], strict=True))


def test_a_customer_not_fetched_is_unknown_and_never_gone(tmp_path):
    """Of customers that failed, were left out, or were not asked for, nothing is gone or added."""
    vault = {name: [card(f"i-{name}")] for name in ("stays", "fails", "skipped", "unasked")}
    old = publish(tmp_path, vault)
    later = {"stays": [], "newcomer": [card("i-n")]}
    new = publish(tmp_path, later, failed=["fails"], not_attempted=["skipped"], now=LATER)
    comparison = compare(old, new)
    assert kinds_of(comparison.events) == [("gone", "i-stays")]
    _, counts = found(comparison)
    assert (counts["unknown_old"], counts["unknown_new"]) == (3, 1)
    note, partial = comparison.events.notes
    assert "2 of 4 customers were not fetched (1 failed, 1 not attempted)" in partial
    assert note == (
        "4 customers could not be compared: 2 not fetched both times, 1 asked for in the old list"
        " only, 1 in the new list only; their cards are unknown, not gone."
    )
    assert comparison.events["new_fetched_at"].tolist() == [LATER]


def test_once_fetched_is_enough_for_a_customer_asked_for_twice(tmp_path):
    """A customer listed twice is comparable when one of its two requests was answered."""
    old = publish(tmp_path, {"c": [card("i1")]})
    new = publish(tmp_path, {"c": []}, failed=["c"], now=LATER)
    assert kinds_of(changes(old, new)) == [("gone", "i1")]


def test_a_renewed_card_and_a_replaced_one(tmp_path):
    """A later expiry renews; another id of the same card, or else account, replaces."""
    old = publish(
        tmp_path,
        {
            "c": [
                card("renewed"),
                card("by-uid", instrument_uid="u", par="p"),
                card("by-par", par="q", instrument_uid="one"),
                card("gone", par="r"),
            ]
        },
    )
    now = {
        "c": [
            card("renewed", expires="2031-12"),
            card("by-uid-new", instrument_uid="u", par="p", expires="2032-01"),
            card("by-par-new", par="q", instrument_uid="other"),
        ],
        "d": [card("elsewhere", par="r")],
    }
    new = publish(tmp_path, now, now=LATER)
    events = changes(old, new)
    assert kinds_of(events) == [
        ("gone", "gone"),
        ("replaced", "by-par"),
        ("replaced", "by-uid"),
        ("renewed", "renewed"),
    ]
    assert events["new_instrument_id"].dropna().tolist() == ["by-par-new", "by-uid-new"]
    assert events["matched_by"].dropna().tolist() == ["par", "instrument_uid"]
    assert events["new_expires_on"].dt.date.tolist()[-1] == date(2031, 12, 31)


def test_another_api_version_is_no_change(tmp_path):
    """What only one version sends, and another spelling of one bank, is no change of details."""
    old = publish(tmp_path, {"c": [card("i1", card_bank_name="HDFC BANK", card_sub_type=None)]})
    cards = [card("i1", card_bank_name="HDFC Bank Limited", par="p")]
    new = publish(tmp_path, {"c": cards}, now=LATER, version="2026-01-01")
    assert len(changes(old, new)) == 0


def test_counts_by_columns(tmp_path):
    """Counts by kind and columns add up to the events; missing values are shown."""
    old = publish(tmp_path, {"c": [card("a"), card("b", card_bank_name=None)]})
    new = publish(tmp_path, {"c": [card("x", expires="2029-03"), card("y", expires="2029-03")]})
    comparison = compare(old, new)
    table = comparison.by("bank", "expiry")
    assert table["kind"].tolist() == ["added", "gone", "gone"]
    assert table["expiry"].tolist() == ["2029-03", "2028-12", "2028-12"]
    assert table["bank"].isna().tolist() == [False, False, True]
    assert table["cards"].tolist() == [2, 1, 1]
    assert table["customers"].tolist() == [1, 1, 1]
    assert table["share"].tolist() == [1.0, 0.5, 0.5]
    with pytest.raises(UsageError, match="cannot be counted by customer_id; nothing was counted"):
        comparison.by("customer_id")


def test_snapshots_of_two_accounts_are_not_compared(tmp_path):
    """Another environment, or another merchant account, is refused."""

    def empty(environment, merchant):
        with SnapshotWriter(tmp_path, now=NOW) as writer:
            facts = CollectionFacts(0, environment, "2025-01-01", NOW, NOW, merchant)
            return writer.publish(facts)

    one = empty("emulator", "abcdef")
    with pytest.raises(UsageError, match="of environment emulator and the new one of sandbox"):
        compare(one, empty("sandbox", "abcdef"))
    with pytest.raises(UsageError, match="different merchant accounts"):
        compare(one, empty("emulator", "fedcba"))
    assert len(changes(one, empty("emulator", "abcdef"))) == 0


def test_lists_the_wrong_way_round_are_compared_with_a_note(tmp_path):
    """An old snapshot that is the later one is allowed, and said."""
    old = publish(tmp_path, {"c": [card("i1")]}, now=LATER)
    new = publish(tmp_path, {"c": [card("i2")]})
    assert "later one of the two" in compare(old, new).events.notes[0]
    assert "later one" not in " ".join(compare(new, old).events.notes)


def test_a_table_that_lacks_a_column_is_refused():
    """The key, the status and the expiry are needed; other columns may be missing."""
    whole = table_of({"c": [card("i1")]})
    needed = whole.select(["customer_id", "instrument_id", "instrument_status", "expires_on"])
    assert len(changes(needed, whole)) == 0
    with pytest.raises(UsageError, match="no column expires_on"):
        changes(needed.drop_columns(["expires_on"]), whole)


def test_memory_may_be_short():
    """A comparison that spills to disk gives the events of a merge in pandas."""
    random = np.random.default_rng(20)
    table = table_of_one(40_000)
    customers = pa.array([f"customer {n // 3}" for n in range(len(table))])
    table = table.set_column(table.schema.get_field_index("customer_id"), "customer_id", customers)
    sides = []
    for _ in range(2):
        kept = table.filter(pa.array(random.random(len(table)) < 0.9))
        values = {
            "instrument_status": random.choice(["ACTIVE", "INACTIVE"], len(kept), p=[0.9, 0.1]),
            "last_four": random.choice(["1111", "2222"], len(kept), p=[0.8, 0.2]),
        }
        for name, column in values.items():
            place, field = kept.schema.get_field_index(name), kept.schema.field(name)
            kept = kept.set_column(place, field, pa.array(column).cast(field.type))
        sides.append(kept.take(pa.array(random.permutation(len(kept)))))
    events = changes(*sides, memory_limit_mb=30)
    merged = pd.merge(
        *(side.to_pandas() for side in sides),
        how="outer",
        on=["customer_id", "instrument_id"],
        suffixes=("_old", "_new"),
        indicator=True,
    )
    in_both = merged["_merge"] == "both"
    fetched = [set(side["customer_id"].to_pylist()) for side in sides]
    comparable = merged["customer_id"].isin(fetched[0] & fetched[1])
    wanted = {
        "added": comparable & (merged["_merge"] == "right_only"),
        "gone": comparable & (merged["_merge"] == "left_only"),
        "status_changed": in_both
        & (merged["instrument_status_old"].astype(str) != merged["instrument_status_new"]),
        "details_changed": in_both & (merged["last_four_old"] != merged["last_four_new"]),
    }
    assert set(kinds_of(events)) == {
        (kind, card) for kind, rows in wanted.items() for card in merged["instrument_id"][rows]
    }
    assert Counter(events["kind"]) == {kind: int(rows.sum()) for kind, rows in wanted.items()}


def test_a_table_without_times_gets_none(tmp_path):
    """Of a card that is gone from a table, the time it was fetched there stays unknown."""
    old = table_of({"c": [card("i1"), card("i2")]}).drop_columns(["fetched_at"])
    new = publish(tmp_path, {"c": [card("i2")]}, now=LATER)
    events = changes(old, new)
    assert kinds_of(events) == [("gone", "i1")]
    assert events["old_fetched_at"].isna().tolist() == [True]
    assert events["new_fetched_at"].tolist() == [LATER]
