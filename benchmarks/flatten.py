"""How fast raw answers become a table: ours against ``json.loads`` with ``pandas.json_normalize``.

The peer is what one writes by hand: decode every answer, normalise all records in one call, get a
frame of text columns. It is measured a second time on the batches that ours gets, which spares its
memory. Ours canonicalises, dates and counts anomalies as well, batch by batch, as a collection
does. All take turns on the same bodies; wall and processor time are given for each.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from pathlib import Path

import pandas as pd

from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten

BATCH_CUSTOMERS = 2_000
GOAL = 6.0
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


def _timed(work, batches: list[list[ReceivedBody]]) -> tuple[int, float, float]:
    """Return rows, and wall and processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    rows = sum(work(batch) for batch in batches)
    return rows, time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the result to this file")
    given = parser.parse_args()

    bodies = make_bodies(given.cards, given.seed)
    size_bytes = sum(len(received.body) for received in bodies)
    batches = [bodies[i : i + BATCH_CUSTOMERS] for i in range(0, len(bodies), BATCH_CUSTOMERS)]
    contestants = {
        "json_normalize": (_peer, [bodies]),
        "json_normalize in batches": (_peer, batches),
        "flatten": (_ours, batches),
    }
    _ours(batches[0])
    _peer(batches[0])
    walls: dict[str, list[float]] = {name: [] for name in contestants}
    processors: dict[str, list[float]] = {name: [] for name in contestants}
    found = set()
    for number in range(1, given.rounds + 1):
        for name, (work, parts) in contestants.items():
            rows, wall, processor = _timed(work, parts)
            found.add(rows)
            walls[name].append(wall)
            processors[name].append(processor)
            print(
                f"round {number}: {name:26} {rows / wall:9,.0f} rows/s, "
                f"{processor / rows * 1e6:5.1f} µs of processor a row"
            )
    if len(found) != 1:
        raise SystemExit(f"the contestants found different numbers of cards: {found}")
    (rows,) = found

    def ratio(peer: str, seconds: dict[str, list[float]]) -> float:
        rounds = zip(seconds[peer], seconds["flatten"], strict=True)
        return round(statistics.median(theirs / ours for theirs, ours in rounds), 2)

    result = {
        "benchmark": "flatten",
        "cards": rows,
        "bytes_per_card": round(size_bytes / rows),
        "rows_per_second": {n: round(rows / statistics.median(s)) for n, s in walls.items()},
        "ratio": ratio("json_normalize", walls),
        "ratio_processor": ratio("json_normalize", processors),
        "ratio_in_batches": ratio("json_normalize in batches", walls),
        "goal": GOAL,
    }
    print(json.dumps(result, indent=2))
    if given.json:
        given.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
