"""One vault, all contestants in turn on the same filters; prints one line of JSON.

pandas gets categories and, as ours does, decides a filter only when it changes: its six groupbys
are what is left. The numpy peer adds up all cells of our cube at each change.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.breakdowns_cards import BARS, MONTHS, make_cards, make_steps, month_name
from benchmarks.children import Stopwatch, peak_memory_mb
from tokenvault_data.analysis.cube.crossfilter import CrossFilter
from tokenvault_data.analysis.cube.cube import Cube, cube_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    Filters = dict[str, np.ndarray]
    Change = Callable[[str, object], None]
    Count = Callable[[], dict[str, np.ndarray]]

STEPS = 60
_ALL_MONTHS = [month_name(place) for place in range(MONTHS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cards", type=int)
    parser.add_argument("kind", choices=("independent", "correlated"))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()

    table = make_cards(given.cards, given.seed, correlated=given.kind == "correlated")
    gc.collect()
    before_mb = peak_memory_mb()
    watch = Stopwatch()
    cube = cube_of(table)
    build_s, build_cpu_s = watch.read()
    build_peak_mb = peak_memory_mb() - before_mb
    begun = time.perf_counter()
    bars = CrossFilter(cube, BARS)
    bars_s = time.perf_counter() - begun
    customers = _customers_ms(cube)

    frame = _frame(table)
    del table
    gc.collect()
    ours: dict[str, Any] = {
        "ours": (bars.set, lambda: {n: c for n, (_, c) in bars.counts().items()})
    }
    contestants = ours | {"numpy": _numpy(cube), "pandas": _pandas(frame)}
    steps = list(make_steps(STEPS, given.seed))
    expected: list[dict[str, np.ndarray]] = []
    timings = {}
    for name, (change, count) in contestants.items():
        count()
        taken = []
        for place, step in enumerate(steps):
            begun = time.perf_counter()
            change(*step)
            found = count()
            taken.append((time.perf_counter() - begun) * 1e3)
            if name == "ours":
                expected.append({bar: counts.copy() for bar, counts in found.items()})
            elif any(not np.array_equal(found[bar], expected[place][bar]) for bar in BARS):
                raise SystemExit(f"{name} and ours differ at step {place}: {step}")
        timings[name] = {
            "p50_ms": round(float(np.percentile(taken, 50)), 3),
            "p95_ms": round(float(np.percentile(taken, 95)), 3),
        }
    print(
        json.dumps(
            {
                "cards": given.cards,
                "kind": given.kind,
                "cells": cube.cells.count,
                "build_s": round(build_s + bars_s, 2),
                "build_cpu_s": round(build_cpu_s, 2),
                "bars_s": round(bars_s, 2),
                "build_peak_mb": round(build_peak_mb),
                "cells_mb": round(cube.cells.size_bytes / 1e6, 1),
                "customers_ms": customers,
                "timings": timings,
            }
        )
    )


def _customers_ms(cube: Cube) -> float:
    """Return how long a breakdown by bank with distinct customers takes."""
    begun = time.perf_counter()
    cube.counts(["card_bank"])
    return round((time.perf_counter() - begun) * 1e3, 1)


def _frame(table: pa.Table) -> pd.DataFrame:
    """Return the six columns as categories in the order of our bars; missing is one of them."""
    columns = {}
    for name in BARS[:-1]:
        column = table[name].combine_chunks()
        names = column.dictionary.to_pylist()
        codes = column.indices.fill_null(-1).to_numpy()
        known = sorted(set(names) - {""})
        place = np.array([known.index(n) if n else 0 for n in names] + [len(known)], np.int8)
        missing = ["(none)"] if column.null_count else []
        columns[name] = pd.Categorical.from_codes(place[codes], [*known, *missing])
    year, month = (table[name].fill_null(0).to_numpy() for name in ("expiry_year", "expiry_month"))
    months = (year.astype(np.int32) - int(_ALL_MONTHS[0][:4])) * 12 + month - 1
    months = np.where(year == 0, MONTHS, months).astype(np.int8)
    columns["expiry"] = pd.Categorical.from_codes(months, [*_ALL_MONTHS, "(none)"])
    return pd.DataFrame(columns)


def _passing(categories: list[str], wanted: object) -> np.ndarray:
    if isinstance(wanted, tuple):
        return np.array(
            [name != "(none)" and wanted[0] <= name <= wanted[1] for name in categories]
        )
    chosen = {"(none)" if value is None else value for value in wanted}  # type: ignore[attr-defined]
    return np.array([name in chosen for name in categories])


def _pandas(frame: pd.DataFrame) -> tuple[Change, Count]:
    passing: Filters = {}

    def change(name: str, wanted: object) -> None:
        passing.pop(name, None)
        if wanted is not None:
            column = frame[name].cat
            passing[name] = _passing(list(column.categories), wanted)[column.codes.to_numpy()]

    def count() -> dict[str, np.ndarray]:
        found = {}
        for name in BARS:
            others = [mask for other, mask in passing.items() if other != name]
            column = frame[name]
            if others:
                column = column[np.logical_and.reduce(others)]
            found[name] = column.groupby(column, observed=False).size().to_numpy()
        return found

    return change, count


def _numpy(cube: Cube) -> tuple[Change, Count]:
    coded = {name: cube.coded(name) for name in BARS}
    cards = cube.cells.cards.astype(np.float64)
    values = {name: ["(none)", *one.values.to_pylist()] for name, one in coded.items()}
    passing: Filters = {}

    def change(name: str, wanted: object) -> None:
        passing.pop(name, None)
        if wanted is not None:
            passing[name] = _passing(values[name], wanted)[coded[name].codes]

    def count() -> dict[str, np.ndarray]:
        found = {}
        for name in BARS:
            others = [mask for other, mask in passing.items() if other != name]
            codes, weights = coded[name].codes, cards
            if others:
                chosen = np.flatnonzero(np.logical_and.reduce(others))
                codes, weights = codes[chosen], cards[chosen]
            bars = np.bincount(codes, weights, minlength=len(values[name])).astype(np.int64)
            found[name] = np.roll(bars, -1) if (coded[name].codes == 0).any() else bars[1:]
        return found

    return change, count


if __name__ == "__main__":
    main()
