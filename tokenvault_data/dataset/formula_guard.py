"""Text that a spreadsheet would run, made harmless in a way that can be undone.

A cell that begins with ``=``, ``+``, ``-`` or ``@`` is a formula to Excel, LibreOffice and Google
Sheets, quoted or not, and what a customer typed as a name may end in such a cell. Such text gets an
apostrophe in front, which spreadsheets take as "this is text". Text that begins with an apostrophe
already gets one more, so that taking one away gives back every text exactly.

The list of beginnings is that of OWASP, "CSV Injection": the four signs, tab, carriage return, line
feed and the full-width forms; the signs count after white space and invisible characters as well,
because some spreadsheets trim those.

In columns of ids an apostrophe also goes before an id that a reader of lists would take for none,
such as ``unknown`` or ``0``; see `LOOKS_LIKE_NO_ID`. So what we write is read as what it was.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

GUARD: Final = "'"

_LEADING: Final = r"[\p{Z}\p{Cc}\p{Cf}]*"  # white space, control and format characters
_SIGNS: Final = r"[=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}\x{FE66}\x{FE62}\x{FE63}\x{FE6B}\x{2212}]"
NEEDS_GUARD: Final = rf"\A(?:{GUARD}|\p{{Cc}}|{_LEADING}{_SIGNS})"
"""Pattern (RE2) of text that gets an apostrophe in front."""

ID_COLUMNS: Final = frozenset({"customer_id", "instrument_id", "new_instrument_id"})
"""Columns in which `guard_ids` is used."""

HEADING_WORDS: Final = r"customers?|(?:customer|cust|instrument)[ _\-]?ids?"
NULL_WORDS: Final = (
    "null|nil|none|nan|nat|na|void|empty|blank|missing|unknown|undefined|undef|unset|unassigned"
    "|not[ _\\-]?(?:set|available|applicable|assigned|known|found|provided|given)"
    "|unavailable|tb[adc]|n[./_\\-]a|keine?|unbekannt"
)
TOTAL_WORDS: Final = r"(?:grand|sub)?[ _\-]?totals?|sum|count|average|gesamt|summe|anzahl|eof|end"
LOOKS_LIKE_NO_ID: Final = (
    r"(?i)\A(?:[^a-z0-9]+|0+|<.*>|\(.*\)|\[.*\]|\{.*\}|`.*`"
    rf"|{HEADING_WORDS}|[^a-z0-9]*(?:{NULL_WORDS}|{TOTAL_WORDS})[^a-z0-9]*)\z"
)
"""Pattern (RE2) of text that is an id in no list, unless the list says so by an apostrophe.

By form: no letter and no digit in it, nothing but zeros, in brackets; and a few words, with or
without punctuation around them.
"""


def guard_ids(ids: pa.StringArray) -> pa.StringArray:
    """Put an apostrophe before every id that a spreadsheet could run or a reader could drop."""
    needed = pc.or_(
        pc.match_substring_regex(ids, NEEDS_GUARD), pc.match_substring_regex(ids, LOOKS_LIKE_NO_ID)
    )
    return pc.if_else(needed, pc.binary_join_element_wise(GUARD, ids, ""), ids)


def guard(texts: pa.StringArray) -> pa.StringArray:
    """Put an apostrophe before every text that a spreadsheet could run.

    Parameters
    ----------
    texts : pyarrow.StringArray
        Nulls stay null.

    Returns
    -------
    pyarrow.StringArray
        Of the same length; `unguard` gives back `texts`.
    """
    guarded = pc.binary_join_element_wise(GUARD, texts, "")
    return pc.if_else(pc.match_substring_regex(texts, NEEDS_GUARD), guarded, texts)


def unguard(texts: pa.StringArray) -> pa.StringArray:
    """Take away one apostrophe from every text that begins with one.

    Parameters
    ----------
    texts : pyarrow.StringArray or ChunkedArray
        As `guard` returned it; nulls stay null.

    Returns
    -------
    pyarrow.StringArray or ChunkedArray
        Of the same length.
    """
    bare = pc.utf8_slice_codeunits(texts, 1)
    return pc.if_else(pc.starts_with(texts, GUARD), bare, texts)
