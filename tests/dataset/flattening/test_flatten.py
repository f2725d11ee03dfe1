import json
from collections import Counter

import pyarrow as pa
from dataset_cases import FETCHED_US, body, card, elements
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tokenvault_data.dataset.flattening import flatten as module
from tokenvault_data.dataset.flattening import many_records
from tokenvault_data.dataset.flattening.flatten import flatten
from tokenvault_data.dataset.schema import INSTRUMENTS

UNREADABLE = b"<html>502</html>"


def patiently(bodies):
    """Flatten with the patient reader alone."""
    parts = []
    reasons, silent = module._read_singly(bodies, list(range(len(bodies))), parts)
    rows = module._in_order(parts, single=False)
    unreadable = {bodies[index].customer_id: why for index, why in reasons.items()}
    return module._finish(bodies, rows, unreadable, frozenset(silent) - unreadable.keys())


def codes_in(table):
    counts = Counter()
    for codes in table.column("anomalies").to_pylist():
        counts.update(tuple(code.split(":")) for code in (codes or "").split(";") if code)
    return counts


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(elements, max_size=3), max_size=6), st.booleans())
def test_nonsense_never_raises_and_never_drops_a_row(lists, single_objects):
    """Any JSON in any field gives one row an element, and every anomaly is counted once."""
    bodies = [body(each, f"cust_{n}") for n, each in enumerate(lists)]
    if single_objects:
        bodies.append(body(card(), "cust_single"))
    done = flatten(bodies)
    expected = [(b.customer_id, n) for b, each in zip(bodies, lists, strict=False)
                for n in range(len(each))]  # fmt: skip
    expected += [("cust_single", 0)] if single_objects else []
    table = done.table
    assert table.schema.equals(INSTRUMENTS, check_metadata=True)
    assert list(zip(table["customer_id"].to_pylist(), table["list_position"].to_pylist(),
                    strict=True)) == expected  # fmt: skip
    assert done.unreadable == {}
    assert done.anomalies == codes_in(table)
    table.validate(full=True)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(elements, max_size=3) | st.just(UNREADABLE), max_size=8))
@example([[{"": [None, None]}]])  # Arrow infers an array that it then refuses itself
def test_both_readers_give_the_same_table(contents):
    """Fast or patient, alone or among others: every cell of every row is the same."""
    bodies = [body(content, f"cust_{n // 2}") for n, content in enumerate(contents)]
    fast, slow = flatten(bodies), patiently(bodies)
    assert fast.table.to_pylist() == slow.table.to_pylist()
    assert (fast.anomalies, fast.unreadable) == (slow.anomalies, slow.unreadable)


def test_one_bad_record_costs_only_itself():
    """In a batch of many a bad record leaves its neighbours, their order and values untouched."""
    good = [
        body([card(customer_id=f"c{n}"), card(customer_id=f"c{n}")], f"c{n}") for n in range(300)
    ]
    reference = flatten(good).table.to_pylist()
    for bad in (
        card(expiry_month=[]),
        card(instrument_meta="x"),
        None,
        7,
        card(new_field={"a": 1}),
    ):
        bodies = list(good)
        bodies[151] = body([bad, card(customer_id="c151")], "c151")
        rows = flatten(bodies).table.to_pylist()
        assert len(rows) == len(reference)
        assert rows[:302] == reference[:302]
        assert rows[303:] == reference[303:]
        assert rows[302]["anomalies"] or rows[302]["extra"]


def test_a_batch_shared_by_threads_is_the_batch():
    """A batch so large that Arrow's threads share it gives the rows and counts of its parts."""
    bodies = [
        body([card(par=f"p{n}", card_bank_name=f"B{n % 7}")] * (n % 4), f"c{n}")
        for n in range(1100)
    ]
    bodies[700] = body(UNREADABLE, "c700")
    assert sum(len(received.body) for received in bodies) > 2 * many_records.SMALLEST_BLOCK_BYTES
    whole = flatten(bodies)
    parts = [flatten(bodies[start : start + 100]) for start in range(0, 1100, 100)]
    assert whole.table.to_pylist() == [row for part in parts for row in part.table.to_pylist()]
    assert whole.anomalies == sum((part.anomalies for part in parts), Counter())
    assert whole.unreadable == {"c700": whole.unreadable["c700"]}


def test_pages_of_one_customer_make_one_list():
    """Positions run on from page to page, whatever shapes the pages have and wherever they are."""
    others = [body([card()], f"c{n}") for n in range(520)]
    bodies = [body([card()] * 2), body({"data": [card()], "cursor": None}), *others, body(card())]
    table = flatten(bodies).table
    mine = [r["list_position"] for r in table.to_pylist() if r["customer_id"] == "cust_1"]
    assert mine == [0, 1, 2, 3]


def test_one_unreadable_page_costs_the_customer_and_no_other():
    """A customer is whole or not there: a list with a page missing would pass for a shorter one."""
    done = flatten([body([card()]), body(UNREADABLE), body([card()], "cust_2")])
    assert done.table.column("customer_id").to_pylist() == ["cust_2"]
    assert list(done.unreadable) == ["cust_1"]
    assert "502" not in done.unreadable["cust_1"]


def test_what_is_known_of_the_request_is_in_every_row():
    """Time of arrival and API version come from the request, not from the body."""
    (row,) = flatten([body([card()], version="2025-01-01")]).table.to_pylist()
    assert row["api_version"] == "2025-01-01"
    assert pa.scalar(row["fetched_at"], pa.timestamp("us", tz="UTC")).value == FETCHED_US


def test_an_element_that_is_no_object_is_a_row():
    """Position and customer are known even of an element that says nothing."""
    rows = flatten([body([card(), 7, None])]).table.to_pylist()
    assert [r["list_position"] for r in rows] == [0, 1, 2]
    assert [r["anomalies"] for r in rows[1:]] == ["instrument:not_an_object"] * 2
    assert rows[1]["extra"] == '{"instrument":7}'


def test_unknown_fields_of_every_record_are_kept():
    """A field that a new API version brings is lost in no record, and disturbs no column."""
    bodies = [body([card(wallet={"n": n}, par=f"p{n}")], f"c{n}") for n in range(520)]
    rows = flatten(bodies).table.to_pylist()
    assert [json.loads(r["extra"]) for r in rows] == [{"wallet": {"n": n}} for n in range(520)]
    assert [r["par"] for r in rows] == [f"p{n}" for n in range(520)]
    assert {r["anomalies"] for r in rows} == {None, "customer_id:differs"} - {None}


def test_nothing_in_nothing_out():
    """No bodies, or only empty lists, give an empty table of the pinned schema."""
    for bodies in ([], [body([])]):
        done = flatten(bodies)
        assert done.table.num_rows == 0
        assert done.table.schema.equals(INSTRUMENTS)
