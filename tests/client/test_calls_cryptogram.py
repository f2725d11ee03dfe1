"""A cryptogram shows nothing of itself."""

from __future__ import annotations

import copy
import inspect
import json
import logging
import pickle
import pprint
import traceback

import orjson
import pandas as pd
import pyarrow as pa
import pytest

from tokenvault_data.client.calls import FIELDS, Cryptogram
from tokenvault_data.redaction import scrub

RECEIVED = {
    "instrument_id": "i1",
    "token_requestor_id": "40000000001",
    "card_number": "4895370012003478",
    "card_expiry_mm": "05",
    "card_expiry_yy": "2029",
    "cryptogram": "AgAAAAAABk4DWZ4C28yUQAAAAAA=",
    "card_display": "3478",
    "surprise": "not documented",
}
HIDDEN = ("4895370012003478", "AgAAAAAABk4DWZ4C28yUQAAAAAA=", "40000000001")


@pytest.fixture
def cryptogram():
    return Cryptogram(RECEIVED)


def test_reveal_gives_the_documented_fields(cryptogram):
    """The payment call gets every documented field in clear, and a dict of its own."""
    revealed = cryptogram.reveal()
    assert revealed == {name: RECEIVED[name] for name in FIELDS}
    revealed.clear()
    assert cryptogram.reveal()["card_number"] == RECEIVED["card_number"]


def test_a_missing_field_is_none():
    """Fields that the vault left out are None, not an error."""
    assert Cryptogram({"cryptogram": "abcd"}).reveal()["card_number"] is None


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        format,
        "{!r:>40}".format,
        lambda it: f"{it:>40}",
        lambda it: "%s" % it,  # noqa: UP031  the spelling that logging uses
        pprint.pformat,
        lambda it: repr([it, {"c": it}]),
        lambda it: repr(inspect.getmembers(it)),
        lambda it: pd.DataFrame({"c": [it]}).to_string(),
        lambda it: pd.DataFrame({"c": [it]}).to_csv(),
        lambda it: repr(pd.Series([it])),
    ],
)
def test_nothing_that_shows_it_shows_its_content(cryptogram, show):
    """Printing, formatting, inspecting and tables show only that there is one."""
    shown = show(cryptogram)
    assert "Cryptogram(****)" in shown
    assert not any(hidden in shown for hidden in HIDDEN)


@pytest.mark.parametrize(
    "carry",
    [
        pickle.dumps,
        lambda it: pickle.dumps(it, protocol=0),
        copy.copy,
        copy.deepcopy,
        lambda it: it.__getstate__(),
        vars,
        dict,
        list,
        json.dumps,
        orjson.dumps,
        lambda it: pa.array([it]),
        lambda it: pa.table({"c": [it]}),
        lambda it: pa.Table.from_pandas(pd.DataFrame({"c": [it]})),
    ],
)
def test_it_cannot_be_carried_away(cryptogram, carry):
    """It is not copied, pickled, written as JSON, or turned into a column."""
    with pytest.raises((TypeError, pa.ArrowInvalid)) as raised:
        carry(cryptogram)
    assert not any(hidden in str(raised.value) for hidden in HIDDEN)


def test_logs_and_tracebacks_with_locals_do_not_show_it(cryptogram, caplog):
    """A traceback that prints local variables prints the mask."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("payments").debug("got %s %r", cryptogram, cryptogram)
    with pytest.raises(KeyError) as raised:
        _ = {}[cryptogram]
    stack = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    shown = "".join(stack.format())
    assert "Cryptogram(****)" in shown
    assert not any(hidden in shown + caplog.text for hidden in HIDDEN)


def test_the_redacting_filter_knows_its_secrets(cryptogram):
    """A line in which something else shows card number or cryptogram is scrubbed."""
    line = f"posting {RECEIVED['card_number']} {RECEIVED['cryptogram']}"
    assert not any(hidden in scrub(line) for hidden in HIDDEN)
    assert cryptogram.reveal()["cryptogram"] == RECEIVED["cryptogram"]
