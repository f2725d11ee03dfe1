"""The runs of a store: making one, opening one, and finding one to go on with."""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tokenvault_data.collection.run import Run, RunFacts, customers_schema
from tokenvault_data.dataset.durable_files import write_bytes, write_parquet
from tokenvault_data.errors import CollectionError, UsageError
from tokenvault_data.folders import named

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

FORMAT = 1
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]+")
RESUMABLE_FOR = timedelta(days=7)  # a week is a million customers at a hundred a minute


def create_run(store: Path, facts: RunFacts, customers: pa.Array) -> Run:
    """Lay out a new run; it exists once its ``run.json`` does.

    Raises
    ------
    CollectionError
        The store cannot be written to.
    """
    import pyarrow as pa

    started_at = datetime.now(UTC)
    run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    path = store / "runs" / run_id
    table = pa.table([customers.cast(pa.string())], schema=customers_schema())
    content = {"format": FORMAT, "started_at": started_at.isoformat(), **asdict(facts)}
    try:
        (path / "parts").mkdir(parents=True)
        write_parquet(path / "customers.parquet", table)
        write_bytes(path / "run.json", json.dumps(content, indent=2).encode())
    except OSError as error:
        raise CollectionError(
            f"the collection could not be laid out in {store} ({error.strerror or error}); nothing"
            " was sent. Make room or check the disk, or name another store"
        ) from error
    return Run(path, facts, started_at)


def open_run(store: Path, run_id: str) -> Run:
    """Open a run by its id.

    Raises
    ------
    UsageError
        There is no such run in the store.
    CollectionError
        Its folder was damaged, or written by a newer version.
    """
    path = store / "runs" / run_id
    if "/" in run_id or "\\" in run_id or not (path / "run.json").is_file():
        known = ", ".join(run.run_id for run in list_runs(store)) or "none"
        raise UsageError(f"there is no run {run_id!r} in {store}; runs there: {known}")
    return _load(path)


def list_runs(store: Path) -> list[Run]:
    """All runs of a store that can be read, newest first."""
    runs = []
    for path in named(store / "runs", _RUN_ID):
        if not (path / "run.json").is_file():
            continue
        try:
            runs.append(_load(path))
        except CollectionError:
            continue  # opening it by name says what is wrong with it
    # Not by their ids, which are the same second's in any order.
    return sorted(runs, key=lambda run: run.started_at, reverse=True)


def find_resumable(store: Path, facts: RunFacts) -> Run | None:
    """The newest unfinished run of the same list for the same account, if it is recent enough.

    A run that was published, with failures perhaps, is finished: to retry its failures is a
    decision, because the next collection of the same list is more often meant to be a new one.

    Raises
    ------
    CollectionError
        There is one, and it was damaged.
    """
    for run in list_runs(store):
        recent = datetime.now(UTC) - run.last_active_at() <= RESUMABLE_FOR
        if run.facts == facts and recent and not run.is_finished:
            return run
    return None


def _load(path: Path) -> Run:
    try:
        content: dict[str, Any] = json.loads((path / "run.json").read_bytes())
        version = content.pop("format")
        started_at = datetime.fromisoformat(content.pop("started_at")).astimezone(UTC)
        content["list_notices"] = tuple(map(str, content.get("list_notices", ())))
        facts = RunFacts(**{**content, "requested": int(content["requested"])})
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CollectionError(
            f"run {path.name} cannot be read ({error}); it was left as it is."
            " Start the collection anew with --fresh"
        ) from error
    if version != FORMAT:
        raise CollectionError(
            f"run {path.name} was written by another version of the toolkit; it was left as it is."
            " Finish it with that version, or start anew with --fresh"
        )
    return Run(path, facts, started_at)
