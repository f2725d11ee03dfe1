"""Customers by whether they can still pay, against judgements made card by card in Python."""

from datetime import date

from analysis_cases import card, publish, table_of
from expiry_cases import DAYS, VAULTS, last_day, raw, table_from
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.outreach import (
    OUTLOOKS,
    customer_outlook,
    customers_at_risk,
    customers_without_usable_card,
)
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.schema import INSTRUMENTS

DAY = date(2026, 11, 22)
BANKS = load_bank_names()


def judge(row, day):
    """True, False or None: is, is not, may be usable."""
    last, status = last_day(row["expires"]), row["instrument_status"]
    if status not in (None, "ACTIVE") or (last is not None and last < day):
        return False
    return None if status is None or last is None else True


@settings(max_examples=15, deadline=None)
@given(VAULTS, DAYS, st.integers(0, 400))
def test_customers_at_risk_are_those_whose_usable_cards_all_expire(vault, day, within):
    """A customer is listed with the last usable day, card and doubt that going by cards gives."""
    wanted = {}
    for customer, rows in vault.items():
        usable = [row for row in rows if judge(row, day)]
        if not usable:
            continue
        until = max(last_day(row["expires"]) for row in usable)
        if (until - day).days > within:
            continue
        last_card = next(row for row in usable if last_day(row["expires"]) == until)
        doubtful = [
            row
            for row in rows
            if judge(row, day) is None and (last_day(row["expires"]) or date.max) > until
        ]
        doubt = "certain"
        if doubtful:
            open_end = any(row["expires"] is None for row in doubtful)
            doubt = f"unknown {'expiry' if open_end else 'status'} on another card"
        network = last_card["card_network"]
        wanted[customer] = (len(usable), until, (until - day).days, network, doubt)
    table = customers_at_risk(table_from(vault), within, as_of=day, banks=BANKS)
    rows = table.arrow().to_pylist()
    names = ("cards_expiring", "last_usable_on", "days_left", "card_network", "certainty")
    assert {row["customer_id"]: tuple(row[n] for n in names) for row in rows} == wanted
    assert len(rows) == len(wanted)
    order = [(row["days_left"], row["customer_id"]) for row in rows]
    assert order == sorted(order)


@settings(max_examples=15, deadline=None)
@given(VAULTS, DAYS)
def test_customers_without_a_usable_card_have_their_reason(vault, day):
    """A customer with cards and none usable is listed once, with the reason its cards give."""
    wanted = {}
    for customer, rows in vault.items():
        judged = [judge(row, day) for row in rows]
        if not rows or True in judged:
            continue
        past = [last_day(r["expires"]) for r in rows if r["expires"]]
        past = [last for last in past if last < day]
        expired = [
            r["instrument_status"] == "EXPIRED"
            or (r["expires"] is not None and last_day(r["expires"]) < day)
            for r in rows
        ]
        reason = {(True,): "expired", (False,): "inactive"}.get(
            tuple(set(expired)), "expired and inactive"
        )
        reason = "unknown" if None in judged else reason
        wanted[customer] = (reason, len(rows), max(past, default=None))
    rows = customers_without_usable_card(table_from(vault), as_of=day).arrow().to_pylist()
    names = ("reason", "cards", "last_expired_on")
    assert {row["customer_id"]: tuple(row[n] for n in names) for row in rows} == wanted
    assert len(rows) == len(wanted)
    order = ["expired", "inactive", "expired and inactive", "unknown"]
    places = [order.index(row["reason"]) for row in rows]
    assert places == sorted(places)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(VAULTS, DAYS, st.sets(st.sampled_from(["x0", "x1", "x2"])), st.sets(st.sampled_from(["y0"])))
def test_every_customer_falls_under_exactly_one_outlook(tmp_path, vault, day, failed, left):
    """The rows add up to the customers asked for, and each is what going by cards gives."""
    counts = dict.fromkeys(OUTLOOKS, 0)
    for rows in vault.values():
        judged = {judge(row, day) for row in rows}
        outlook = "none usable" if rows else "no cards"
        outlook = "may be usable" if None in judged else outlook
        counts["usable" if True in judged else outlook] += 1
    counts["not fetched"] = len(failed) + len(left)
    sent = {customer: [raw(row) for row in rows] for customer, rows in vault.items()}
    snapshot = publish(tmp_path, sent, failed=sorted(failed), not_attempted=sorted(left))
    table = customer_outlook(snapshot, as_of=day)
    assert dict(zip(table["outlook"], table["customers"], strict=True)) == counts
    assert table["customers"].sum() == snapshot.manifest.requested
    with_cards = customer_outlook(snapshot.to_arrow(), as_of=day)
    assert with_cards["customers"].to_list()[:3] == table["customers"].to_list()[:3]
    assert with_cards["customers"].isna().to_list() == [False, False, False, True, True]
    listed = len(customers_without_usable_card(snapshot, as_of=day))
    assert listed == counts["none usable"] + counts["may be usable"]


