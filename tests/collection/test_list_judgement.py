"""A list is judged as a whole: what is no id is dropped by line, what is unclear is asked for."""

import csv
import hashlib
import io
import re

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data import export, read_export
from tokenvault_data.cleanup.selection.rules import read_pairs
from tokenvault_data.collection.customer_list import read_customers
from tokenvault_data.errors import CustomerListError, UsageError
from tokenvault_data.identifiers import RefusedId, judge_id

MANY = [f"cust_{number:07d}" for number in range(40)]


def listed(tmp_path, lines, name="ids.txt", **settings):
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n")
    return read_customers(path, **settings)


def dropped(customers):
    return {drop.reason: drop.first_rows for drop in customers.dropped}


NO_IDS = (
    *("<null>", "(null)", "[NULL]", "{null}", "(blank)", "<empty>", "(leer)", "[sin-dato]"),
    *("-", "--", "---", "----------", "+-----+", "***", "...", "_", "!!", "~", "`x`"),
    *("nil", "Nil", "none", "NONE", "unknown", "Undefined", "missing", "not_set", "NotAvailable"),
    *("keine", "Gesamt", "Summe", "Anzahl", "EOF", "END", "n.a.", "N.A", "none.", "null_"),
    *("0", "00", "0000000", "Total", "TOTAL", "subtotal", "customer_id", "customerid"),
)


@pytest.mark.parametrize("text", NO_IDS)
@pytest.mark.parametrize("form", ["ids.txt", "ids.csv", "table.csv"])
def test_what_stands_for_no_customer_is_dropped_by_line(tmp_path, text, form):
    """Brackets, dashes, zeros and null words are no ids, wherever they stand, and are counted."""
    lines = [*MANY[:2], text, *MANY[2:]]
    row = 3
    if form == "table.csv":
        lines = ["customer_id,name", *(f"{one},x" for one in lines)]
        row = 4
    customers = listed(tmp_path, lines, form)
    assert list(customers) == MANY
    (rows,) = dropped(customers).values()
    assert rows == [row]
    assert "--as-written" in customers.describe()
    assert list(listed(tmp_path, lines, form, as_written=True)) == [*MANY[:2], text, *MANY[2:]]


@pytest.mark.parametrize(
    "lines",
    [
        ["alice", "bob", "cust_0000003"],
        ["alice", "bob", "carol"],
        ["1", "0", "2", "3"],
        ["a", "b"],
        ["3f9a1c", "abcdef", "00ff00", "1e2d3c"],
        ["asha@x.in", "919876543210", "o'neil", "cust-1.b"],
    ],
)
@pytest.mark.parametrize("name", ["ids.txt", "ids.csv"])
def test_ids_of_several_forms_are_all_requested(tmp_path, lines, name):
    """A first line like the others is no heading, and no id is lost for its form."""
    customers = listed(tmp_path, lines, name)
    assert list(customers) == lines
    assert customers.dropped == ()


@pytest.mark.parametrize(
    "heading", ["merchant_customer_id", "KUNNR", "shopperReference", "Kundennummer", "wxyz", "UID"]
)
@pytest.mark.parametrize("name", ["ids.txt", "ids.csv"])
def test_a_first_line_unlike_all_others_is_a_heading(tmp_path, heading, name):
    """The only line without a digit names the list, whatever it is called, and so does its copy."""
    customers = listed(tmp_path, [heading, *MANY, heading, "extra_1"], name)
    assert list(customers) == [*MANY, "extra_1"]
    assert set(dropped(customers)) == {"heading"}
    assert dropped(customers)["heading"][-1] == 42


def test_files_put_below_each_other_have_their_headings_dropped(tmp_path):
    """A heading again is dropped; in another order of columns it stops the list."""
    lines = ["customer_id,name", "cust_1,x", "Customer_ID,name", "cust_2,y"]
    customers = listed(tmp_path, lines, "ids.csv")
    assert list(customers) == ["cust_1", "cust_2"]
    assert dropped(customers) == {"heading": [3]}
    with pytest.raises(CustomerListError, match="second heading"):
        listed(tmp_path, [*lines, "name,customer_id", "z,cust_3"], "ids.csv")


