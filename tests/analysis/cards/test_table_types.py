"""A table from outside gives the answers of its snapshot, or a refusal that names the column."""

import csv
import io
from datetime import UTC, date, datetime
from functools import cache

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from analysis_cases import card, publish

import tokenvault_data as tv
from tokenvault_data.analysis.cards.source import open_source
from tokenvault_data.analysis.changes.compare import compare
from tokenvault_data.analysis.cube.cube import cube_of
from tokenvault_data.analysis.expiry import expired_but_active, expiry_calendar, expiry_outlook
from tokenvault_data.analysis.identity import identity_members
from tokenvault_data.analysis.outreach import (
    customer_outlook,
    customers_at_risk,
    customers_without_usable_card,
)
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.errors import UsageError

AS_OF = "2026-11-22"
EXPIRIES = ("2026-10", "2026-12", "2027-01", "2028-02", None)
NEEDED = ("customer_id", "instrument_id", "instrument_status", "expires_on")


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    vault = {
        f"customer-{number:03}": [
            card(
                f"card-number-{number:03}-{place}",
                card_bank_name=("HDFC BANK", "ICICI Bank", None)[(number + place) % 3],
                instrument_display=f"XXXXXXXXXXXX{(number * 7 + place) % 10_000:04}",
                instrument_uid=f"uid-{number % 25}-{place}",
                par=f"par-{number % 20}",
                created_at=f"2023-11-{1 + number % 28:02}T04:55:07.{number:03}+00:00",
                **({"expires": expires} if expires else {"card_token_details": None}),
            )
            for place in range(number % 4)
            for expires in [EXPIRIES[(number + place) % 5]]
        ]
        for number in range(40)
    }
    return publish(tmp_path_factory.mktemp("outside"), vault)


def as_csv(snapshot):
    """The cards as a program of its own writes them, which knows neither pandas nor Arrow."""
    rows = snapshot.to_arrow().to_pylist()
    written = io.StringIO()
    writer = csv.DictWriter(written, INSTRUMENTS.names)
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def from_duckdb(snapshot, tmp_path):
    file = tmp_path / "cards.csv"
    file.write_text(as_csv(snapshot))
    with duckdb.connect() as connection:
        return connection.sql(f"SELECT * FROM read_csv('{file}')").to_arrow_table()


def with_objects(snapshot, _):
    """Days and instants as Python's own, text as categories."""
    frame = pd.DataFrame(snapshot.to_arrow().to_pylist())
    for name in ("card_network", "card_bank", "customer_id", "last_four"):
        frame[name] = frame[name].astype("category")
    return frame.astype({"expires_on": "object", "created_at": "object"})


def excel_like(snapshot, _):
    """Instants without their zone, numbers with a fraction of nothing."""
    frame = pd.DataFrame(snapshot.to_arrow().to_pylist())
    frame["created_at"] = pd.to_datetime(frame["created_at"]).dt.tz_localize(None)
    frame["expires_on"] = pd.to_datetime(frame["expires_on"])
    frame["last_four"] = frame["last_four"].astype("float64")
    return frame


OUTSIDE = {
    "pandas": lambda snapshot, _: pd.read_csv(io.StringIO(as_csv(snapshot))),
    "pandas to_csv": lambda snapshot, _: pd.read_csv(
        io.StringIO(snapshot.to_pandas(as_of=AS_OF).to_csv(index=False))
    ),
    "pandas all text": lambda snapshot, _: pd.read_csv(
        io.StringIO(as_csv(snapshot)), dtype=str, index_col=None
    ),
    "pandas on arrow": lambda snapshot, _: pd.read_csv(
        io.StringIO(as_csv(snapshot)), dtype_backend="pyarrow"
    ),
    "polars": lambda snapshot, _: pl.read_csv(as_csv(snapshot).encode()),
    "polars dates": lambda snapshot, _: pl.read_csv(
        as_csv(snapshot).encode(), try_parse_dates=True
    ),
    "duckdb": from_duckdb,
    "objects": with_objects,
    "excel": excel_like,
}

