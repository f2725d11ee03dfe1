"""How fast raw answers become a table: ours against ``json.loads`` with ``pandas.json_normalize``.

Both get the same bodies in the same batches, in turn, and both keep only a running count. The
peer makes a plain table of text columns; ours canonicalises, dates, and counts anomalies as well.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from pathlib import Path

import pandas as pd

from tokenvault_data.dataset.flatten import ReceivedBody, flatten

BATCH_CUSTOMERS = 2_000
GOAL = 10.0
_NETWORKS = ("VISA", "visa", "mastercard", "MASTERCARD", "rupay", "RUPAY", "amex", "diners")
_BANKS = ("HDFC Bank Limited", "HDFC BANK", "AXIS BANK", "ICICI BANK", "State Bank of India")
_VERSIONS = ("2022-09-01", "2023-08-01", "2025-01-01")


def make_bodies(cards: int, seed: int) -> list[ReceivedBody]:
    """Return answers that hold at least `cards` cards in the dialects of three API versions."""
    rnd = random.Random(seed)
    bodies: list[ReceivedBody] = []
    made = 0
    while made < cards:
        customer = f"cust_{len(bodies):07d}"
        version = rnd.choice(_VERSIONS)
        count = rnd.choice((0, 1, 1, 2, 2, 3, 4, 6))
        body = json.dumps([_card(rnd, customer, version) for _ in range(count)]).encode()
        bodies.append(ReceivedBody(customer, body, 1_700_000_000_000_000 + made, version))
        made += count
    return bodies


def _card(rnd: random.Random, customer: str, version: str) -> dict[str, object]:
    day, clock = f"20{rnd.randrange(21, 26)}-{rnd.randrange(1, 13):02d}-11", "16:57:57"
    old = version == "2022-09-01"
    year = rnd.randrange(2023, 2032)
    meta: dict[str, object] = {
        "card_network": rnd.choice(_NETWORKS),
        "card_bank_name": rnd.choice(_BANKS),
        "card_country": "IN",
        "card_type": rnd.choice(("DEBIT_CARD", "CREDIT_CARD", "debit_card", "prepaid_card")),
        "card_token_details": {
            "par": f"V{rnd.randrange(10**28):028d}",
            "expiry_month": f"{rnd.randrange(1, 13):02d}",
            "expiry_year": str(year)[2:] if old else str(year),
        },
    }
    if not old:
        meta["card_sub_type"] = rnd.choice("RPC")
    return {
        "customer_id": customer,
        "afa_reference": str(rnd.randrange(10**9)),
        "instrument_id": f"{rnd.randrange(16**8):08x}-ba45-4a60-9e6a-{rnd.randrange(16**12):012x}",
        "instrument_type": "card",
        "instrument_uid": f"{rnd.getrandbits(256):064x}",
        "instrument_display": f"xxxxxxxxxxxx{rnd.randrange(10**4):04d}",
        "instrument_status": rnd.choice(("ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE")),
        "created_at": f"{day} {clock}" if old else f"{day}T{clock}.000+00:00",
        "instrument_meta": meta,
    }


def _peer(batch: list[ReceivedBody]) -> int:
    records = [record for received in batch for record in json.loads(received.body)]
    return len(pd.json_normalize(records))


def _ours(batch: list[ReceivedBody]) -> int:
    return flatten(batch).table.num_rows


def _timed(work, batches: list[list[ReceivedBody]]) -> tuple[int, float]:
    start = time.perf_counter()
    rows = sum(work(batch) for batch in batches)
    return rows, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the result to this file")
    given = parser.parse_args()

    bodies = make_bodies(given.cards, given.seed)
    size = sum(len(received.body) for received in bodies)
    batches = [bodies[i : i + BATCH_CUSTOMERS] for i in range(0, len(bodies), BATCH_CUSTOMERS)]
    _ours(batches[0])
    _peer(batches[0])
    peer_rates, our_rates = [], []
    for number in range(1, given.rounds + 1):
        peer_rows, peer_seconds = _timed(_peer, batches)
        our_rows, our_seconds = _timed(_ours, batches)
        if our_rows != peer_rows:
            raise SystemExit(f"the peer found {peer_rows} cards, we found {our_rows}")
        peer_rates.append(peer_rows / peer_seconds)
        our_rates.append(our_rows / our_seconds)
        print(
            f"round {number}: json_normalize {peer_rates[-1]:,.0f} rows/s, "
            f"flatten {our_rates[-1]:,.0f} rows/s, ratio {our_rates[-1] / peer_rates[-1]:.1f}"
        )
    ratios = [ours / peer for ours, peer in zip(our_rates, peer_rates, strict=True)]
    result = {
        "benchmark": "flatten",
        "cards": peer_rows,
        "bytes_per_card": round(size / peer_rows),
        "peer": "json.loads + pandas.json_normalize",
        "peer_rows_per_second": round(statistics.median(peer_rates)),
        "rows_per_second": round(statistics.median(our_rates)),
        "ratio": round(statistics.median(ratios), 2),
        "goal": GOAL,
    }
    print(json.dumps(result, indent=2))
    if given.json:
        given.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
