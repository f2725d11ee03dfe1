"""What a list of ids is, told by all of it together: headings, null words, quotes, guards, misfits.

Each text alone may be an id. Beside the others it shows what it is: a heading is the one line
without a digit, a null word is no letter or digit, in brackets, or one of a few words, and an
apostrophe before every sign was put there for a spreadsheet. Nothing here is repaired by guessing:
what may be meant in two ways is asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.dataset.formula_guard import (
    GUARD,
    HEADING_WORDS,
    LOOKS_LIKE_NO_ID,
    guard_ids,
    unguard,
)
from tokenvault_data.errors import CustomerListError

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_ID: Final = "stands for no customer"
HEADING: Final = "heading"
QUOTED: Final = "in quotes, unlike the others"
UNLIKE: Final = "unlike the others"

Guards: TypeAlias = Literal["ours", "said", "unclear", "none"]
"""Whether apostrophes are those of our exports, or to be taken away as said, or unclear, or ids."""

_IN_QUOTES: Final = r"\A'.*'\z"
_IN_BACKTICKS: Final = r"\A`.*`\z"
_WITH_A_NUMBER: Final = r"[0-9@]"
_LIKE_THE_OTHERS: Final = 0.9
_MOST: Final = 2 / 3
_FEW: Final = 0.02
_COMMON: Final = 0.25
_ENOUGH: Final = 10
_A_THIRD: Final = 1 / 3

Bools: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of texts, each once, in the order of the list.

    Attributes
    ----------
    ids : pyarrow.StringArray
        What they mean; where `reason` is 0 they are ids.
    reason : array of int8
        0 for an id, else the place in `reasons` plus one.
    reasons : tuple of str
    unlike : array of bool
        Ids that look unlike nearly all others.
    notes : tuple of str
        What was changed of all of them, a sentence each.
    """

    ids: pa.Array
    reason: npt.NDArray[np.int8]
    reasons: tuple[str, ...]
    unlike: Bools
    notes: tuple[str, ...] = ()


def judge_list(
    texts: pa.Array, *, guards: Guards, heading_may_be_first: bool, described: str
) -> Judged:
    """Judge the texts of a file as a whole.

    Parameters
    ----------
    texts : pyarrow.StringArray
        Each once, in the order of the list; all of them could be ids.
    guards : Guards
    heading_may_be_first : bool
        Whether the first text is the first line of a file that named no column.
    described : str
        What the list is called in errors.

    Raises
    ------
    CustomerListError
        Apostrophes before ids may be a part of them or not.
    """
    reason = np.zeros(len(texts), np.int8)
    notes = []
    is_literal = np.zeros(len(texts), np.bool_)
    if guards != "none":
        quoted = _matches(texts, _IN_QUOTES)
        wrapped = quoted | _matches(texts, _IN_BACKTICKS)
        has_guard = bool(_matches(texts, rf"\A{GUARD}").any())
        is_ours = guards == "ours" and has_guard and has_our_guards(texts)
        if wrapped.any() and (wrapped | _matches(texts, LOOKS_LIKE_NO_ID)).all() and not is_ours:
            bare = pc.utf8_slice_codeunits(texts, 1, -1)
            texts = pc.if_else(pa.array(wrapped), bare, texts)
            notes.append("The quotes around every id were taken away.")
        else:
            reason[quoted & (not is_ours)] = 3
            is_literal = _matches(texts, rf"\A{GUARD}") & (reason == 0)
        if is_literal.any():
            if not is_ours and guards != "said":
                raise unclear_apostrophes(described, int(is_literal.sum()))
            texts = unguard(texts)
            notes.append(
                "The apostrophe that an export or a spreadsheet put before an id was taken away"
                f" from {int(is_literal.sum()):,}."
            )
    reason[_matches(texts, LOOKS_LIKE_NO_ID) & ~is_literal & (reason == 0)] = 1
    reason[_matches(texts, rf"(?i)\A(?:{HEADING_WORDS})\z") & (reason == 1)] = 2
    zeros = _matches(texts, r"\A0+\z") & (reason == 1)
    if zeros.any() and _matches(texts, r"\A[1-9]\z").any():
        reason[zeros] = 0  # one of many short numbers
    if heading_may_be_first and len(texts) and is_heading(texts[0].as_py(), texts.slice(1)):
        reason[0] = 2
    return Judged(texts, reason, (NO_ID, HEADING, QUOTED), unlike(texts, reason == 0), tuple(notes))


def has_our_guards(texts: pa.Array) -> bool:
    """Say whether apostrophes stand where our exports put them, and wherever they would."""
    first = pc.utf8_slice_codeunits(texts, 0, 1)
    if pc.any(pc.is_in(first, value_set=pa.array(list("=+-@")))).as_py():
        return False
    bare = unguard(texts.filter(pc.equal(first, GUARD)))
    return bool(
        pc.all(pc.equal(guard_ids(bare), pc.binary_join_element_wise(GUARD, bare, ""))).as_py()
    )


