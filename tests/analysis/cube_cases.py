"""Random cards as plain rows, and an independent count of them: Python loops, nothing of ours.

Conditions are drawn together with a plain function that says of a row True, False, or None for
unknown.
"""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow as pa
from hypothesis import strategies as st

from tokenvault_data.analysis.filters.filters import All, AnyOf, Compare, IsIn, Not
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.schema import INSTRUMENTS

AS_OF = date(2026, 11, 30)
BANKS = load_bank_names()

POOLS = {
    "card_network": ["visa", "mastercard", "rupay", None],
    "card_bank": ["HDFC BANK", "HDFC Bank Limited", "AXIS BANK", "Ünïcode, 'bank'", None],
    "card_country": ["IN", "US", None],
    "card_type": ["credit", "debit", None],
    "instrument_status": ["ACTIVE", "INACTIVE", None],
    "expiry_year": [2026, 2027, 2028, None],
    "expiry_month": [1, 2, 11, 12, None],
}
DERIVED = ("bank", "expiry", "expires_in", "expires_on")
CONSTANT = {"instrument_type": "card", "card_sub_type": None, "api_version": "2025-01-01"}


def last_day(year, month):
    following = date(year + 1, 1, 1) if month == 12 else date(year, month + 1, 1)
    return following - timedelta(days=1)


def value_of(row, name, as_of=AS_OF):
    """Return what a row holds in a column, derived from it if need be."""
    if name == "bank":
        return BANKS.canonical(row["card_bank"])
    if name not in DERIVED:
        return CONSTANT[name] if name in CONSTANT else row[name]
    if row["expiry_year"] is None or row["expiry_month"] is None:
        return None
    day = last_day(row["expiry_year"], row["expiry_month"])
    if name == "expires_in":
        return _bucket(day, as_of)
    return day if name == "expires_on" else day.isoformat()[:7]


def _bucket(day, as_of):
    if day < as_of:
        return "expired"
    for days, bucket in ((30, "0-30 days"), (60, "31-60 days"), (90, "61-90 days")):
        if day <= as_of + timedelta(days=days):
            return bucket
    return "later"


def table_of_rows(rows, batch_rows=1000):
    """Return rows as a table whose batches have dictionaries of their own."""
    names = ["customer_id", *CONSTANT, *POOLS, "expires_on"]
    schema = pa.schema([INSTRUMENTS.field(name) for name in names])
    full = [{**CONSTANT, **row, "expires_on": value_of(row, "expires_on")} for row in rows]
    parts = [
        pa.Table.from_pylist(full[at : at + batch_rows], schema)
        for at in range(0, len(full), batch_rows)
    ]
    return pa.concat_tables(parts) if parts else schema.empty_table()


def counted(rows, by, as_of=AS_OF):
    """Return cards and distinct customers by the values of some columns, by counting rows."""
    groups = {}
    for row in rows:
        key = tuple(value_of(row, name, as_of) for name in by)
        cards, customers = groups.get(key, (0, frozenset()))
        groups[key] = (cards + 1, customers | {row["customer_id"]})
    return {key: (cards, len(customers)) for key, (cards, customers) in groups.items()}


def as_dict(table, by):
    """Return a table of counts as `counted` does."""
    return {
        tuple(row[name] for name in by): (row["cards"], row["customers"])
        for row in table.to_pylist()
    }


def rows_of_cards(max_size=40):
    one = st.fixed_dictionaries(
        {
            "customer_id": st.sampled_from([f"c{n}" for n in range(6)]),
            **{name: st.sampled_from(pool) for name, pool in POOLS.items()},
        }
    )
    return st.lists(one, max_size=max_size)


def dimensions():
    return st.lists(st.sampled_from([*POOLS, *DERIVED, "api_version"]), max_size=3, unique=True)


def _membership(drawn):
    name, chosen = drawn
    chosen = tuple(dict.fromkeys(chosen))

    def plain(row):
        value = value_of(row, name)
        if value is None:
            return True if None in chosen else None
        return value in chosen

    return IsIn(name, chosen), plain


def _comparison(drawn):
    name, operator, wanted = drawn

    def plain(row):
        value = value_of(row, name)
        if value is None:
            return None
        return {
            "<": value < wanted,
            "<=": value <= wanted,
            ">": value > wanted,
            ">=": value >= wanted,
        }[operator]

    return Compare(name, operator, wanted), plain


def _members(name):
    offered = {
        "bank": [*{BANKS.canonical(bank) for bank in POOLS["card_bank"]} - {None}, None],
        "expiry": ["2026-11", "2027-01", "2028-02", None],
        "expires_in": ["expired", "0-30 days", "31-60 days", "61-90 days", "later", None],
        "expires_on": [last_day(2026, 11), last_day(2028, 2), None],
    }
    values = sorted(offered.get(name) or POOLS[name], key=str)
    return st.tuples(st.just(name), st.lists(st.sampled_from(values), min_size=1, max_size=3))


def _joined(parts, form, decisive):
    predicates, plains = zip(*parts, strict=True)

    def plain(row):
        truths = [one(row) for one in plains]
        if decisive in truths:
            return decisive
        return None if None in truths else not decisive

    return form(predicates), plain


def _negated(part):
    predicate, plain = part

    def negation(row):
        truth = plain(row)
        return None if truth is None else not truth

    return Not(predicate), negation


def conditions():
    """Conditions with a plain function each that decides them for a row."""
    operators = st.sampled_from(["<", "<=", ">", ">="])
    simple = st.one_of(
        st.sampled_from([*POOLS, *DERIVED]).flatmap(_members).map(_membership),
        st.tuples(
            st.just("expires_on"),
            operators,
            st.dates(date(2026, 1, 1), date(2029, 1, 1)) | st.just(AS_OF),
        ).map(_comparison),
        st.tuples(st.just("expiry_year"), operators, st.integers(2025, 2029)).map(_comparison),
    )
    return st.recursive(
        simple,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda p: _joined(p, All, False)),
            st.lists(inner, min_size=1, max_size=3).map(lambda p: _joined(p, AnyOf, True)),
            inner.map(_negated),
        ),
        max_leaves=5,
    )
