"""What LibreOffice makes of an exported CSV. Needs `soffice`; `make office` runs it."""

import subprocess
import xml.etree.ElementTree as ET

import pandas as pd
import pyarrow as pa
import pytest

from tokenvault_data.reports.export import export, read_export

HOSTILE = [
    '=HYPERLINK("file:///etc/passwd","click")',
    "=1+1",
    "+1",
    "-2+3",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    " =1+1",
    "\u200b=1+1",
    "\uff1d1+1",
    "'quoted",
    'say "hi"',
    "two\nlines",
    "a;b,c\td",
    "=cmd|' /C calc'!A0",
    "",
    None,
    "HDFC BANK",
]
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"


def opened_in_libreoffice(path):
    """Return the cells of a CSV file as LibreOffice reads it, formulas looked for."""
    profile = f"-env:UserInstallation=file://{path.parent}/profile"
    # Comma, quote, UTF-8, from line 1; the last one: formulas are evaluated.
    reading = "--infilter=CSV:44,34,76,1,,0,false,true,false,false,false,-1,true"
    target = ("--headless", "--convert-to", "fods", "--outdir", str(path.parent))
    subprocess.run(
        ["soffice", profile, *target, reading, str(path)],
        check=True,
        capture_output=True,
        timeout=240,
    )
    document = ET.parse(path.with_suffix(".fods")).getroot()
    return list(document.iter(f"{_TABLE}table-cell"))


def formulas(cells):
    return [cell for cell in cells if cell.get(f"{_TABLE}formula")]


@pytest.mark.office
@pytest.mark.timeout(300)
def test_no_cell_becomes_a_formula(tmp_path):
    """LibreOffice opens the file with every row in its place, and with no formula in it."""
    table = pa.table({"=name": pa.array(HOSTILE, pa.string()), "row": list(range(len(HOSTILE)))})
    cells = opened_in_libreoffice(export(table, tmp_path / "hostile.csv"))
    assert not formulas(cells)
    values = [cell.get(f"{_OFFICE}value") for cell in cells]
    assert [int(value) for value in values if value is not None] == list(range(len(HOSTILE)))


@pytest.mark.office
@pytest.mark.timeout(300)
def test_without_the_guard_it_would(tmp_path):
    """The same reading finds a formula where nothing was done against it."""
    path = tmp_path / "plain.csv"
    path.write_text("name\n=1+1\n", encoding="utf-8")
    assert formulas(opened_in_libreoffice(path))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_hostile_names_read_back_equal(tmp_path, suffix):
    """The same rows come back, by us and, but for the apostrophes, by pandas alone."""
    table = pa.table({"card_bank": pa.array(HOSTILE, pa.string())})
    path = export(table, tmp_path / f"hostile{suffix}")
    assert (
        read_export(path)["card_bank"].astype(object).where(lambda c: c.notna(), None).tolist()
        == HOSTILE
    )
    if suffix == ".csv":
        alone = pd.read_csv(path, keep_default_na=False, dtype=str, skip_blank_lines=False)
        bare = [text.removeprefix("'") for text in alone["card_bank"]]
        assert bare == [text or "" for text in HOSTILE]
