"""A customer's list: whole and of one mind, or nothing is concluded from it."""

import json

import pytest
from cleanup_vaults import raw_card
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.cleanup.engine.list_answer import ListAnswer, chain_of, read_lists, row_of
from tokenvault_data.client.transport import Answer
from tokenvault_data.errors import PagingFault, UnusableAnswer

URL = "https://vault/customers/c1/instruments?type=card"
JSON = {"content-type": "application/json"}


def card(instrument="i1", customer="c1", **changes):
    return raw_card(instrument) | {"customer_id": customer} | changes


def pages_of(*pages):
    """The chain of a list that was answered in so many pages."""
    chain = chain_of(URL)
    for page in pages:
        body = page if isinstance(page, bytes) else json.dumps(page).encode()
        chain.add(Answer(200, JSON, body))
    return chain


def answer_of(*pages, customer="c1"):
    chain = pages_of(*pages)
    assert chain.next_url is None
    return ListAnswer(customer, chain.instruments, tuple(chain.bodies), None, 200, "r")


def read(*answers):
    return read_lists([(answer, 1_000_000, "2025-01-01") for answer in answers])


def ids_of(*pages):
    (found,) = read(answer_of(*pages))
    assert found.problem is None
    return [row["instrument_id"] for row in found.rows]


def problem_of(*pages):
    (found,) = read(answer_of(*pages))
    assert found.rows is None
    return found.problem


def test_a_list_becomes_rows_in_its_order():
    """One a card, in the columns that rules speak of, found by its id."""
    (found,) = read(answer_of([card("i2"), card("i1", instrument_status="INACTIVE")]))
    assert [row["instrument_id"] for row in found.rows] == ["i2", "i1"]
    assert row_of(found.rows, "i1")["instrument_status"] == "INACTIVE"
    assert row_of(found.rows, "i3") is None


def test_an_empty_list_is_a_list():
    """Of no card; whether that means anything is for others to say."""
    assert ids_of([]) == []
    assert ids_of({"data": [], "cursor": None}) == []


def test_a_list_in_pages_is_the_list_of_all_of_them():
    """By cursors, in order, also where a page in between is empty."""
    first = {"data": [card("i1")], "cursor": "a"}
    between = {"data": [], "cursor": "b"}
    last = {"data": [card("i2"), card("i3")], "cursor": None}
    assert ids_of(first, between, last) == ["i1", "i2", "i3"]
    assert answer_of(first, between, last).pages == 3
    assert ListAnswer("c1", None, (), "refused", 403, "r").pages == 1


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"",
        b"{}",
        b'"text"',
        b"<html>",
        json.dumps(card()).encode(),
        json.dumps([card()]).encode()[:-1],
        json.dumps([card()]).encode()[:-9],
        b'{"data": null}',
        b"[" * 100_000,
        b'[{"instrument_id": NaN}]',
    ],
)
def test_what_is_no_list_is_not_taken_for_an_empty_one(body):
    """`null`, a single card, something cut, and whatever else there is."""
    with pytest.raises(UnusableAnswer):
        pages_of(body)


def test_pages_that_lead_back_are_not_a_list():
    """A cursor that came before, or the first page again in place of the next."""
    page = {"data": [card()], "cursor": "a"}
    for pages in ([page, page], [page, [card()]]):
        with pytest.raises(PagingFault):
            pages_of(*pages)


def test_one_card_twice_with_equal_content_is_one_card():
    """On one page or on two, as when a card was saved between them."""
    assert ids_of([card("i1"), card("i2"), card("i1")]) == ["i1", "i2"]
    assert ids_of({"data": [card()], "cursor": "a"}, {"data": [card()]}) == ["i1"]


@pytest.mark.parametrize(
    "change",
    [
        {"instrument_status": "INACTIVE"},
        {"instrument_uid": "other"},
        {"something": 1},
        {"instrument_meta": {}},
        {"customer_id": None},
    ],
)
def test_one_card_twice_with_different_content_makes_all_of_it_unclear(change):
    """Nobody knows which of the two is true, nor what else is not."""
    assert "two different things" in problem_of([card("i1"), card("i2"), card("i1") | change])
    paged = ({"data": [card("i1")], "cursor": "a"}, {"data": [card("i1") | change]})
    assert "two different things" in problem_of(*paged)