@pytest.mark.parametrize(
    "heading",
    [
        "name,region,customer_id",
        "name,Region,Cust ID",
        "customer_id,name,zz_top",
        "Name,Customer_ID",
        "customer_id",
        "city,customer_id",
    ],
)
def test_a_second_heading_of_other_columns_stops_the_list(tmp_path, heading):
    """Of any width and in any order, when the ids below it cannot be read by the first one."""
    table = ["customer_id,name", *(f"{one},x" for one in MANY), heading]
    with pytest.raises(CustomerListError, match="second heading"):
        listed(tmp_path, table, "ids.csv")


@pytest.mark.parametrize("row", ["alice,Customer", "bob,name", "cust_9,customer_id"])
def test_a_value_that_is_a_name_is_no_second_heading(tmp_path, row):
    """Somebody may be called Customer."""
    customers = listed(tmp_path, ["customer,name", "cust_1,x", row, "cust_2,y"], "ids.csv")
    assert list(customers) == ["cust_1", row.split(",")[0], "cust_2"]


def test_many_rows_of_another_width_are_a_notice(tmp_path):
    """A twentieth and more is said; a few are only counted."""
    good = ["customer_id,name", *(f"{one},x" for one in MANY)]
    customers = listed(tmp_path, [*good, *["a,b,c"] * 3], "ids.csv")
    assert "3 of 43 rows of the list (7%)" in customers.notices[0]
    assert listed(tmp_path, [*good, "a,b,c"], "ids.csv").notices == ()


def test_commas_at_the_ends_of_lines_are_no_column(tmp_path):
    """One column is one column, quoted or not, with a heading or without."""
    for quote in ("", '"'):
        lines = [f"{quote}{one}{quote}," for one in MANY]
        assert list(listed(tmp_path, lines)) == MANY
        assert list(listed(tmp_path, ["customer_id,", *lines[:2], MANY[2]])) == MANY[:3]
    customers = listed(tmp_path, [f"{MANY[0]},", f"{MANY[1]},Pune"])
    assert list(customers) == MANY[:1]
    assert list(dropped(customers).values()) == [[2]]


def test_quotes_around_every_id_are_taken_away_and_around_some_are_said(tmp_path):
    """An SQL list has quotes all through; a few quoted ones are not requested."""
    customers = listed(tmp_path, [f"'{one}'" for one in MANY])
    assert list(customers) == MANY
    assert "quotes around every id" in customers.describe()
    customers = listed(tmp_path, [*MANY, "'cust_9'"])
    assert list(customers) == MANY
    assert dropped(customers) == {"in quotes, unlike the others": [41]}


@pytest.mark.parametrize(
    "quotes", ["``", "\u201c\u201d", "\u201e\u201c", "\u2018\u2019", "«»", "»«"]
)
@pytest.mark.parametrize("heading", [[], ["customer_id"]])
def test_any_quotes_around_every_id_are_taken_away(tmp_path, quotes, heading):
    """Of a database or a word processor; a null word needs none, and some quoted are not asked."""
    wrapped = [one.join(quotes) for one in MANY]
    for name in ("ids.txt", "ids.csv"):
        assert list(listed(tmp_path, [*heading, *wrapped], name)) == MANY
        assert list(listed(tmp_path, [*heading, *wrapped, "keine"], name)) == MANY
        customers = listed(tmp_path, [*heading, *MANY[1:], wrapped[0]], name)
        assert list(customers) == MANY[1:]
        assert len(customers.dropped) == 1 + (heading != [] and name == "ids.txt")


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
def test_the_line_that_names_excels_separator_is_no_id(tmp_path, first):
    """Above a table and above a plain list."""
    assert list(listed(tmp_path, [first, "customer_id;name", "c1;A", "c2;B"])) == ["c1", "c2"]
    assert list(listed(tmp_path, [first, "customer_id", "c1", "c2"])) == ["c1", "c2"]


@pytest.mark.parametrize("odd", ["guest", "desconocido", "admin", "_x_"])
@pytest.mark.parametrize("count", [4, 40])
def test_what_looks_unlike_the_others_is_requested_and_said(tmp_path, odd, count):
    """An id of a form of its own may be one: it is fetched, with its line in the summary."""
    customers = listed(tmp_path, [*MANY[:2], odd, *MANY[2:count]])
    assert len(customers) == count + 1
    assert customers.unlike.first_rows == [3]
    assert re.search(r"unlike the others.*line 3", customers.describe())
    assert odd not in customers.describe()


