"""The language faults are written in, and what it decides."""

from __future__ import annotations

import pytest

from tokenvault_data.emulator.faults.faults import KINDS, FaultPlan, read_faults
from tokenvault_data.emulator.routing import Route

LIST = Route("list", "cust_0000001")
DELETE = Route("delete", "cust_0000001", "abc")


def struck(specification, count, *, route=LIST, seed=7, at=None):
    """The request numbers that a specification strikes."""
    plan = FaultPlan(specification, seed, 0.0)
    return [n for n in range(1, count + 1) if plan.strikes(route, at(n) if at else 0.0)]


def test_no_faults_strike_nothing():
    """An empty specification is a service in good order."""
    assert struck("", 100) == []
    assert struck(" ; ", 100) == []


def test_a_rule_without_a_place_strikes_always():
    """Probability 1 is the default."""
    assert struck("503", 5) == [1, 2, 3, 4, 5]


def test_a_probability_strikes_about_as_often_and_always_the_same_requests():
    """The draws follow from the seed and the request's number."""
    first = struck("503:0.1", 5000)
    assert 400 < len(first) < 600
    assert struck("503:0.1", 5000) == first
    assert struck("503:0.1", 5000, seed=8) != first
    assert struck("503:0", 1000) == []


@pytest.mark.parametrize(
    ("where", "numbers"),
    [("#3", [3]), ("#3-5", [3, 4, 5]), ("#7-", [7, 8]), ("#2-4#4-6", [4, 5, 6])],
)
def test_a_place_by_request_number(where, numbers):
    """Numbers count from 1; the last place of a sort holds."""
    assert struck(f"503{where}", 8) == numbers


def test_a_place_in_time():
    """Seconds since the faults were set, the end excluded."""
    assert struck("down#t2-4", 6, at=float) == [2, 3]
    assert struck("down#t2.5-", 5, at=float) == [3, 4, 5]


def test_a_storm_strikes_in_a_row():
    """`*20`: when it strikes, it strikes twenty in a row."""
    numbers = struck("503:0.01*20", 5000)
    runs, start = [], numbers[0]
    for here, after in zip(numbers, [*numbers[1:], 0], strict=True):
        if after != here + 1:
            runs.append(here - start + 1)
            start = after
    assert len(runs) > 10
    assert min(runs[:-1]) >= 20


def test_an_operation_and_a_customer_can_be_singled_out():
    """`@delete` and `#customer=`, the id percent-encoded where it has to be."""
    assert struck("503@delete", 2) == []
    assert struck("503@delete", 2, route=DELETE) == [1, 2]
    assert struck("503#customer=cust_0000001", 1) == [1]
    assert struck("503#customer=cust_0000002", 1) == []
    assert struck("503#customer=a%3Bb%23c", 1, route=Route("list", "a;b#c")) == [1]


def test_the_first_requests_of_each_id_can_be_singled_out():
    """`#first=2` strikes every instrument's first two requests of an operation, however late."""
    plan = FaultPlan("503#first=2", 7, 0.0)
    routes = [LIST, DELETE, LIST, LIST, DELETE, DELETE]
    assert [bool(plan.strikes(route, 0.0)) for route in routes] == [1, 1, 1, 0, 1, 0]


def test_a_fault_can_leave_every_id_in_peace_after_it_has_struck():
    """`#apart` never strikes two requests in a row of one operation on one id."""
    plan = FaultPlan("404#apart", 7, 0.0)
    routes = [LIST, DELETE, LIST, DELETE, LIST, LIST]
    assert [bool(plan.strikes(route, 0.0)) for route in routes] == [1, 1, 0, 0, 1, 0]


def test_of_each_group_the_first_rule_that_strikes_counts():
    """One answer is replaced once; limit headers and paging can go wrong beside it."""
    plan = FaultPlan("503#2;502;limit-headers=nan;limit-headers=huge;lagging-list", 7, 0.0)
    first, second = plan.strikes(LIST, 0.0), plan.strikes(LIST, 0.0)
    assert first["replace"].status == 502
    assert second["replace"].status == 503
    assert first["headers"].value == "nan"
    assert first["lag"].number == 5


def test_values_are_read_with_their_defaults():
    """`=` gives seconds, megabytes, levels or a URL, percent-decoded."""
    rules = read_faults("429=30;drip;drip=0.5;late=2@delete;redirect-302=http%3A//127.0.0.2/x")
    assert [rule.value for rule in rules] == ["30", "5", "0.5", "2", "http://127.0.0.2/x"]
    assert [rule.label for rule in read_faults("applied-then-500:0.1@delete;cut")] == [
        "applied-then-500",
        "cut",
    ]


@pytest.mark.parametrize(
    ("specification", "named"),
    [
        ("503;explode:0.1", "'explode:0.1'.*no kind 'explode'.*reset-before"),
        ("99", "no kind '99'"),
        ("600", "no kind '600'"),
        ("503:1.5", "probability 1.5"),
        ("503:0.1.2", "'0.1.2' is not a number"),
        ("503 : 0.1", "expected kind"),
        ("503@remove", "no operation 'remove'; known: list, fetch, delete, cryptogram"),
        ("503#soon", "no place 'soon'"),
        ("503#first=some", "no place 'first=some'"),
        ("429=soon", "'soon' is not a number"),
        ("hang=5", "hang takes no value"),
        ("limit-headers=odd", "known: absent, negative, huge, malformed, nan"),
        ("applied-then-drip", "before a status or an answer kind only"),
        ("operation=delete", "no kind 'operation'"),
    ],
)
def test_what_cannot_be_read_is_named(specification, named):
    """The message holds the part, what is wrong with it, and what there is."""
    with pytest.raises(ValueError, match=named):
        read_faults(specification)


def test_every_kind_can_be_written_by_its_name():
    """The list of kinds and the language agree."""
    for name in KINDS:
        (rule,) = read_faults(f"{name}:0.5@list")
        assert rule.label == name