def plain_cells(cells: list[Any], guards: Guards | None) -> list[Any] | None:
    """Return the cells of a column without the apostrophes of our exports.

    None where some begin with one that may belong to the ids. What is no text stays as it is.
    """
    is_text = guards in ("ours", "unclear")
    if not is_text or not any(isinstance(one, str) and one.startswith(GUARD) for one in cells):
        return cells
    texts = pa.array([one if isinstance(one, str) else "" for one in cells], pa.string())
    if guards != "ours" or not has_our_guards(texts):
        return None
    plain = unguard(texts).to_pylist()
    return [bare if isinstance(one, str) else one for one, bare in zip(cells, plain, strict=True)]


def unclear_apostrophes(described: str, count: int) -> CustomerListError:
    """Return the error for ids that begin with an apostrophe in a file that may be of anybody."""
    return CustomerListError(
        f"Nothing was requested: ids of {described} begin with an apostrophe ({count:,}), which a"
        " spreadsheet or an export may have put there; say --guarded to take it away, or"
        " --as-written if it belongs to the ids (in Python guarded=True, as_written=True)."
    )


def is_heading(first: str, others: pa.Array) -> bool:
    """Say whether a first line names the list: by its words, or as the only one of its form.

    Ids hold digits, or an ``@``, far more often than names of columns do; where one of the others
    holds none either, the first may be an id as well.
    """
    if is_name(first):
        return True
    if re.search(_WITH_A_NUMBER, first) or len(others) < 2:
        return False
    return bool(_matches(others, _WITH_A_NUMBER).all())


def unlike(texts: pa.Array, kept: Bools) -> Bools:
    """Find the ids unlike most others: of another form, or the only ones without a digit.

    Where nearly all ids share one form, every other form counts; where most do, forms that hardly
    another id has. Words without a digit count up to a third of the list.
    """
    found = np.zeros(len(texts), np.bool_)
    forms = _forms(texts.filter(pa.array(kept)))
    few = kept & ~_matches(texts, _WITH_A_NUMBER)
    if few.sum() > _A_THIRD * len(forms):
        return found
    if len(forms) < _ENOUGH:
        return few
    counts = pc.value_counts(forms)
    often = counts.field("counts").to_numpy()
    has_digits = _matches(counts.field("values"), _WITH_A_NUMBER)
    common = often[has_digits & (often >= _COMMON * len(forms))].sum() >= _MOST * len(forms)
    if often.max() >= _MOST * len(forms):
        is_main = often >= _LIKE_THE_OTHERS * len(forms)
        usual = is_main if is_main.any() else often >= max(2, _FEW * len(forms))
        rare = counts.field("values").filter(pa.array(~usual))
        found[kept] = pc.is_in(forms, value_set=rare).to_numpy(zero_copy_only=False)
    if common or few.sum() <= _FEW * len(forms):
        return found | few
    # Random ids have many forms and one length.
    lengths = pc.value_counts(pc.utf8_length(texts.filter(pa.array(kept))))
    often = lengths.field("counts").to_numpy()
    if often.max() < _MOST * len(forms):
        return found
    usual_length = lengths.field("values")[int(often.argmax())]
    is_of_it: Bools = pc.equal(pc.utf8_length(texts), usual_length).to_numpy(zero_copy_only=False)
    few &= ~is_of_it
    return found | few


def is_name(text: str) -> bool:
    """Say whether all words of a text are such as name a column, and no customer."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[^\W\d_a-zA-Z]+", text)
    return bool(words) and all(word.lower() in _NAMING for word in words)


def shown_names(names: Sequence[str]) -> str:
    """List the names of columns for an error; what may be somebody's id is shown as its place."""
    return ", ".join(
        repr(name) if is_name(name) else f"number {place}"
        for place, name in enumerate(names, start=1)
    )


def _forms(texts: pa.Array) -> pa.Array:
    """Return what ids look like: runs of letters as ``a``, of digits as ``9``."""
    letters = pc.replace_substring_regex(texts, "[A-Za-z]+", "a")
    return pc.replace_substring_regex(letters, "[0-9]+", "9")


def _matches(texts: pa.Array, pattern: str) -> Bools:
    found: Bools = pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return found


_NAMING: Final = frozenset(
    """
    account accounts acct active address age amount anniversary app area at bal balance bank
    billing birth birthday branch business buyer buyers by card cards category cause cell
    certainty channel city client cliente clientes clients code codigo company consumer
    consumers contact count country created crm currency cust custid custids customer customerid
    customerids customers date day days department dept desc description detail district dob
    email end entity expires expiring expiry external family first flag four from full gender
    given group guests guid has hash holder id identifier identifiers ids idx in index
    instrument instruments internal invoice is key keys kind kunde kunden kundennummer kunnr
    lang language last ledger left legacy list locale location mail main member members merchant
    middle mobile modified month name names network new nick no note notes nr num number numbers
    numero of office old on online order orders org organisation organization outcome owner
    partner party patient patients payee payer payment person persons phone pin position post
    postal primary profile province ref reference references refs region remark remarks requests
    row rows sales secondary segment seller sellers sex shipping shop shopper shoppers since sl
    source sr start state status store street subscriber subscribers sum supplier tel telephone
    tier time title to token tokens total town transaction txn type uid uids updated usable user
    userid userids username users uuid value vendor village year zip
    """.split()  # noqa: SIM905  a list of words is read best as one
)
"""Words of names of columns; none is a person's name."""
