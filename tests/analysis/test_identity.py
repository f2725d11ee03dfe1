"""Shared cards, shared accounts and repeated ids, against the rules written out row by row."""

import json
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from analysis_cases import card, publish, table_of
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.analysis.identity import IDENTITY_KINDS, identity, identity_members
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.errors import UsageError

BANKS = load_bank_names()
SAVED = datetime(2023, 11, 1, 4, 55, 7, tzinfo=UTC)
ROW = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from("abcdefgh"),
        "instrument_id": st.sampled_from([None, *(f"i{n}" for n in range(9))]),
        "instrument_uid": st.sampled_from([None, None, *(f"u{n}" for n in range(9))]),
        "par": st.sampled_from([None, None, *(f"p{n}" for n in range(9))]),
        "instrument_status": st.sampled_from([None, "ACTIVE", "INACTIVE"]),
        "expires_on": st.sampled_from([None, date(2028, 2, 29)]),
        "created_at": st.sampled_from([None, SAVED, SAVED + timedelta(days=9)]),
        "card_bank": st.sampled_from([None, "HDFC BANK", "HDFC Bank Limited", "AXIS BANK"]),
        "card_network": st.sampled_from([None, "visa", "rupay"]),
    }
)


def cases_by_the_rules(rows, threshold):
    """Return every case as (kind, shared id, number of values, places of its rows)."""
    cases = []

    def sharing(*names):
        groups = defaultdict(list)
        for place, row in enumerate(rows):
            if all(row[name] is not None for name in names):
                groups[tuple(row[name] for name in names)].append(place)
        return groups

    def distinct(places, name):
        return {rows[place][name] for place in places} - {None}

    for (value,), places in sharing("instrument_uid").items():
        if len(distinct(places, "customer_id")) >= threshold:
            cases.append(("same_card", value, 1, places))
    for (value,), places in sharing("par").items():
        many = [distinct(places, name) for name in ("customer_id", "instrument_uid")]
        if max(map(len, many)) >= threshold:
            cases.append(("same_account", value, 1, places))
    for (_, value), places in sharing("customer_id", "instrument_id").items():
        if len(places) > 1:
            cases.append(("repeated_id", value, 1, places))
    links = [
        (distinct(places, "customer_id"), places)
        for name in ("instrument_uid", "par")
        for places in sharing(name).values()
        if len(distinct(places, "customer_id")) > 1
    ]
    while links:
        customers, places = links.pop()
        members, values, grown = set(places), 1, True
        while grown:
            near = [link for link in links if link[0] & customers]
            grown = bool(near)
            for link in near:
                links.remove(link)
                customers |= link[0]
                members |= set(link[1])
                values += 1
        if len(customers) >= 3 and values >= 2:
            cases.append(("linked_customers", None, values, sorted(members)))
    return cases


def line(rows, case):
    kind, shared_id, values, places = case
    mine = [rows[place] for place in places]
    saved = [row["created_at"] for row in mine if row["created_at"]]

    def joined(values):
        return "; ".join(sorted(set(values) - {None})) or None

    return {
        "kind": kind,
        "shared_id": shared_id,
        "shared_values": values,
        "customers": len({row["customer_id"] for row in mine}),
        "cards": len(mine),
        "active_cards": sum(row["instrument_status"] == "ACTIVE" for row in mine),
        "banks": joined(BANKS.canonical(row["card_bank"]) for row in mine),
        "networks": joined(row["card_network"] for row in mine),
        "first_saved_at": min(saved, default=None),
        "last_saved_at": max(saved, default=None),
        "agrees": len({(row["instrument_status"], row["expires_on"]) for row in mine}) == 1
        if kind == "repeated_id"
        else None,
    }


def comparable(lines):
    return sorted(lines, key=lambda one: [str(one[name]) for name in sorted(one)])