ANALYSES = {
    "breakdown": lambda cards: tv.breakdown(cards, by=["bank", "expires_in"], as_of=AS_OF),
    "where": lambda cards: tv.breakdown(
        cards, by="expiry", where=["expires_on<2027-01-15", "card_type=debit"], as_of=AS_OF
    ),
    "expiring": lambda cards: tv.expiring(cards, within="90D", as_of=AS_OF),
    "expiry_outlook": lambda cards: expiry_outlook(cards, as_of=AS_OF),
    "expired_but_active": lambda cards: expired_but_active(cards, as_of=AS_OF),
    "expiry_calendar": lambda cards: expiry_calendar(cards, as_of=AS_OF),
    "customer_outlook": lambda cards: customer_outlook(cards, as_of=AS_OF),
    "customers_at_risk": lambda cards: customers_at_risk(cards, as_of=AS_OF),
    "customers_without_usable_card": lambda cards: customers_without_usable_card(
        cards, as_of=AS_OF
    ),
    "identity": tv.identity,
    "identity_members": identity_members,
    "quality": lambda cards: tv.quality(cards, as_of=AS_OF),
}


@pytest.fixture(scope="module")
def outside(snapshot, tmp_path_factory):
    """What a program makes of the cards, by its name; made once."""
    return cache(lambda program: OUTSIDE[program](snapshot, tmp_path_factory.mktemp("table")))


@pytest.fixture(scope="module")
def ours(snapshot):
    """What an analysis says of the snapshot's own rows, by its name; asked once."""
    return cache(lambda analysis: rows_of(ANALYSES[analysis](snapshot.to_arrow())))


def rows_of(result):
    return result.arrow().to_pylist()


@pytest.mark.parametrize("program", OUTSIDE)
def test_every_column_has_the_types_and_values_of_the_schema(snapshot, outside, program):
    """No analysis meets another type than the schema gives a column, nor another value, but where
    a program read a number or an instant from text that was kept as received.
    """
    opened, rows = open_source(outside(program)).table, snapshot.to_arrow()
    names = INSTRUMENTS.names
    assert [opened.schema.field(name).type for name in names] == INSTRUMENTS.types
    differing = {
        name for name in names if opened.column(name).to_pylist() != rows.column(name).to_pylist()
    }
    assert differing <= {"expiry_month_received", "created_at_received"}


@pytest.mark.parametrize(
    ("program", "analysis"),
    # A program meets two or three analyses, and an analysis two programs.
    sorted(
        {
            (programs[place % len(programs)], analysis)
            for programs in [list(OUTSIDE)]
            for at, analysis in enumerate(ANALYSES)
            for place in (at, at + 4)
        }
    ),
)
def test_the_answer_is_that_of_the_schemas_types(outside, ours, program, analysis):
    """Whatever types another program gave the columns, the figures are the same."""
    assert rows_of(ANALYSES[analysis](outside(program))) == ours(analysis)


@pytest.mark.parametrize("program", OUTSIDE)
def test_quality_and_the_cube_are_those_of_the_schemas_types(snapshot, outside, ours, program):
    """Checks of a table from outside find what they find in the snapshot's own rows."""
    assert rows_of(ANALYSES["quality"](outside(program))) == ours("quality")
    assert cube_of(outside(program)).cells.count == cube_of(snapshot.to_arrow()).cells.count


@pytest.mark.parametrize("program", OUTSIDE)
def test_the_same_cards_from_outside_are_no_change(snapshot, outside, program):
    """Types of another program are no events, and no reason to ask for another account."""
    no_change(snapshot, outside(program))


def test_the_same_cards_from_outside_were_no_others(snapshot, outside):
    """It makes no difference whether they are the older ones, or stand beside rows of a table."""
    no_change(outside("pandas"), snapshot.to_arrow())
    no_change(outside("excel"), snapshot.to_arrow())


