"""Every spelling finds its bank, no two banks become one, and the table can be extended."""

import csv
from importlib import resources

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.dataset.bank_key import bank_key
from tokenvault_data.dataset.bank_names import (
    canonical_banks,
    load_bank_names,
)
from tokenvault_data.emulator.population.births import BANKS
from tokenvault_data.errors import UsageError

NAMES = load_bank_names()
ROWS = list(
    csv.DictReader(
        resources.files("tokenvault_data.dataset")
        .joinpath("bank_names.csv")
        .read_text("utf-8")
        .splitlines()
    )
)
SPELLINGS = st.one_of(
    st.sampled_from([row["spelling"] for row in ROWS]),
    st.text(max_size=20),
    st.sampled_from(["Foo Bank", "FOO BANK LTD", "Foo Bank UK", "###", "!!!", "", "Üç Bank"]),
)


def write(path, *rows, header="spelling,bank,note"):
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("bank", BANKS, ids=lambda bank: bank.spellings[0])
def test_every_spelling_of_a_bank_in_the_emulator_is_that_bank(bank):
    """All spellings of one issuer have one name, from the table, and no other issuer has it."""
    (name,) = set(canonical_banks(bank.spellings))
    assert {NAMES.reason(spelling) for spelling in bank.spellings} == {"table"}
    others = [s for other in BANKS if other is not bank for s in other.spellings]
    assert name not in canonical_banks(others)


def test_the_table_is_in_order():
    """Every row leads to its bank, every bank is called by its name, no row says a thing twice."""
    assert len(ROWS) > 150
    for row in ROWS:
        assert NAMES.canonical(row["spelling"]) == row["bank"]
        assert NAMES.canonical(row["bank"]) == row["bank"]
        assert row["spelling"].strip() == row["spelling"]
    spellings = [row["spelling"] for row in ROWS]
    assert len(set(spellings)) == len(spellings)


def test_names_of_different_banks_look_different():
    """No two names of the table differ only in writing."""
    banks = {row["bank"] for row in ROWS}
    assert len({bank_key(bank) for bank in banks}) == len(banks)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SBI", "SBI Card"),
        ("Bank of Baroda", "BOBCARD"),
        ("Bank of India", "Indian Bank"),
        ("Indian Bank", "Indian Overseas Bank"),
        ("Union Bank of India", "United Bank of India"),
        ("Union Bank of India", "Andhra Bank"),
        ("HSBC", "HSBC Bank plc"),
        ("DBS Bank", "DBS Bank India Limited"),
        ("AU Small Finance Bank", "Fincare Small Finance Bank"),
        ("Citibank N.A.", "Axis Bank"),
        ("Barclays", "Barclays Bank Delaware"),
    ],
)
def test_banks_that_are_easily_confused_stay_apart(one, other):
    """Issuers of like names, and banks amalgamated since, are separate."""
    assert NAMES.canonical(one) != NAMES.canonical(other)


@pytest.mark.parametrize("initials", ["CBI", "BOM", "PSB", "SCB", "DBS", "UB"])
def test_initials_of_several_banks_are_left_alone(initials):
    """Initials that the table does not resolve belong to no bank of the table."""
    assert NAMES.canonical(initials) not in set(NAMES.banks.values())


@settings(deadline=None)
@given(SPELLINGS)
def test_a_name_is_its_own_name(spelling):
    """Naming twice changes nothing, and nothing becomes missing or empty."""
    name = NAMES.canonical(spelling)
    assert NAMES.canonical(name) == name
    assert (name == "") == (spelling == "")
    assert NAMES.reason(name) in ("table", "as received")


@settings(deadline=None)
@given(st.lists(SPELLINGS, max_size=12))
def test_two_spellings_are_one_bank_only_by_key_or_table(spellings):
    """Whatever stands together, names are equal exactly when key or table say so."""

    def identity(spelling):
        key = bank_key(spelling)
        return NAMES.banks.get(key, ("key", key)) if key else ("as received", spelling)

    names = canonical_banks(spellings)
    for one, name in zip(spellings, names, strict=True):
        for other, other_name in zip(spellings, names, strict=True):
            assert (name == other_name) == (identity(one) == identity(other))


@settings(deadline=None)
@given(st.lists(st.none() | SPELLINGS, max_size=8), st.randoms())
def test_a_name_depends_on_no_other_spelling(spellings, random):
    """Order and company do not matter, so two snapshots name one spelling alike."""
    together = dict(zip(spellings, canonical_banks(spellings), strict=True))
    shuffled = random.sample(spellings, len(spellings))
    assert canonical_banks(shuffled) == [together[spelling] for spelling in shuffled]
    assert [NAMES.canonical(spelling) for spelling in spellings] == list(
        map(together.get, spellings)
    )


