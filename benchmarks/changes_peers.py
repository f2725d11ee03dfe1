"""Ways to compare two snapshots: `python -m benchmarks.changes_peers NAME STORE OLD NEW`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.children import Stopwatch, peak_memory_mb

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

Counts = dict[str, int]

_KEY = ("customer_id", "instrument_id")
_FEW = ("card_bank",)
_ALL = (
    *("card_bank", "card_network", "card_type", "card_sub_type", "card_country"),
    *("last_four", "par", "instrument_uid", "created_at"),
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("store", type=Path)
    parser.add_argument("old")
    parser.add_argument("new")
    given = parser.parse_args()
    measure = PEERS[given.name](given.store, given.old, given.new)  # imports what it needs
    watch = Stopwatch()
    counts = measure()
    wall, cpu = watch.read()
    figures = {"seconds": wall, "cpu_seconds": cpu, "peak_mb": peak_memory_mb()}
    print(json.dumps({**figures, "counts": counts}))


def ours(store: Path, old: str, new: str) -> Callable[[], Counts]:
    """All events, the summary, and who is unknown; every compared column."""
    from tokenvault_data.analysis.changes.compare import compare
    from tokenvault_data.dataset.snapshots import open_snapshot

    def measure() -> Counts:
        before, after = (open_snapshot(store, name, verify="quick") for name in (old, new))
        lines = compare(before, after).summary.arrow().select(["what", "cards"]).to_pylist()
        cards = {line["what"]: line["cards"] for line in lines}
        return {
            "only_old": cards["gone"] + cards["replaced"] + cards["unknown_old"],
            "only_new": cards["added"] + cards["replaced"] + cards["unknown_new"],
            "status": cards["status_changed"],
            "expiry": cards["renewed"] + cards["expiry_changed"],
            "details": cards["details_changed"],
        }

    return measure


def duckdb_join(
    store: Path, old: str, new: str, details: tuple[str, ...] = _ALL
) -> Callable[[], Counts]:
    """A full join on the key, counts only; every compared column, or with `_FEW` one detail."""
    import duckdb

    both = "o.customer_id IS NOT NULL AND n.customer_id IS NOT NULL"
    differ = " OR ".join(f"o.{name} != n.{name}" for name in details)

    def measure() -> Counts:
        with duckdb.connect() as connection:
            connection.execute("SET preserve_insertion_order = false")
            files = (f"'{store}/snapshots/{name}/instruments/*.parquet'" for name in (old, new))
            row = connection.execute(f"""
                SELECT count(*) FILTER (n.customer_id IS NULL) AS only_old,
                    count(*) FILTER (o.customer_id IS NULL) AS only_new,
                    count(*) FILTER ({both}
                        AND o.instrument_status IS DISTINCT FROM n.instrument_status) AS status,
                    count(*) FILTER ({both}
                        AND o.expires_on IS DISTINCT FROM n.expires_on) AS expiry,
                    count(*) FILTER ({differ}) AS details
                FROM read_parquet({next(files)}) AS o FULL JOIN read_parquet({next(files)}) AS n
                USING (customer_id, instrument_id)
            """).fetchone()
        assert row is not None
        return dict(zip(("only_old", "only_new", "status", "expiry", "details"), row, strict=True))

    return measure


def duckdb_join_rows(store: Path, old: str, new: str) -> Callable[[], Counts]:
    """A full join that gives the differing rows: the columns of our events, sorted as they are.

    It knows nothing of replaced cards, of customers that were not fetched or of names of banks.
    """
    import duckdb
    import pyarrow.compute as pc

    both = "o.customer_id IS NOT NULL AND n.customer_id IS NOT NULL"
    changed = ", ".join(f"CASE WHEN o.{name} != n.{name} THEN '{name}' END" for name in _ALL)
    details = " OR ".join(f"o.{name} != n.{name}" for name in _ALL)
    shown = ", ".join(
        f"coalesce(n.{name}, o.{name}) AS {name}"
        for name in (*_KEY, "card_network", "card_bank", "card_type", "last_four")
    )

    def measure() -> Counts:
        with duckdb.connect() as connection:
            connection.execute("SET preserve_insertion_order = false")
            files = (f"'{store}/snapshots/{name}/instruments/*.parquet'" for name in (old, new))
            rows = connection.sql(f"""
                SELECT * FROM (
                    SELECT {shown},
                        n.customer_id IS NULL AS only_old, o.customer_id IS NULL AS only_new,
                        {both} AND o.instrument_status IS DISTINCT FROM n.instrument_status
                            AS status,
                        {both} AND o.expires_on IS DISTINCT FROM n.expires_on AS expiry,
                        coalesce({details}, false) AS details,
                        CASE WHEN {details} THEN concat_ws(', ', {changed}) END AS changed,
                        o.instrument_status AS old_status, n.instrument_status AS new_status,
                        o.expires_on AS old_expires_on, n.expires_on AS new_expires_on,
                        o.fetched_at AS old_fetched_at, n.fetched_at AS new_fetched_at
                    FROM read_parquet({next(files)}) AS o
                    FULL JOIN read_parquet({next(files)}) AS n
                        ON o.customer_id = n.customer_id AND o.instrument_id = n.instrument_id
                )
                WHERE only_old OR only_new OR status OR expiry OR details
                ORDER BY only_old, only_new, customer_id, instrument_id
            """).to_arrow_table()
        names = ("only_old", "only_new", "status", "expiry", "details")
        return {name: pc.sum(rows[name]).as_py() for name in names}

    return measure


def duckdb_join_few(store: Path, old: str, new: str) -> Callable[[], Counts]:
    return duckdb_join(store, old, new, _FEW)


def pandas_merge(store: Path, old: str, new: str) -> Callable[[], Counts]:
    """An outer merge on the key; every compared column but the longest, to spare it memory."""
    import pandas as pd

    def measure() -> Counts:
        details = [name for name in _ALL if name != "instrument_uid"]
        columns = [*_KEY, "instrument_status", "expires_on", *details]
        frames: list[pd.DataFrame] = [
            pd.read_parquet(store / "snapshots" / name / "instruments", columns=columns)
            for name in (old, new)
        ]
        for name in columns:
            if not isinstance(frames[0][name].dtype, pd.CategoricalDtype):
                continue
            known = frames[0][name].cat.categories.union(frames[1][name].cat.categories)
            for frame in frames:
                frame[name] = frame[name].cat.set_categories(known)
        merged = frames[0].merge(
            frames[1], how="outer", on=list(_KEY), suffixes=("_old", "_new"), indicator=True
        )
        both = merged["_merge"] == "both"

        def differ(name: str) -> pd.Series[bool]:
            before, after = merged[f"{name}_old"], merged[f"{name}_new"]
            return both & (before != after) & ~(before.isna() & after.isna())

        of_details = both & False
        for name in details:
            known = merged[f"{name}_old"].notna() & merged[f"{name}_new"].notna()
            of_details |= differ(name) & known
        return {
            "only_old": int((merged["_merge"] == "left_only").sum()),
            "only_new": int((merged["_merge"] == "right_only").sum()),
            "status": int(differ("instrument_status").sum()),
            "expiry": int(differ("expires_on").sum()),
            "details": int(of_details.sum()),
        }

    return measure


PEERS: dict[str, Callable[[Path, str, str], Callable[[], Counts]]] = {
    "ours": ours,
    "duckdb_join": duckdb_join,
    "duckdb_join_rows": duckdb_join_rows,
    "duckdb_join_few": duckdb_join_few,
    "pandas_merge": pandas_merge,
}

if __name__ == "__main__":
    main()