def test_the_last_day_counts_for_customers_too():
    """A customer is at risk on the last day of the only card, and without one the day after."""
    table = table_of({"c": [card(expires="2028-02")]})
    at_risk = customers_at_risk(table, 0, as_of="2028-02-29")
    assert at_risk["days_left"].to_list() == [0]
    assert len(customers_without_usable_card(table, as_of="2028-02-29")) == 0
    assert len(customers_at_risk(table, 0, as_of="2028-03-01")) == 0
    without = customers_without_usable_card(table, as_of="2028-03-01")
    assert without["reason"].to_list() == ["expired"]
    assert without["last_expired_on"].dt.date.to_list() == [date(2028, 2, 29)]


def test_the_first_of_several_last_cards_is_named():
    """Of cards that last equally long the first in the list is named, whatever its fields lack."""
    first = card("a", expires="2026-12", card_bank_name=None, instrument_display=None)
    second = card("b", expires="2026-12", instrument_display="XXXXXXXXXXXX9999")
    table = customers_at_risk(table_of({"c": [first, second]}), as_of=DAY)
    assert table["cards_expiring"].to_list() == [2]
    assert table.arrow().column("last_four").to_pylist() == [None]
    assert table.arrow().column("bank").to_pylist() == [None]


def test_a_repeated_id_does_not_make_a_customer_safe():
    """A card listed twice is still the customer's only one."""
    table = table_of({"c": [card(expires="2026-12"), card(expires="2026-12")]})
    assert customers_at_risk(table, as_of=DAY)["certainty"].to_list() == ["certain"]


def test_a_card_of_unknown_status_that_ends_first_leaves_no_doubt():
    """Only a further card that may outlast the usable ones makes a customer uncertain."""
    ends = {"before": "2026-11", "with it": "2026-12", "after": "2027-01", "unknown": None}
    vault = {
        name: [
            card("a", expires="2026-12"),
            card("b", instrument_status=None, expires=end)
            if end
            else card("b", instrument_status=None, expiry_month=None),
        ]
        for name, end in ends.items()
    }
    rows = customers_at_risk(table_of(vault), as_of=DAY)
    assert dict(zip(rows["customer_id"], rows["certainty"], strict=True)) == {
        "before": "certain",
        "with it": "certain",
        "after": "unknown status on another card",
        "unknown": "unknown expiry on another card",
    }


def test_the_reasons_are_a_whole():
    """A card that is expired and INACTIVE is expired; the note counts every customer once."""
    vault = {
        "both in one": [card(expires="2026-01", instrument_status="INACTIVE")],
        "one of each": [card("a", expires="2026-01"), card("b", instrument_status="FAILED")],
        "off": [card(instrument_status="INACTIVE")],
        "who knows": [card(instrument_status=None), card("b", expires="2026-01")],
    }
    table = customers_without_usable_card(table_of(vault), as_of=DAY)
    assert dict(zip(table["customer_id"], table["reason"], strict=True)) == {
        "both in one": "expired",
        "one of each": "expired and inactive",
        "off": "inactive",
        "who knows": "unknown",
    }
    assert "1 expired, 1 inactive, 1 expired and inactive, 1 unknown." in " ".join(table.notes)


def test_failed_customers_are_in_no_list_and_in_a_note(tmp_path):
    """Of a customer not fetched nothing is claimed, and the tables say how many there are."""
    snapshot = publish(tmp_path, {"c": [card(expires="2026-12")]}, failed=["x"])
    for table in (
        customers_at_risk(snapshot, as_of=DAY),
        customers_without_usable_card(snapshot, as_of=DAY),
    ):
        assert "x" not in table["customer_id"].to_list()
        assert "1 of 2 customers were not fetched" in " ".join(table.notes)


def test_without_cards_nobody_is_listed(tmp_path):
    """Empty sources give empty lists, and an outlook that counts the customers without cards."""
    empty = INSTRUMENTS.empty_table()
    assert len(customers_at_risk(empty, as_of=DAY)) == 0
    assert len(customers_without_usable_card(empty, as_of=DAY)) == 0
    assert customer_outlook(empty, as_of=DAY)["customers"].to_list()[:3] == [0, 0, 0]
    snapshot = publish(tmp_path, {"c": [], "d": []})
    assert customer_outlook(snapshot, as_of=DAY)["customers"].to_list() == [0, 0, 0, 2, 0]
