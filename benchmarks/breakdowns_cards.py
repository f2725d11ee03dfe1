"""Vaults for the breakdowns: cards drawn straight into Arrow tables, and filters put to them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator

BARS = ("card_network", "card_bank", "card_type", "card_country", "instrument_status", "expiry")
MONTHS = 120
FIRST_YEAR = 2024
_PRODUCTS = 400
_OFF_PRODUCT = 0.02


@dataclass(frozen=True, slots=True)
class Column:
    """Values of a column and how often each is drawn; None is missing."""

    values: tuple[str | None, ...]
    weights: tuple[float, ...]

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        shares = np.cumsum(self.weights) / sum(self.weights)
        drawn = np.searchsorted(shares, rng.random(count, np.float32))
        return np.minimum(drawn, len(self.values) - 1).astype(np.int8)


def _falling(count: int) -> tuple[float, ...]:
    return tuple((place + 1) ** -0.5 for place in range(count))


COLUMNS = {
    "card_network": Column(
        ("visa", "mastercard", "rupay", "amex", "diners", None), (45, 28, 18, 4, 4, 1)
    ),
    "card_bank": Column((*(f"Bank {n:02d}" for n in range(60)), None), (*_falling(60), 0.05)),
    "card_type": Column(("debit", "credit", "prepaid", None), (52, 38, 9, 1)),
    "card_sub_type": Column(("retail", "premium", "corporate", None), (38, 12, 10, 40)),
    "card_country": Column(
        ("IN", "AE", "US", "GB", "SG", "SA", "QA", "OM", "AU", "CA", "DE", None),
        (700, 50, 45, 35, 30, 30, 25, 25, 20, 20, 15, 5),
    ),
    "instrument_status": Column(("ACTIVE", "INACTIVE", "EXPIRED", "FAILED"), (75, 15, 7, 3)),
}


def month_name(place: int) -> str:
    return f"{FIRST_YEAR + place // 12}-{place % 12 + 1:02d}"


def make_cards(cards: int, seed: int, *, correlated: bool) -> pa.Table:
    """Return a table of instruments as far as a cube reads it.

    With `correlated` columns a card is of one of 400 products, which have their bank, network,
    type and country; one card in fifty is none.
    """
    rng = np.random.default_rng(seed)
    codes = {name: column.draw(rng, cards) for name, column in COLUMNS.items()}
    if correlated:
        product = Column(("",) * _PRODUCTS, _falling(_PRODUCTS))
        shares = np.cumsum(product.weights) / sum(product.weights)
        of_card = np.searchsorted(shares[:-1], rng.random(cards, np.float32)).astype(np.int16)
        off = rng.random(cards, np.float32) < _OFF_PRODUCT
        for name in ("card_network", "card_bank", "card_type", "card_country", "card_sub_type"):
            of_product = COLUMNS[name].draw(rng, _PRODUCTS)
            codes[name] = np.where(off, codes[name], of_product[of_card])
    month = rng.integers(0, MONTHS, cards, dtype=np.int16)
    unknown = rng.random(cards, np.float32) < 0.005
    year, number = FIRST_YEAR + month // 12, month % 12 + 1
    last_days = [_last_day(place) for place in range(MONTHS)]
    columns = {"customer_id": _customers(rng, cards)}
    for name, drawn in codes.items():
        values = COLUMNS[name].values
        missing = drawn == values.index(None) if None in values else None
        indices = pa.array(drawn, mask=missing)
        known = pa.array([value or "" for value in values])
        columns[name] = pa.DictionaryArray.from_arrays(indices, known)
    for name, value in (("instrument_type", "card"), ("api_version", "2025-01-01")):
        columns[name] = pa.DictionaryArray.from_arrays(np.zeros(cards, np.int8), pa.array([value]))
    columns["expiry_year"] = pa.array(year.astype(np.int16), mask=unknown)
    columns["expiry_month"] = pa.array(number.astype(np.int8), mask=unknown)
    columns["expires_on"] = pa.array(last_days, pa.date32()).take(pa.array(month, mask=unknown))
    return pa.table(columns)


def _last_day(place: int) -> date:
    return date(FIRST_YEAR + (place + 1) // 12, (place + 1) % 12 + 1, 1) - timedelta(days=1)


def _customers(rng: np.random.Generator, cards: int) -> pa.Array:
    """Return ids of customers with one to six cards each, in runs."""
    sizes = rng.choice(np.array((1, 1, 2, 2, 3, 4, 6)), cards)
    sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), cards)) + 1]
    numbers = pa.array(rng.permutation(len(sizes))).cast(pa.string())
    ids = pc.binary_join_element_wise("cust_", pc.utf8_lpad(numbers, 8, "0"), "")
    return ids.take(pa.array(np.repeat(np.arange(len(sizes)), sizes)[:cards]))


def make_steps(count: int, seed: int) -> Iterator[tuple[str, object]]:
    """Return changes of filters as somebody makes them who clicks bars and drags over months.

    A filter is a list of values, a tuple of the first and last month, or None for none.
    """
    rng = np.random.default_rng(seed)
    for _ in range(count):
        name = BARS[rng.choice(len(BARS), p=(0.15, 0.2, 0.1, 0.1, 0.1, 0.35))]
        if rng.random() < 0.25:
            yield name, None
        elif name == "expiry":
            first = int(rng.integers(0, MONTHS - 1))
            last = min(first + int(rng.integers(0, 36)), MONTHS - 1)
            yield name, (month_name(first), month_name(last))
        else:
            values = COLUMNS[name].values
            chosen = rng.choice(
                len(values), int(rng.integers(1, max(2, len(values) // 3))), replace=False
            )
            yield name, [values[place] for place in chosen]
