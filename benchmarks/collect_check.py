"""Is what `collect` publishes right? Every cell against a plain reading of the emulator's truth."""

from __future__ import annotations

import argparse
import calendar
import json
import tempfile
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import tokenvault_data as tv
from benchmarks.collect_peers import API_VERSION, customer_ids
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.emulator.population.population import Population
from tokenvault_data.emulator.process import emulator_process
from tokenvault_data.emulator.settings import EmulatorSettings

_INDIA = timezone(timedelta(hours=5, minutes=30))
_SUB_TYPES = {"R": "retail", "P": "premium", "C": "corporate"}
_RECEIVED = {
    "instrument_type_received": "instrument_type",
    "instrument_status_received": "instrument_status",
    "created_at_received": "created_at",
    "card_network_received": "card_network",
    "card_bank_received": "card_bank_name",
    "card_country_received": "card_country",
    "card_type_received": "card_type",
    "card_sub_type_received": "card_sub_type",
    "expiry_month_received": "expiry_month",
    "expiry_year_received": "expiry_year",
}


def compare(customers: int) -> dict[str, int]:
    """Collect a small population and count the cells that differ from the reference."""
    settings = EmulatorSettings(
        customers=customers, as_of=datetime.now(UTC).date(), wire_log_entries=0
    )
    with (
        tempfile.TemporaryDirectory(prefix="tokenvault-bench-") as folder,
        emulator_process(settings) as url,
        tv.connect(emulator_profile(url, api_version=API_VERSION), share=1.0) as vault,
    ):
        snapshot = tv.collect(vault, customer_ids(customers), store=folder, progress=False)
        rows = snapshot.to_arrow().sort_by(
            [("customer_id", "ascending"), ("list_position", "ascending")]
        )
        found = rows.to_pylist()
    population = Population(settings)
    wanted = [
        reference_row(customer_id, place, card)
        for customer_id in customer_ids(customers)
        for place, card in enumerate(population.instruments(customer_id, API_VERSION))
    ]
    cells = differing = 0
    for have, want in zip(found, wanted, strict=False):
        cells += len(want)
        differing += sum(have[name] != value for name, value in want.items())
    return {
        "customers": customers,
        "rows": len(found),
        "rows_missing_or_extra": abs(len(found) - len(wanted)),
        "cells": cells,
        "cells_differing": differing,
    }


def reference_row(customer_id: str, place: int, card: dict[str, Any]) -> dict[str, Any]:
    """Read one card as the documentation says, one field at a time."""
    meta = card.get("instrument_meta") or {}
    token = meta.get("card_token_details") or {}
    sent = {**card, **meta, **token}
    display, kind, country = (
        sent.get(name) for name in ("instrument_display", "card_type", "card_country")
    )
    month, year = _number(sent.get("expiry_month")), _number(sent.get("expiry_year"))
    year = year + 2000 if year is not None and year < 100 else year
    return {
        "customer_id": customer_id,
        "list_position": place,
        **{
            name: sent.get(name)
            for name in ("instrument_id", "instrument_uid", "afa_reference", "par")
        },
        **{column: sent.get(field) for column, field in _RECEIVED.items()},
        "instrument_type": sent.get("instrument_type"),
        "instrument_status": sent.get("instrument_status"),
        "instrument_display": display,
        "last_four": display and display[-4:],
        "created_at": _instant(sent.get("created_at")),
        "card_network": _lower(sent.get("card_network")),
        "card_bank": sent.get("card_bank_name"),
        "card_country": country and country.upper(),
        "card_type": kind and kind.lower().removesuffix("_card"),
        "card_sub_type": _SUB_TYPES.get(sent.get("card_sub_type", "")),
        "expiry_month": month,
        "expiry_year": year,
        "expires_on": _last_day(year, month),
        "api_version": API_VERSION,
        "customer_id_received": None,
        "extra": None,
    }


def _lower(text: str | None) -> str | None:
    return text and text.lower()


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=_INDIA)).astimezone(UTC)


def _last_day(year: int | None, month: int | None) -> date | None:
    if year is None or month is None:
        return None
    return date(year, month, calendar.monthrange(year, month)[1])


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--customers", type=int, default=2_000)
    print(json.dumps(compare(options.parse_args().customers)))