@settings(max_examples=12, deadline=None)
@given(st.lists(ROW, max_size=25), st.integers(2, 4))
def test_cases_follow_the_rules(rows, threshold):
    """Every case and every row behind it is what the rules say, and larger ones come first."""
    rows = [
        row | {"list_position": place, "fetched_at": SAVED, "api_version": "2025-01-01"}
        for place, row in enumerate(rows)
    ]
    table = pa.Table.from_pylist(rows, schema=INSTRUMENTS)
    wanted = cases_by_the_rules(rows, threshold)
    cases = identity(table, threshold=threshold, banks=BANKS)
    found = cases.arrow().to_pylist()
    ids = [one.pop("case_id") for one in found]
    assert len(set(ids)) == len(ids)
    assert comparable(found) == comparable(line(rows, case) for case in wanted)
    order = {kind: place for place, kind in enumerate(IDENTITY_KINDS)}
    sizes = [(-one["customers"], -one["cards"], order[one["kind"]]) for one in found]
    assert sizes == sorted(sizes)

    behind = defaultdict(list)
    for member in identity_members(table, threshold=threshold).arrow().to_pylist():
        behind[member["case_id"]].append(member["list_position"])
    assert set(behind) == set(ids)
    assert sorted(map(sorted, behind.values())) == sorted(sorted(case[3]) for case in wanted)


def test_a_case_keeps_its_id(tmp_path):
    """The id of a case depends on what is shared, not on who shares it or in which order."""
    vault = {name: [card(f"i-{name}", instrument_uid="u" * 64)] for name in "ab"}
    more = dict.fromkeys("cb", vault["a"])
    [one] = identity(publish(tmp_path, vault))["case_id"]
    [two] = identity(table_of(more))["case_id"]
    assert one == two
    assert one.startswith("same_card-")


def test_rows_of_chosen_cases():
    """A case can be followed to its rows by its row in the table or by its id alone."""
    vault = {name: [card(f"i-{name}", instrument_uid="u", par="p")] for name in "ab"}
    table = table_of(vault | {"c": [card("again"), card("again")]})
    cases = identity(table)
    assert cases["kind"].tolist() == ["same_card", "same_account", "repeated_id"]
    rows = identity_members(table, cases[cases["kind"] == "repeated_id"])
    assert rows["list_position"].tolist() == [0, 1]
    assert identity_members(table, [cases["case_id"][0]])["customer_id"].tolist() == ["a", "b"]
    with pytest.raises(UsageError, match="1 case of those given cannot be found"):
        identity_members(table, ["same_card-000000000000"])
    with pytest.raises(UsageError, match="no column case_id"):
        identity_members(table, cases.drop(columns="case_id"))


def test_kinds_can_be_chosen():
    """Only the kinds asked for are found; others, and thresholds below 2, are refused."""
    vault = {name: [card(f"i-{name}", instrument_uid="u", par="p")] for name in "ab"}
    table = table_of(vault)
    assert identity(table, kinds=["same_account"])["kind"].tolist() == ["same_account"]
    with pytest.raises(UsageError, match="no kind of case 'same'"):
        identity(table, kinds=["same"])
    with pytest.raises(UsageError, match="A threshold of 1 makes no sense"):
        identity(table, threshold=1)


def test_screens_show_no_shared_id():
    """What is shared, and who shares it, is masked on screens and whole in the data."""
    uid = "0d8f70838cc5af8b" * 4
    vault = {f"customer-{n}": [card(f"i-{n}", instrument_uid=uid)] for n in range(2)}
    for table in (identity(table_of(vault)), identity_members(table_of(vault))):
        assert uid not in repr(table) + table._repr_html_()
        assert "customer-1" not in repr(table)
    assert identity(table_of(vault))["shared_id"].tolist() == [uid]


def test_missing_values_link_nothing():
    """Customers without uid, par or instrument id are no case."""
    nothing = {"instrument_uid": None, "par": None}
    vault = {name: [card(None, **nothing), card(None, **nothing)] for name in "abc"}
    assert len(identity(table_of(vault))) == 0


def test_a_text_that_stands_for_no_account_links_nobody():
    """`null`, `N/A` and `-` as account or card of many customers are the identity of none."""
    words = ["null", "N/A", "-", "unknown"]
    bodies = []
    for number in range(40):
        meta = {"card_token_details": {"par": words[number % 4]}}
        ids = {"instrument_id": f"card_{number}", "instrument_uid": words[number % 3]}
        content = json.dumps([ids | {"instrument_meta": meta}]).encode()
        bodies.append(ReceivedBody(f"customer_{number}", content, 0, "2022-09-01"))
    assert identity(flatten(bodies).table).empty