@pytest.mark.parametrize("customer", ["c2", "", "C1", "c1 ", 1, ["c1"]])
def test_a_card_of_another_customer_makes_all_of_it_unclear(customer):
    """One is enough; a card that names no customer is of the one asked for."""
    assert "another customer" in problem_of([card("i1"), card("i2", customer)])
    assert ids_of([card("i1"), card("i2", None)]) == ["i1", "i2"]


@pytest.mark.parametrize("instrument", [None, "", 7, True, ["i1"], {}])
def test_a_card_without_an_id_makes_all_of_it_unclear(instrument):
    """It might be the one in question."""
    assert "without an id" in problem_of([card("i1"), card() | {"instrument_id": instrument}])


@pytest.mark.parametrize("element", [None, 7, "i1", [], [card()]])
def test_what_is_no_card_makes_all_of_it_unclear(element):
    """A list that holds something else is not understood."""
    assert "not a card" in problem_of([card("i1"), element])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"instrument_type"', '"instrument_id":"i1","instrument_type"'),
        ('"instrument_type"', '"instrument_id":"i2","instrument_type"'),
        ('"instrument_type"', '"instrument_status":"ACTIVE","instrument_type"'),
        ('"card_network"', '"card_network":"visa","card_network"'),
    ],
)
def test_a_repeated_key_makes_all_of_it_unclear(before, after):
    """A reader takes one of two values, and another reader the other."""
    body = json.dumps([card("i1"), card("i2")]).replace(before, after, 1).encode()
    assert problem_of(body) is not None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"i2"', b'"i2\\ud800"'),
        (b"HDFC", b"HDF\xc9"),
        (b"ACTIVE", b"ACTIV\xff"),
        (b'"card_bank_name"', b'"card_bank_nam\xff"'),
        (b"HDFC", b"HD\\q"),
        (b"HDFC", b"HD\x01FC"),
        (b'"ACTIVE"', b"NaN"),
    ],
)
def test_one_damaged_value_makes_all_of_it_unclear(before, after):
    """When collecting it costs one field; here nothing may be concluded from such an answer."""
    whole = json.dumps([card("i1"), card("i2")]).encode()
    assert before in whole
    pages_of(whole)
    with pytest.raises(UnusableAnswer):
        pages_of(whole.replace(before, after, 1))


def test_an_id_with_a_space_is_another_card():
    """Ids are taken as they are."""
    assert ids_of([card("i1 ")]) == ["i1 "]  # taken as it is: another card


def test_one_odd_list_spoils_none_of_its_neighbours():
    """Lists that are read together are judged each for itself."""
    good = answer_of([card("i1", "a"), card("i2", "a")], customer="a")
    odd = answer_of([card("i3", "somebody")], customer="b")
    twice = answer_of([card("i4", "c"), card("i4", "c", extra=1)], customer="c")
    empty = answer_of([], customer="d")
    found = read(odd, good, twice, empty, good)
    assert [one.problem is None for one in found] == [False, True, False, True, True]
    ids = [[row["instrument_id"] for row in one.rows or ()] for one in found]
    assert ids == [[], ["i1", "i2"], [], [], ["i1", "i2"]]
    assert {row["customer_id"] for row in found[1].rows} == {"a"}


_values = st.sampled_from([None, "", "c1", "c2", "i1", 5, "ACTIVE", {}, []])
_elements = st.one_of(
    _values,
    st.builds(card, st.sampled_from(["i1", "i2"])),
    st.dictionaries(st.sampled_from(["instrument_id", "customer_id", "x"]), _values),
)


@given(st.lists(st.lists(_elements, max_size=4), min_size=1, max_size=3))
def test_whatever_comes_no_row_is_more_than_was_said(lists):
    """Each list is odd, or has exactly the ids it names, once each and of its customer."""
    for elements, found in zip(lists, read(*map(answer_of, lists)), strict=True):
        if found.rows is None:
            assert found.problem
            continue
        assert all(isinstance(one, dict) for one in elements)
        assert all(one.get("customer_id") in (None, "c1") for one in elements)
        ids = list(dict.fromkeys(one["instrument_id"] for one in elements))
        assert [row["instrument_id"] for row in found.rows] == ids
