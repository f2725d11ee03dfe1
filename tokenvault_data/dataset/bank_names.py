"""One name for each bank, however it was spelled, and why; two banks are never made one.

Two spellings are one bank when they have the same key (see `bank_key`), or when the table says so.
The table is data, ``bank_names.csv`` beside this module, with the columns ``spelling``, ``bank``
and ``note``: anybody can read it, and extend or overrule it with a table of their own. Initials are
resolved by the table alone. Banks that were amalgamated keep their own names, since their cards
were issued under them and whoever reads a report should decide that they are one.

A name depends on the spelling and the table, never on which other spellings happen to be in the
data, so that the figures of two snapshots can be compared.
"""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from tokenvault_data.dataset.bank_key import bank_key
from tokenvault_data.dataset.labels import value_text
from tokenvault_data.errors import UsageError
from tokenvault_data.local_paths import local_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tokenvault_data.dataset.frames import ArrowStream


Reason = Literal["table", "rule", "as received"]
"""Why a spelling has its name: a row of the table, the key written out, or it was so already."""

_TABLE: Final = "bank_names.csv"
_COLUMNS: Final = ("spelling", "bank", "note")
_SMALL_WORDS: Final = frozenset({"of", "and", "the", "for", "in", "de", "du", "di"})
_ACRONYMS: Final = frozenset(
    {"abn", "adcb", "amro", "anz", "asb", "au", "bbk", "bnp", "csb", "dbs", "dcb", "esaf", "hdfc"}
    | {"hsbc", "icici", "idbi", "idfc", "ing", "jsc", "kdcc", "nbd", "nkgsb", "nsdl", "ocbc"}
    | {"pjsc", "pnb", "qnb", "rbc", "rbl", "sbi", "sbm", "sfb", "svc", "td", "tjsb", "uae", "ubs"}
    | {"uco", "uk", "uob", "up", "usa", "uti"}
)


@dataclass(frozen=True, slots=True)
class BankNames:
    """What spellings of banks are called; made by `load_bank_names`.

    Attributes
    ----------
    banks : mapping of str to str
        Name of the bank by key. Every name's own key leads to that name.
    """

    banks: Mapping[str, str]

    def canonical(self, spelling: str | None) -> str | None:
        """Return the name of the bank, None for a missing one.

        What the table does not know gets its key written out, so that two spellings have one name
        exactly when they have one key. A spelling without letters and digits stays as it is.
        """
        if spelling is None:
            return None
        key = bank_key(spelling)
        return self.banks.get(key) or _written_out(key) or spelling

    def reason(self, spelling: str) -> Reason:
        """Return why `canonical` gives this spelling its name."""
        if bank_key(spelling) in self.banks:
            return "table"
        return "as received" if self.canonical(spelling) == spelling else "rule"


def load_bank_names(extra: str | os.PathLike[str] | ArrowStream | None = None) -> BankNames:
    """Read the table of the package, and a table of one's own over it.

    Parameters
    ----------
    extra : path, or object with ``__arrow_c_stream__``, optional
        A CSV file, or a DataFrame or Arrow table, of the columns ``spelling``, ``bank`` and,
        optionally, ``note``. Its rows overrule those of the package by key. Where it renames a
        bank (the bank's own name among the spellings), all spellings of the bank follow.

    Raises
    ------
    UsageError
        The table cannot be read, lacks a column or a value, or gives one key to two banks; the
        message names the lines.
    """
    banks = _packaged()
    if extra is None:
        return BankNames(banks)
    own = _banks(*_own_rows(extra))
    renamed = {key: own.get(bank_key(bank), bank) for key, bank in banks.items()}
    return BankNames(MappingProxyType(renamed | own))


@cache
def _packaged() -> Mapping[str, str]:
    packaged = resources.files("tokenvault_data.dataset").joinpath(_TABLE).read_text("utf-8")
    return MappingProxyType(_banks(_csv_rows(packaged, _TABLE), _TABLE))


def canonical_banks(
    spellings: Sequence[str | None], names: BankNames | None = None
) -> list[str | None]:
    """Return the name of each spelling, in their order; None stays None.

    Parameters
    ----------
    spellings : sequence of str or None
        Distinct spellings are cheapest: e.g. the dictionary of a column.
    names : BankNames, optional
        Those of the package when not given.
    """
    names = load_bank_names() if names is None else names
    return [names.canonical(spelling) for spelling in spellings]


