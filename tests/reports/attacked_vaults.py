"""Small vaults full of small groups, and what is true of them, counted by hand."""

from __future__ import annotations

import copy
from collections import defaultdict
from datetime import date

from page_attacker import MONTH_NAMES
from report_cases import card

AS_OF = date(2026, 11, 22)
BANKS = {
    "HDFC BANK": "HDFC Bank",
    "AXIS BANK": "Axis Bank",
    "ICICI BANK": "ICICI Bank",
    "Hamlet Bank": "Hamlet Bank",
    "Village Bank": "Village Bank",
}
NETWORKS = {"visa": "Visa", "mastercard": "Mastercard", "rupay": "RuPay", "diners": "Diners Club"}
TYPES = {"debit_card": "debit", "credit_card": "credit", "prepaid_card": "prepaid"}
COUNTRIES = {"IN": "India", "US": "United States", "FJ": "FJ"}
MONTHS = ("2026-05", "2026-10", "2026-11", "2026-12", "2027-01", "2027-03", "2027-09", "2029-02")
UNKNOWN = "not known"


def vault(draw):
    """Draw a vault: cards by customer, None for a customer who was not fetched."""
    shares = [draw.choice((1, 2, 8, 30)) for _ in range(16)]
    found, serial = {}, 0
    for person in range(draw.choice((12, 25, 60, 140))):
        cards = []
        for _ in range(draw.choice((0, 1, 1, 1, 1, 2, 2, 3, 9 if draw.random() < 0.05 else 1))):
            serial += 1
            cards.append(_card(draw, serial, shares))
        if cards and draw.random() < 0.04:
            cards.append(copy.deepcopy(cards[0]))
        failed = draw.random() < draw.choice((0, 0, 0.04))
        found[f"person-{person}"] = None if failed else cards
    return found


def later(draw, before):
    """Draw what a vault has become: cards gone, added, replaced, renewed or changed."""
    shares = [draw.choice((1, 2, 8, 30)) for _ in range(16)]
    rate, after, serial = draw.choice((0.03, 0.1, 0.3)), {}, 10_000
    for person, cards in before.items():
        if draw.random() < 0.02:
            continue
        kept = []
        for one in copy.deepcopy(cards or []):
            fate = draw.choice(("gone", "new id", "status", "renewed", "both", "expiry", "bank"))
            meta = one["instrument_meta"]
            if draw.random() < rate:
                if fate == "gone":
                    continue
                if fate == "new id" and one.get("instrument_id"):
                    one["instrument_id"] += "-again"
                if fate in ("status", "both"):
                    one["instrument_status"] = draw.choice(("ACTIVE", "INACTIVE"))
                if fate in ("renewed", "both"):
                    meta["card_token_details"]["expiry_year"] = "2031"
                if fate == "expiry":
                    meta["card_token_details"]["expiry_year"] = "2025"
                if fate == "bank":
                    meta["card_bank_name"] = draw.choice(list(BANKS))
            kept.append(one)
        if draw.random() < rate:
            serial += 1
            kept.append(_card(draw, serial, shares))
        after[person] = None if cards is None or draw.random() < 0.02 else kept
    return after


def _card(draw, serial, shares):
    def pick(values, at):
        return draw.choices(list(values), shares[at : at + len(values)])[0]

    one = card(
        serial,
        bank=pick([*BANKS, None], 0),
        network=pick([*NETWORKS, "abacus", None], 3) if draw.random() < 0.3 else "visa",
        kind=pick(TYPES, 5),
        country=pick(COUNTRIES, 9),
        status=draw.choices(("ACTIVE", "INACTIVE", "BLOCKED"), (20, 3, 1))[0],
        expires=draw.choice((*MONTHS, *MONTHS, None)),
    )
    if draw.random() < 0.03:
        one["instrument_id"] = None
    if draw.random() < 0.05:
        one["instrument_meta"]["card_token_details"].pop("par")
    return one