def no_change(old, new):
    compared = compare(old, new)
    assert not len(compared.events)
    assert not any("account" in note for note in compared.events.notes)


def test_a_report_of_a_table_that_read_csv_made_is_written(snapshot, tmp_path):
    """The page is made of the same door's rows as the analyses."""
    cards = OUTSIDE["pandas"](snapshot, None)
    tv.report(cards, tmp_path / "cards.html", as_of=AS_OF)
    assert (tmp_path / "cards.html").stat().st_size


@pytest.mark.parametrize("name", INSTRUMENTS.names)
def test_a_column_of_something_else_is_refused_by_its_name(snapshot, name):
    """Lists, truth values and fractions are in no column; none of them is a traceback."""
    table = snapshot.to_arrow()
    place = table.schema.get_field_index(name)
    for value in ([1], True, 1.5, b"\xff"):
        odd = table.set_column(place, name, pa.array([value] * len(table)))
        with pytest.raises(UsageError, match=rf"column {name} of the table.*read_export"):
            tv.expiring(odd, within="90D", as_of=AS_OF)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("expires_on", "31.12.2026"),
        ("expires_on", "2026-02-30"),
        ("expires_on", "2026-12-31 10:00:00"),
        ("expires_on", datetime(2026, 12, 31, 10, tzinfo=UTC)),
        ("expires_on", 20261231),
        ("created_at", "yesterday"),
        ("created_at", "2026-01-01"),
        ("created_at", date(2026, 1, 1)),
        ("expiry_month", "Dec"),
        ("expiry_month", 300),
        ("expiry_year", "20 28"),
        ("list_position", 1.25),
        ("card_bank", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_value_that_is_none_of_its_column_is_refused_by_name(snapshot, name, value):
    """What cannot be read with certainty is not guessed."""
    table = snapshot.to_arrow()
    odd = table.set_column(table.schema.get_field_index(name), name, pa.array([value] * len(table)))
    with pytest.raises(UsageError, match=f"column {name} of the table"):
        tv.quality(odd, as_of=AS_OF)


def test_the_infinite_day_of_sql_is_refused():
    """A day that no calendar of Python holds is named, not an overflow."""
    rows = duckdb.sql(
        "SELECT 'c' AS customer_id, 'i' AS instrument_id, 'ACTIVE' AS instrument_status,"
        " 'infinity'::DATE AS expires_on"
    )
    with pytest.raises(UsageError, match="column expires_on"):
        tv.expiring(rows, within="90D", as_of=AS_OF)


def test_mixed_values_and_two_columns_of_one_name_are_refused_by_name(snapshot):
    """A column that pandas itself could not type says which it is."""
    frame = snapshot.to_pandas(as_of=AS_OF)
    mixed = frame.astype({"last_four": "object"})
    mixed.loc[0, "last_four"] = 42
    with pytest.raises(UsageError, match="its column last_four holds values of several types"):
        tv.quality(mixed)
    twice = pa.table([*snapshot.to_arrow().columns] * 2, names=INSTRUMENTS.names * 2)
    with pytest.raises(UsageError, match="2 columns called customer_id"):
        tv.quality(twice)
    with pytest.raises(UsageError, match="cannot be read as a table"):
        tv.quality(pa.chunked_array([[1, 2]]))


def test_columns_may_be_empty_or_missing_altogether(snapshot):
    """Null all through, blank text and no rows are every column's."""
    table = snapshot.to_arrow()
    for name in set(INSTRUMENTS.names) - set(NEEDED):
        place = table.schema.get_field_index(name)
        for kind in (pa.null(), pa.float64()):
            empty = table.set_column(place, name, pa.nulls(len(table), kind))
            assert open_source(empty).table.column(name).null_count == len(table)
    blank = pd.DataFrame(dict.fromkeys(INSTRUMENTS.names, [""] * 2))
    assert open_source(blank).table.column("expires_on").null_count == 2
    assert len(tv.expiring(blank.iloc[:0], within="90D", as_of=AS_OF)) == 0
