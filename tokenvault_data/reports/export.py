"""Tables out of the toolkit, as CSV or Parquet, and back in again, equal."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.errors import TokenVaultError, UsageError
from tokenvault_data.local_paths import local_path
from tokenvault_data.reports.policies import export_policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, datetime
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.frames import ArrowStream
    from tokenvault_data.reports.policies import ExportPolicy, Policy

BATCH_ROWS: Final = 65_536
"""Rows in memory at once while exporting."""


def export(
    source: ArrowStream,
    path: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    policy: Policy = "full",
    as_of: date | datetime | str | None = None,
    banks: BankNames | None = None,
) -> Path:
    """Write a table or snapshot to a CSV or Parquet file, in bounded memory.

    An existing file is replaced, but only by a whole one: the rows are written beside it first.

    Parameters
    ----------
    source : object with ``__arrow_c_stream__``
        A snapshot, an Arrow table, a pandas or Polars DataFrame, a DuckDB relation.
    path : str or path
        Where to; ``.csv`` or ``.parquet`` decides the form. In CSV, text that a spreadsheet would
        run as a formula gets an apostrophe in front, which `read_export` takes away again.
    columns : sequence of str, optional
        Which columns, in this order; all that the policy lets out by default. Those of a snapshot
        are the ones of its files, and behind them the derived ones: ``bank``, ``expiry`` and
        ``expires_in``. A Parquet file says in the description of each that it is derived, and as
        of which day.
    policy : {"full", "masked", "minimal"}
        What of a card may leave; see `tokenvault_data.reports.policies`.
    as_of : date, datetime or str, optional
        The day that ``expires_in`` of a snapshot's cards counts from; today in India when not
        given.
    banks : BankNames, optional
        Names of banks in ``bank`` of a snapshot's cards; those of the package when not given.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        For other suffixes, sources, policies or unknown columns, and for columns that the policy
        does not let out; nothing was written.
    TokenVaultError
        When the file cannot be written; what was there before is untouched.
    """
    from tokenvault_data.dataset.durable_files import check_folder  # loads Arrow

    path = local_path(path)
    suffix = _suffix(path)
    check_folder(path)
    reader = _rows_of(source, as_of=as_of, banks=banks)
    batches, schema = _open(reader, columns, export_policy(policy))
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with beside.open("xb") as file:
            if suffix == ".csv":
                from tokenvault_data.reports.csv import write_csv

                write_csv(batches, schema, file)
            else:
                _write_parquet(batches, schema, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise TokenVaultError(
            f"{path} was not written ({error.strerror or error}); what was there before is"
            " untouched. Make room, or choose another place."
        ) from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
    return path


def read_export(path: str | os.PathLike[str], schema: pa.Schema | None = None) -> pd.DataFrame:
    """Read a file that `export` wrote, with its types.

    Parquet knows its types. For CSV they are those of `schema`; without one, those of the snapshot
    table whose columns the file has; otherwise every column is text.

    Parameters
    ----------
    path : str or path
        A ``.csv`` or ``.parquet`` file.
    schema : pyarrow.Schema, optional
        Types of CSV columns by name; columns it does not name are text.

    Returns
    -------
    pandas.DataFrame
        With the types of `Snapshot.to_pandas`; ids are displayed masked.

    Raises
    ------
    UsageError
        When there is no such file, or it has another suffix.
    TokenVaultError
        When it cannot be read as what it claims to be.
    """
    import pyarrow as pa

    from tokenvault_data.dataset.frames import to_frame

    path = local_path(path)
    suffix = _suffix(path)
    if not path.is_file():
        raise UsageError(f"Nothing was read: there is no file {path}.")
    if suffix == ".csv":
        from tokenvault_data.reports.csv import column_names, read_csv

        known = _schema_of(column_names(path)) if schema is None else schema
        types = {} if known is None else {field.name: field.type for field in known}
        return to_frame(read_csv(path, types))
    from tokenvault_data.dataset.readers import open_parquet

    try:
        with open_parquet(path) as file:
            return to_frame(file.read())
    except (pa.ArrowException, OSError):
        raise TokenVaultError(f"{path} is not a whole Parquet file; export it again.") from None


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".parquet"}:
        raise UsageError(
            f"An export is a .csv or .parquet file, and {path.name!r} is neither; rename it."
        )
    return suffix


def _rows_of(
    source: ArrowStream, *, as_of: date | datetime | str | None, banks: BankNames | None
) -> pa.RecordBatchReader:
    from tokenvault_data.dataset.snapshots import Snapshot

    if isinstance(source, Snapshot):
        return source.with_derived(as_of=as_of, banks=banks)
    if not hasattr(source, "__arrow_c_stream__"):
        raise UsageError(
            f"Nothing was written: {type(source).__name__} cannot be exported; give a snapshot, a"
            " DataFrame or an Arrow table."
        )
    from tokenvault_data.dataset.frames import read_stream

    return read_stream(source)


def _open(
    reader: pa.RecordBatchReader, columns: Sequence[str] | None, policy: ExportPolicy
) -> tuple[Iterator[pa.RecordBatch], pa.Schema]:
    import pyarrow as pa

    names = reader.schema.names
    wanted = policy.columns(reader.schema) if columns is None else list(columns)
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise UsageError(
            f"Nothing was written: there is no column {', '.join(map(repr, unknown))}; known are"
            f" {', '.join(names)}."
        )
    if not wanted or len(set(wanted)) < len(wanted) or any(names.count(n) > 1 for n in wanted):
        raise UsageError(
            "Nothing was written: an export needs at least one column, and each only once."
        )
    policy.check(wanted)
    fields = [reader.schema.field(name) for name in wanted]
    schema = policy.schema(pa.schema(fields, metadata=reader.schema.metadata))
    return _sliced(reader, wanted, policy), schema


def _sliced(
    reader: pa.RecordBatchReader, wanted: list[str], policy: ExportPolicy
) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        chosen = batch.select(wanted)
        for start in range(0, chosen.num_rows, BATCH_ROWS):
            yield policy.apply(chosen.slice(start, BATCH_ROWS))


def _write_parquet(batches: Iterator[pa.RecordBatch], schema: pa.Schema, file: Any) -> None:
    import pyarrow.parquet as pq

    from tokenvault_data.dataset.schema import WRITTEN_KEY

    # So that a reader of lists takes every id as it stands, as `guard_ids` does it in CSV.
    schema = schema.with_metadata({**(schema.metadata or {}), WRITTEN_KEY: b"1"})
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)


def _schema_of(names: Sequence[str]) -> pa.Schema | None:
    """Return the schema that has all these columns, if a table of a snapshot has."""
    from tokenvault_data.dataset.derived_dimensions import derived_schema
    from tokenvault_data.dataset.schema import INSTRUMENTS, OUTCOMES

    for schema in (derived_schema(INSTRUMENTS), OUTCOMES):
        if set(names) <= set(schema.names):
            return schema
    return None