class Truth:
    """The cards of one vault, as rows with the labels that a page gives them."""

    def __init__(self, found):
        self.rows = [
            (person, labels(one)) for person, cards in found.items() for one in cards or ()
        ]
        self.people = {person for person, _ in self.rows}
        self.empty = sum(cards == [] for cards in found.values())
        self.failed = sum(cards is None for cards in found.values())

    def group(self, condition):
        """Return how many cards meet a condition, and how many customers have one."""
        people = [person for person, row in self.rows if condition(row)]
        return len(people), len(set(people))


def labels(one):
    """Return what a page calls the values of a raw card."""
    meta = one["instrument_meta"]
    details = meta["card_token_details"]
    month = details["expiry_month"]
    expiry = None if month is None else (int(details["expiry_year"]), int(month))
    status = one["instrument_status"]
    bank = meta["card_bank_name"]
    return {
        "card_network": NETWORKS.get(meta["card_network"], UNKNOWN),
        "network_sent": meta["card_network"] is not None,
        "bank": UNKNOWN if bank is None else BANKS[bank],
        "card_type": TYPES[meta["card_type"]],
        "card_country": COUNTRIES[meta["card_country"]],
        "instrument_status": status if status in ("ACTIVE", "INACTIVE") else UNKNOWN,
        "bucket": bucket(expiry),
        "month": None if expiry is None else f"{MONTH_NAMES[expiry[1] - 1]} {expiry[0]}",
        "has_id": one["instrument_id"] is not None,
        "has_par": "par" in details,
    }


def bucket(expiry):
    """Return the bucket of a month of expiry, a pair of year and month."""
    if expiry is None:
        return UNKNOWN
    year, month = expiry
    first_after = date(year + month // 12, month % 12 + 1, 1)
    left = (first_after - AS_OF).days - 1
    if left < 0:
        return "already expired"
    return next(
        (name for end, name in ((30, "0-30 days"), (60, "31-60 days"), (90, "61-90 days"))
         if left <= end),
        "later",
    )  # fmt: skip


def became(before, after):
    """Return the lines of a comparison as (cards, customers), by name; ids once a customer."""
    lines = defaultdict(list)
    for person in {*before, *after}:
        old, new = before.get(person), after.get(person)
        both = old is not None and new is not None
        sides = {}
        for side, cards in (("old", old), ("new", new)):
            known = {}
            for one in sorted(cards or (), key=_usable):
                if one["instrument_id"] is None:
                    lines[f"without id {side}"].append(person)
                elif one["instrument_id"] in known:
                    lines[f"repeated {side}"].append(person)
                else:
                    known[one["instrument_id"]] = one
            sides[side] = known
        for name in sides["old"].keys() & sides["new"].keys():
            kinds = _kinds(sides["old"][name], sides["new"][name])
            lines["changed" if kinds else "unchanged"].append(person)
            for kind in kinds:
                lines[kind].append(person)
        gone = sides["old"].keys() - sides["new"].keys()
        came = sides["new"].keys() - sides["old"].keys()
        again = {name for name in gone if both and f"{name}-again" in came}
        lines["replaced"] += [person] * len(again)
        lines["gone" if both else "unknown old"] += [person] * (len(gone) - len(again))
        lines["added" if both else "unknown new"] += [person] * (len(came) - len(again))
    return {name: (len(people), len(set(people))) for name, people in lines.items()}


def _usable(one):
    """Order cards as a comparison picks one of those with the same id: the most usable first."""
    details = one["instrument_meta"]["card_token_details"]
    month = int(details["expiry_year"] or 0) * 12 + int(details["expiry_month"] or 0)
    return one["instrument_status"] != "ACTIVE", -month


def _kinds(old, new):
    before, after = labels(old), labels(new)
    kinds = []
    if before["instrument_status"] != after["instrument_status"]:
        kinds.append("status changed")
    dates = [
        tuple(
            int(one["instrument_meta"]["card_token_details"][name] or 0)
            for name in ("expiry_year", "expiry_month")
        )
        for one in (old, new)
    ]
    known = [one["instrument_meta"]["card_token_details"]["expiry_month"] for one in (old, new)]
    if dates[0] != dates[1] and None not in known:
        kinds.append("renewed" if dates[1] > dates[0] else "expiry changed")
    if UNKNOWN not in (before["bank"], after["bank"]) and before["bank"] != after["bank"]:
        kinds.append("details changed")
    return kinds