def _written_out(key: str) -> str:
    # Only ASCII letters are raised: others may not fold back to the key they came from.
    words = key.split()
    return " ".join(
        word.upper()
        if word in _ACRONYMS
        else word
        if (at and word in _SMALL_WORDS) or not word[0].isascii()
        else word[0].upper() + word[1:]
        for at, word in enumerate(words)
    )


class _Row(NamedTuple):
    place: str
    spelling: str
    bank: str


def _banks(rows: Iterable[_Row], table: str) -> dict[str, str]:
    """Return the bank by key; a bank's own name counts as one of its spellings."""
    said: dict[str, _Row] = {}
    for row in rows:
        for spelling in (row.spelling, row.bank):
            key = bank_key(spelling)
            if not key:
                raise UsageError(
                    f"{row.place.capitalize()} of {table} has no spelling or no bank in it; no "
                    "bank was named; fill it in or remove the line."
                )
            if value_text(row.bank) != row.bank:
                raise UsageError(
                    f"{row.place.capitalize()} of {table} makes {spelling!r} the bank "
                    f"{row.bank!r}, which reads like a label of the reports; no bank was named; "
                    "write it without brackets or quotation marks."
                )
            earlier = said.setdefault(key, row)
            if earlier.bank != row.bank:
                raise UsageError(
                    f"{row.place.capitalize()} of {table} makes {spelling!r} the bank "
                    f"{row.bank!r}, and {earlier.place} makes it {earlier.bank!r}; no bank was "
                    "named; correct one of the two."
                )
    return {key: row.bank for key, row in said.items()}


def _own_rows(extra: str | os.PathLike[str] | ArrowStream) -> tuple[Iterator[_Row], str]:
    if not isinstance(extra, str | os.PathLike):
        if not hasattr(extra, "__arrow_c_stream__"):
            raise UsageError(
                f"Bank names are a CSV file or a table, and {type(extra).__name__} was given; no"
                " bank was named."
            )
        return _frame_rows(extra), "the table of bank names"
    path = local_path(extra)
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"The bank names of {path} cannot be read ({type(error).__name__}); no bank was named; "
            "give a CSV file in UTF-8."
        ) from None
    return _csv_rows(text, path.name), path.name


def _csv_rows(text: str, table: str) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        at_spelling, at_bank = _places(header, table)
        for cells in reader:
            if not cells:
                continue
            place = f"line {reader.line_num}"
            if len(cells) != len(header):
                raise UsageError(
                    f"{place.capitalize()} of {table} has {len(cells)} cells and the header "
                    f"{len(header)}; no bank was named; put cells that hold a comma into quotes."
                )
            yield _Row(place, cells[at_spelling].strip(), cells[at_bank].strip())
    except csv.Error as error:
        raise UsageError(
            f"Line {reader.line_num} of {table} is no CSV ({error}); no bank was named; correct it."
        ) from None


def _frame_rows(frame: ArrowStream) -> Iterator[_Row]:
    from tokenvault_data.dataset.frames import read_stream  # only a table in memory needs it

    table = read_stream(frame).read_all()
    at_spelling, at_bank = _places(table.column_names, "the table of bank names")
    columns = (table.column(at_spelling).to_pylist(), table.column(at_bank).to_pylist())
    for row, (spelling, bank) in enumerate(zip(*columns, strict=True), 1):
        if not isinstance(spelling, str) or not isinstance(bank, str):
            raise UsageError(
                f"Row {row} of the table of bank names has no text as its spelling or its bank; no "
                "bank was named; fill it in or remove the row."
            )
        yield _Row(f"row {row}", spelling.strip(), bank.strip())


def _places(header: Sequence[str], table: str) -> tuple[int, int]:
    names = [name.strip() for name in header]
    if len(set(names)) != len(names) or not {*_COLUMNS[:2]} <= set(names) <= set(_COLUMNS):
        raise UsageError(
            f"The columns of {table} are {', '.join(map(repr, names)) or 'none'}; no bank was "
            f"named; they have to be {', '.join(_COLUMNS)}."
        )
    return names.index("spelling"), names.index("bank")