SOME_WORDS = ["kunde", "dummy", "test", "guest", "admin", "_x_", "sconosciuto", "inconnu"]


@pytest.mark.parametrize("count", [1, 3, 8])
@pytest.mark.parametrize(
    "ids",
    [
        [f"cust_{number:07d}" for number in range(24)],
        [f"{'SF' if number % 2 else 'cust_'}{number:06d}" for number in range(24)],
        [hashlib.sha256(bytes([number])).hexdigest() for number in range(24)],
    ],
    ids=["one form", "two forms", "random"],
)
def test_words_among_numbered_ids_are_named_up_to_a_third(tmp_path, ids, count):
    """However many there are, and in lists of every size."""
    customers = listed(tmp_path, [*ids, *SOME_WORDS[:count]])
    assert list(customers) == [*ids, *SOME_WORDS[:count]]
    assert customers.unlike.count == count
    assert customers.unlike.first_rows[0] == 25


def test_a_few_ids_of_another_system_are_named(tmp_path):
    """Below a tenth they are not usual, though they are like each other."""
    customers = listed(tmp_path, [*MANY, *(f"SF{number:08d}" for number in range(4))])
    assert customers.unlike.first_rows == [41, 42, 43, 44]
    halves = [*MANY, *(f"SF{number:08d}" for number in range(40))]
    assert listed(tmp_path, halves).unlike is None


def test_a_count_of_customers_is_no_column_of_ids(tmp_path):
    """Only alone does `customers` name a list."""
    with pytest.raises(CustomerListError, match="not obvious"):
        listed(tmp_path, ["shop,customers", "a,137"], "x.csv")
    with pytest.raises(CustomerListError, match="results without customer ids"):
        listed(tmp_path, ["bank,cards,customers,share", "a,1,137,1.0"], "x.csv")
    assert list(listed(tmp_path, ["customers", *MANY], "x.csv")) == MANY


def test_the_message_about_columns_quotes_nobody(tmp_path):
    """Names that may be ids of a headerless file are shown by place; true headings by name."""
    (tmp_path / "x.csv").write_text("alice,Mumbai\nbob,Pune\n")
    with pytest.raises(CustomerListError, match="number 1, number 2") as caught:
        read_customers(tmp_path / "x.csv")
    assert not re.search("alice|Mumbai", str(caught.value))
    frame = pd.read_csv(tmp_path / "x.csv")
    with pytest.raises(CustomerListError) as caught:
        read_customers(frame)
    assert "alice" not in str(caught.value)
    (tmp_path / "x.csv").write_text("shopper_ref,city\na1,x\n")
    with pytest.raises(CustomerListError, match="'shopper_ref', 'city'"):
        read_customers(tmp_path / "x.csv")


# What we write, we read

LEGAL = st.text("+-=@'_.a1Z0<>()[]{}*!`~|$&:^", min_size=1, max_size=6)
WORDS = st.sampled_from([*NO_IDS, "'", "''", "'+91", "+91", "'unknown", "''0", "a'b", "@user0"])
IDS = st.lists(
    (LEGAL | WORDS).filter(lambda one: not isinstance(judge_id(one), RefusedId)),
    min_size=1,
    max_size=8,
    unique=True,
)


@settings(deadline=None, max_examples=150)
@given(IDS, st.sampled_from([".csv", ".parquet"]), st.booleans())
def test_what_we_write_is_read_as_what_it_was(tmp_path_factory, ids, suffix, alone):
    """An export of ids of every legal kind gives the same customers to whatever reads lists."""
    path = tmp_path_factory.getbasetemp() / f"written{suffix}"
    columns = {"customer_id": pa.array(ids, pa.string())}
    if not alone:
        columns["instrument_id"] = pa.array(ids[::-1], pa.string())
    export(pa.table(columns), path)
    assert list(read_customers(path)) == ids
    assert read_export(path)["customer_id"].tolist() == ids
    if not alone:
        assert read_pairs(path) == tuple(zip(ids, ids[::-1], strict=True))


