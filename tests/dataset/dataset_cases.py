"""Cards, bodies and outcomes that the tests of the dataset build on."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime

import pyarrow as pa
from hypothesis import strategies as st

from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten
from tokenvault_data.dataset.schema import OUTCOMES
from tokenvault_data.dataset.snapshot_writer import CollectionFacts, SnapshotWriter

FETCHED_US = 1_700_000_000_123_456
NOW = datetime(2026, 11, 22, 10, 48, tzinfo=UTC)

CARD = {
    "customer_id": "cust_1",
    "afa_reference": "740324562",
    "instrument_id": "54deabb4-ba45-4a60-9e6a-9c016fe7ab10",
    "instrument_type": "card",
    "instrument_uid": "0d8f70838cc5af8b1cd2bc0fe71278551fd3f1101e40020d89ad22ceba4f933c",
    "instrument_display": "xxxxxxxxxxxx4375",
    "instrument_status": "ACTIVE",
    "created_at": "2021-11-11 16:57:57",
    "instrument_meta": {
        "card_network": "VISA",
        "card_bank_name": "HDFC Bank Limited",
        "card_country": "IN",
        "card_type": "DEBIT_CARD",
        "card_token_details": {"par": "somepar", "expiry_month": "12", "expiry_year": "23"},
    },
}


def card(**changes):
    """Return the documented card with fields changed, wherever they are nested."""
    made = copy.deepcopy(CARD)
    meta, token = made["instrument_meta"], made["instrument_meta"]["card_token_details"]
    for name, value in changes.items():
        place = token if name in token else meta if name in meta else made
        place = meta if name == "card_sub_type" else place
        place[name] = value
    return made


def body(content, customer="cust_1", version="2022-09-01"):
    """Return a received body; `content` is bytes, or a value to be sent as JSON."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return ReceivedBody(customer, data, FETCHED_US, version)


def row(**changes):
    """Return the one row that a card with fields changed becomes."""
    return flatten([body([card(**changes)])]).table.to_pylist()[0]


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
nonsense = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def _leaf(*plausible):
    return st.sampled_from(plausible) | nonsense


_token = st.fixed_dictionaries(
    {},
    optional={
        "par": _leaf("V001"),
        "expiry_month": _leaf("5", "05", "12", "0", "13", 5),
        "expiry_year": _leaf("23", "2028", "1999", 2028),
        "unknown": nonsense,
    },
)
_meta = st.fixed_dictionaries(
    {},
    optional={
        "card_network": _leaf("VISA", "RuPay", "abacus", ""),
        "card_bank_name": _leaf("HDFC  BANK", " ", "ABC"),
        "card_country": _leaf("IN", "in", "ZZ"),
        "card_type": _leaf("DEBIT_CARD", "credit"),
        "card_sub_type": _leaf("R", "X"),
        "card_token_details": _token | nonsense,
        "issuer": nonsense,
    },
)
instruments = st.fixed_dictionaries(
    {},
    optional={
        "customer_id": _leaf("cust_1", "cust_2"),
        "afa_reference": _leaf("740324562", 740324562),
        "instrument_id": _leaf("54deabb4"),
        "instrument_type": _leaf("card", "CARD", "upi"),
        "instrument_uid": _leaf("0d8f"),
        "instrument_display": _leaf("xxxxxxxxxxxx4375", "4375", "4111111111111111"),
        "instrument_status": _leaf("ACTIVE", "inactive", "BLOCKED"),
        "created_at": _leaf("2021-11-11 16:57:57", "2023-11-01T04:55:07.000+00:00", "soon"),
        "instrument_meta": _meta | nonsense,
        "nickname": nonsense,
    },
)
elements = instruments | nonsense


def outcomes(*kinds, start=0):
    """Return an outcomes table; each kind is an outcome or ``(outcome, instruments)``."""
    rows = []
    for place, kind in enumerate(kinds, start):
        outcome, count = kind if isinstance(kind, tuple) else (kind, 0)
        rows.append(
            {
                "customer_id": f"cust_{place}",
                "position": place,
                "outcome": outcome,
                "cause": "http_500" if outcome == "failed" else None,
                "instruments": count,
                "requests": 1,
                "finished_at": NOW,
            }
        )
    return pa.Table.from_pylist(rows, schema=OUTCOMES)


def cards_table(count=2, customer="cust_0"):
    """Return instruments of one customer."""
    return flatten([body([card(customer_id=customer)] * count, customer)]).table


def facts(requested, **changes):
    """Return what a snapshot records of its collection."""
    given = {
        "requested": requested,
        "environment": "emulator",
        "api_version": "2022-09-01",
        "started_at": NOW,
        "finished_at": NOW,
        "merchant": "abcdef012345",
    }
    return CollectionFacts(**(given | changes))


def publish(store, *kinds, now=NOW, **changes):
    """Publish a small snapshot with these outcomes; a fetched customer has two cards."""
    kinds = [("fetched", 2) if kind == "fetched" else kind for kind in kinds]
    with SnapshotWriter(store, now=now) as writer:
        for place, kind in enumerate(kinds):
            table = cards_table(2 if kind == ("fetched", 2) else 0, f"cust_{place}")
            writer.add(table, outcomes(kind, start=place))
        return writer.publish(facts(len(kinds), **changes))
