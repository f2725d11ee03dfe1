"""Random vaults as raw JSON: the emulator's own, of all dialects and ages, with nonsense put in."""

from __future__ import annotations

import copy
import json
from datetime import date

from hypothesis import strategies as st

from tokenvault_data.emulator.dialects import API_VERSIONS
from tokenvault_data.emulator.population.population import Population
from tokenvault_data.emulator.settings import EmulatorSettings

AS_OF_DAYS = st.sampled_from(
    [
        date(2026, 11, 22),
        date(2026, 11, 30),  # the last day on which a card of 11/26 is valid
        date(2026, 12, 1),
        date(2028, 2, 28),  # a leap year
        date(2028, 2, 29),
        date(2028, 3, 1),
        date(2027, 12, 31),
    ]
)

# What a field may hold besides what the emulator puts there: other spellings and nonsense, each of
# a kind that was seen in the documentation, or that a broken system would send.
_VALUES = {
    "instrument_id": [None, "", "same-id", 17],
    "instrument_uid": [None, "", " ", "a" * 64, "b" * 64],
    "instrument_status": [None, "", "active", " INACTIVE ", "EXPIRED", "FAILED", "BLOCKED", 1, {}],
    "instrument_display": [None, "", "4375", "xxxx1234", "****9999", "last four digits", "12"],
    "created_at": [None, "", "2024-02-29 23:59:59", "2023-12-31T18:30:00.000+00:00",
                   "2024-01-01T00:00:00+05:30", "2023-02-30 10:00:00", "soon"],
    "card_network": [None, "", "VISA", "Master Card", "American Express", "RuPay", "abacus", []],
    "card_bank_name": [None, "", "  ", " HDFC   BANK ", "=HYPERLINK(1)", "<b>Bank</b>", 7,
                       "N/A", "null", " - ", "None", "(none)", "(other)", "Other"],
    "card_country": [None, "", "in", " us ", "IND", "ZZ", "India"],
    "card_type": [None, "", "DEBIT_CARD", "credit", "Prepaid_Card", "charge"],
    "card_sub_type": [None, "", "R", "premium", "C", "X"],
    "par": [None, "", "  ", "V001PAR", "V001OTHER"],
    "expiry_month": [None, "", "5", "05", "12", "2", "02", 7, "0", "13", "1.5", "MAY"],
    "expiry_year": [None, "", "23", "2028", "28", 2026, 27, "1999", "2100", "026", "00", "99"],
}  # fmt: skip
_TOP = ("instrument_id", "instrument_uid", "instrument_status", "instrument_display", "created_at")
_TOKEN = ("par", "expiry_month", "expiry_year")


@st.composite
def _mutation(draw):
    field = draw(st.sampled_from(sorted(_VALUES)))
    return field, draw(st.sampled_from(_VALUES[field]))


def _mutate(card, mutations):
    card = copy.deepcopy(card)
    if not isinstance(card, dict):
        return card
    for field, value in mutations:
        meta = card.get("instrument_meta")
        if field in _TOP:
            card[field] = value
        elif isinstance(meta, dict) and field not in _TOKEN:
            meta[field] = value
        elif isinstance(meta, dict) and isinstance(meta.get("card_token_details"), dict):
            meta["card_token_details"][field] = value
    return card


@st.composite
def vaults(draw, customers=25):
    """Draw a vault: a list of ``(customer, outcome, cards)``.

    Every customer answers in a dialect of its own; a few cards are mutated, some elements are no
    cards at all, some customers failed.
    """
    population = Population(
        EmulatorSettings(
            customers=customers, seed=draw(st.integers(0, 10_000)), as_of=draw(AS_OF_DAYS)
        )
    )
    result = []
    for customer in population.customer_ids():
        version = draw(st.sampled_from(API_VERSIONS))
        cards = population.instruments(customer, version)
        if draw(st.integers(0, 2)) == 0:
            cards = [
                _mutate(card, draw(st.lists(_mutation(), min_size=1, max_size=4))) for card in cards
            ]
        if draw(st.integers(0, 19)) == 0:
            cards = [
                *cards,
                draw(st.sampled_from([None, 7, "card", [], {}, {"instrument_meta": 3}])),
            ]
        outcome = "failed" if draw(st.integers(0, 11)) == 0 else "fetched" if cards else "empty"
        result.append((customer, outcome, [] if outcome == "failed" else cards))
    return result


@st.composite
def successions(draw):
    """Draw two vaults of the same customers: what is, and what became of it."""
    before = draw(vaults(customers=15))
    after = []
    for customer, _, cards in before:
        later = []
        for card in cards:
            fate = draw(st.integers(0, 9))
            if fate == 0:
                continue
            if fate == 1:
                later.append(_mutate(card, draw(st.lists(_mutation(), min_size=1, max_size=3))))
            elif fate == 2 and isinstance(card, dict):
                later.append(card | {"instrument_id": f"new-{draw(st.integers(0, 3))}"})
            else:
                later.append(copy.deepcopy(card))
        if draw(st.integers(0, 6)) == 0 and before[0][2]:
            new = draw(st.sampled_from([c for _, _, cs in before for c in cs] or [None]))
            later.append(json.loads(json.dumps(new)))
        outcome = "failed" if draw(st.integers(0, 9)) == 0 else "fetched" if later else "empty"
        after.append((customer, outcome, [] if outcome == "failed" else later))
    return before, after[draw(st.integers(0, 2)) :]