@settings(deadline=None)
@given(
    st.sampled_from([row["spelling"] for row in ROWS]),
    st.sampled_from(["", "The ", "  ", "the  "]),
    st.sampled_from(["", " Ltd", " LIMITED.", ", N.A.", " plc", " .", "\u00a0"]),
    st.sampled_from([str.upper, str.lower, str.title, lambda text: text.replace(" ", "  ")]),
)
def test_writing_habits_lead_to_the_same_bank(spelling, front, behind, habit):
    """A known spelling in other capitals, with article or legal form, is the same bank."""
    assert NAMES.canonical(f"{front}{habit(spelling)}{behind}") == NAMES.canonical(spelling)


def test_what_the_table_does_not_know_is_written_out():
    """An unknown bank has its key as a name; a name written like that is as received."""
    assert NAMES.canonical("THE FOO AND BAR BANK OF UK LTD") == "Foo and Bar Bank of UK"
    assert NAMES.reason("THE FOO AND BAR BANK OF UK LTD") == "rule"
    assert NAMES.reason("Foo and Bar Bank of UK") == "as received"
    assert NAMES.canonical(None) is None


def test_ones_own_table_goes_over_the_packaged_one(tmp_path):
    """Rows of one's own add banks, merge what was kept apart, and rename with all spellings."""
    own = write(
        tmp_path / "banks.csv",
        "ANDHRA BANK,Union Bank of India,our decision",
        '"Foo, Bar & Sons",Foo Bank,',
        "HDFC Bank,HDFC,shorter",
        "UBI,United Bank of India,",
    )
    names = load_bank_names(own)
    assert names.canonical("Andhra Bank Ltd") == "Union Bank of India"
    assert names.canonical("FOO BAR AND SONS") == names.canonical("foo bank") == "Foo Bank"
    assert {names.canonical(s) for s in BANKS[0].spellings} == {"HDFC"}
    assert names.canonical("UBI") == names.canonical("United Bank of India")
    assert names.canonical("UNION BANK OF INDIA") == "Union Bank of India"
    assert names.canonical("Axis Bank") == "Axis Bank"
    for name in names.banks.values():
        assert names.canonical(name) == name


def test_ones_own_table_may_be_in_memory():
    """A DataFrame or an Arrow table of the same columns does as well, the note optional."""
    rows = {"spelling": ["FOO"], "bank": ["Foo Bank"]}
    for table in (pd.DataFrame(rows), pa.table(rows), pa.table(rows | {"note": ["x"]})):
        assert load_bank_names(table).canonical("Foo Ltd") == "Foo Bank"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["FOO,Foo Bank,", "Foo Ltd,Bar Bank,"], "Line 3 of banks.csv .*'Foo Ltd'.* line 2"),
        (["FOO,Foo Bank,", "Foo Bank,Bar Bank,"], "Line 3 of banks.csv .* line 2"),
        (["A,B,", "B,A,"], "Line 3 of banks.csv .* line 2"),
        (["FOO,Foo Bank,", "", "###,Bar Bank,"], "Line 4 of banks.csv has no spelling"),
        (["FOO,,"], "Line 2 of banks.csv has no spelling"),
        (["FOO,Foo Bank"], "Line 2 of banks.csv has 2 cells"),
        (['FOO,"Foo Bank,'], "is no CSV"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(tmp_path, rows, message):
    """One key for two banks, an empty cell or a torn line is named by its line."""
    with pytest.raises(UsageError, match=message):
        load_bank_names(write(tmp_path / "banks.csv", *rows))


@pytest.mark.parametrize(
    "header", ["", "spelling", "spelling,bank,remark", "bank,bank,spelling", "Spelling,Bank,Note"]
)
def test_other_columns_are_refused(tmp_path, header):
    """A table of other columns was made for something else."""
    with pytest.raises(UsageError, match="spelling, bank, note"):
        load_bank_names(write(tmp_path / "banks.csv", header=header))


def test_a_table_that_cannot_be_read_is_refused(tmp_path):
    """A file that is not there or not UTF-8, and cells that are not text, are usage errors."""
    (tmp_path / "latin.csv").write_bytes("spelling,bank\nSparkasse Köln,K\n".encode("latin-1"))
    for name in ("nothing.csv", "latin.csv"):
        with pytest.raises(UsageError, match="cannot be read"):
            load_bank_names(tmp_path / name)
    with pytest.raises(UsageError, match="Row 2"):
        load_bank_names(pa.table({"spelling": ["a", None], "bank": ["b", "c"]}))
    with pytest.raises(UsageError, match="columns"):
        load_bank_names(pa.table({"x": [1]}))


def test_a_table_from_a_spreadsheet_is_read(tmp_path):
    """A byte order mark and Windows line ends do no harm."""
    path = tmp_path / "banks.csv"
    path.write_bytes(b"\xef\xbb\xbfspelling,bank,note\r\nFOO,Foo Bank,\r\n")
    assert load_bank_names(path).canonical("foo") == "Foo Bank"
