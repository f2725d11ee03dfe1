"""Columns that follow from another: the bank of a spelling, the month and bucket of a day.

No file of a snapshot holds them: they are computed when cards are read, by `derive` alone,
whether the reader is pandas, SQL, an export, a filter or a breakdown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from tokenvault_data.dataset.schema import CATEGORY, Column

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    import duckdb

    from tokenvault_data.dataset.bank_names import BankNames

_ANY_DAY: Final = "a day (today in India unless given)"

DERIVED_COLUMNS: Final = (
    Column("bank", CATEGORY, "Derived from card_bank: one name for all spellings of a bank."),
    Column("expiry", CATEGORY, "Derived from expires_on: its month, `YYYY-MM`."),
    Column(
        "expires_in",
        CATEGORY,
        f"Derived from expires_on, as of {_ANY_DAY}: `expired`, `0-30 days`, `31-60 days`,"
        " `61-90 days` or `later`.",
    ),
)
"""What readers add to the columns of the instruments; null where the column they follow from is."""

DERIVED: Final = {"bank": "card_bank", "expiry": "expires_on", "expires_in": "expires_on"}
"""Derived dimensions with the column each follows from."""

EXPIRES_IN: Final = ("expired", "0-30 days", "31-60 days", "61-90 days", "later")
"""Buckets of days until a card's last day, soonest first; unknown expiry is in none of them."""

TIME_ORDERED: Final = frozenset(
    {"expiry", "expires_on", "expires_in", "expiry_year", "expiry_month"}
)
"""Dimensions whose values are in order of time."""


def expiry_month_text(expires_on: date) -> str:
    """Return the month of a day as text.

    >>> from datetime import date
    >>> expiry_month_text(date(2028, 2, 29))
    '2028-02'
    """
    return f"{expires_on.year:04d}-{expires_on.month:02d}"


def expires_in(expires_on: date, as_of: date) -> str:
    """Return the bucket of a card whose last day is `expires_on`, as of a day.

    A card is valid through its last day, so that day itself is in ``0-30 days``.

    >>> from datetime import date
    >>> expires_in(date(2026, 11, 30), date(2026, 11, 30))
    '0-30 days'
    """
    days_left = (expires_on - as_of).days
    if days_left < 0:
        return EXPIRES_IN[0]
    return EXPIRES_IN[min(max(days_left - 1, 0) // 30 + 1, 4)]


def derive(
    dimension: str, values: pa.Array, *, banks: BankNames | None, as_of: date
) -> list[str | None]:
    """Return what follows for a derived dimension from each value of its column.

    Parameters
    ----------
    dimension : str
        One of `DERIVED`.
    values : pyarrow.Array
        Values of the column, none missing.
    banks : BankNames, optional
        Names of banks; those of the package when not given.
    as_of : datetime.date
        The day that buckets are counted from.
    """
    known = values.to_pylist()
    if dimension == "expiry":
        return [expiry_month_text(day) for day in known]
    if dimension == "expires_in":
        return [expires_in(day, as_of) for day in known]
    if banks is None:
        from tokenvault_data.dataset.bank_names import load_bank_names

        banks = load_bank_names()
    return [banks.canonical(spelling) for spelling in known]


def derived_array(
    dimension: str, column: pa.Array | pa.ChunkedArray, *, banks: BankNames | None, as_of: date
) -> pa.ChunkedArray:
    """Return a derived dimension of every row; derived once a distinct value."""
    chunks = []
    for chunk in column.chunks if isinstance(column, pa.ChunkedArray) else [column]:
        coded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        texts = derive(dimension, coded.dictionary, banks=banks, as_of=as_of)
        chunks.append(pa.array(texts, pa.string()).take(coded.indices).cast(CATEGORY))
    return pa.chunked_array(chunks, CATEGORY)


def derived_schema(schema: pa.Schema, as_of: date | None = None) -> pa.Schema:
    """Return a schema with the derived columns behind its own, as far as it has what they need.

    A column that is called like one of them gives way to it. Their descriptions say what they
    follow from, and as of which day where one is given.
    """
    for column in DERIVED_COLUMNS:
        if DERIVED[column.name] not in schema.names:
            continue
        field = column.field()
        if column.name == "expires_in" and as_of is not None:
            said = column.description.replace(_ANY_DAY, as_of.isoformat())
            field = field.with_metadata({b"description": said.encode()})
        if column.name in schema.names:
            schema = schema.remove(schema.get_field_index(column.name))
        schema = schema.append(field)
    return schema


def with_derived(table: pa.Table, *, banks: BankNames | None, as_of: date) -> pa.Table:
    """Return a table of `derived_schema`."""
    schema = derived_schema(table.schema, as_of)
    derived = {name: source for name, source in DERIVED.items() if source in table.column_names}
    columns = [
        derived_array(name, table.column(derived[name]), banks=banks, as_of=as_of)
        if name in derived
        else table.column(name)
        for name in schema.names
    ]
    return pa.table(columns, schema=schema)


def read_for(columns: Collection[str]) -> set[str]:
    """Return the columns of the instruments that some columns are made of."""
    return {DERIVED.get(name, name) for name in columns}


def derived_view(
    connection: duckdb.DuckDBPyConnection,
    view: str,
    columns: Collection[str],
    *,
    banks: BankNames | None,
    as_of: date,
    over: str = "instruments",
    kept: str = "TRUE",
) -> None:
    """Make a view of instruments that has the derived columns as well.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    view : str
        Its name.
    columns : collection of str
        Those of the instruments. One that is called like a derived column gives way to it, unless
        the column to derive it from is not there.
    over : str
        Name of the view of the instruments without them.
    kept : str
        The condition of the rows, in SQL.
    """
    known = {name.casefold() for name in columns}
    selected, joins, replaced = [], [], []
    for name, source in DERIVED.items():
        if source not in known:
            selected += [] if name in known else [f"NULL::VARCHAR AS {name}"]
            continue
        replaced += [name] if name in known else []
        values = connection.sql(
            f"SELECT DISTINCT {source} FROM {over} WHERE {source} IS NOT NULL"  # noqa: S608  names are ours
        ).to_arrow_table()
        texts = derive(name, values.column(0).combine_chunks(), banks=banks, as_of=as_of)
        connection.register(
            f"{name}_of", values.append_column("derived", pa.array(texts, pa.string()))
        )
        joins.append(f"LEFT JOIN {name}_of ON held.{source} = {name}_of.{source}")
        selected.append(f"{name}_of.derived AS {name}")
    left_out = f" EXCLUDE ({', '.join(replaced)})" if replaced else ""
    connection.execute(
        f"CREATE TEMP VIEW {view} AS SELECT * FROM (SELECT "  # noqa: S608  names are ours, the condition is quoted by who made it
        f"{', '.join([f'held.*{left_out}', *selected])} FROM {over} AS held"
        f" {' '.join(joins)}) WHERE {kept}"
    )


def in_order(dimension: str, values: set[str]) -> list[str]:
    """Return the values of a derived dimension in its order: buckets by time, others as text."""
    if dimension == "expires_in":
        return [bucket for bucket in EXPIRES_IN if bucket in values]
    return sorted(values)