@settings(deadline=None, max_examples=100)
@given(IDS)
def test_a_crm_undoes_the_guard_by_one_rule(tmp_path_factory, ids):
    """Any other program gets the ids by taking one leading apostrophe away, and runs no formula."""
    path = tmp_path_factory.getbasetemp() / "crm.csv"
    export(pa.table({"customer_id": pa.array(ids, pa.string())}), path)
    with path.open(newline="") as file:
        _, *cells = [row[0] for row in csv.reader(file)]
    assert [cell.removeprefix("'") for cell in cells] == ids
    assert not any(cell[0] in "=+-@" for cell in cells)


def test_a_spreadsheet_that_saved_our_file_is_no_obstacle(tmp_path):
    """Without our quotes, with semicolons, carriage returns and a byte order mark: the same ids."""
    (tmp_path / "one.csv").write_text("customer_id\r\n'+91980\r\n'@user0\r\ncust_1\r\n")
    assert list(read_customers(tmp_path / "one.csv")) == ["+91980", "@user0", "cust_1"]
    text = "\ufeffcustomer_id;cards_expiring\r\n'+91980;1\r\n'@user0;1\r\ncust_1;1\r\n"
    (tmp_path / "saved.csv").write_bytes(text.encode())
    assert list(read_customers(tmp_path / "saved.csv")) == ["+91980", "@user0", "cust_1"]


FOREIGN = {
    "plain.txt": "'+91980\ncust_1\n",
    "other.csv": '"customer_id","name"\n"\'+91980","x"\n"cust_1","y"\n',
    "mixed.csv": "customer_id,cards\n'+91980,1\n+91981,1\n",
    "names.csv": "customer_id,cards\n'alice,1\ncust_1,1\n",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_apostrophes_that_may_belong_to_ids_are_asked_about(tmp_path, name):
    """In files of others nothing is taken away and nothing requested before the user says."""
    path = tmp_path / name
    path.write_text(FOREIGN[name])
    with pytest.raises(CustomerListError, match=r"--guarded.*--as-written") as caught:
        read_customers(path)
    assert "919" not in str(caught.value)
    assert any(one.startswith("'") for one in read_customers(path, as_written=True))
    assert not any(one.startswith("'") for one in read_customers(path, guarded=True))


def test_cards_with_unclear_apostrophes_are_not_selected(tmp_path):
    """A list for deletion is never read in two ways."""
    path = tmp_path / "cards.csv"
    path.write_text("customer_id,instrument_id\n'alice,i1\n")
    with pytest.raises(UsageError, match="apostrophe"):
        read_pairs(path)


def test_parquet_of_others_is_judged_and_keeps_apostrophes(tmp_path):
    """There, an apostrophe is a part of the id, and a null word is still none."""
    table = pa.table({"customer_id": ["'+91", "<null>", "cust_1"]})
    pa.parquet.write_table(table, tmp_path / "x.parquet")
    customers = read_customers(tmp_path / "x.parquet")
    assert list(customers) == ["'+91", "cust_1"]
    assert dropped(customers) == {"stands for no customer": [2]}


def test_values_in_memory_are_ids_as_they_are():
    """Only files are judged by looks."""
    assert list(read_customers(["unknown", "0", "'+91"])) == ["unknown", "0", "'+91"]


def test_streams_are_judged_as_files():
    """An upload, or standard input, is a file."""
    assert list(read_customers(io.BytesIO(b"cust_1\n<null>\n"))) == ["cust_1"]


@pytest.mark.parametrize(("options", "quote"), [({}, "'"), ({"guarded": True}, "")])
def test_what_quotes_and_apostrophes_uncover_is_judged_too(tmp_path, options, quote):
    """A step in a path or a damaged number is no id, however it was wrapped."""
    path = tmp_path / "ids.txt"
    path.write_text("".join(f"'{one}{quote}\n" for one in ("c1", "..", "c3", "1.0", "null", "")))
    customers = read_customers(path, **options)
    assert list(customers) == ["c1", "c3"]
    assert len(customers) + sum(dropped.count for dropped in customers.dropped) == 6
