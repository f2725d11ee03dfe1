"""Lists in pages, in the three shapes, and a way to the next page that misleads."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest


def pages_by_cursor(bench, customer_id, params=None):
    """Follow the cursor envelope to its end."""
    pages, cursor = [], None
    while True:
        ask = dict(params or {}) | ({"cursor": cursor} if cursor else {})
        body = bench.list(customer_id, params=ask).json()
        pages.append(body)
        cursor = body["cursor"]
        if cursor is None:
            return pages


def next_url(answer):
    """The target of `rel="next"`, if there is one."""
    match = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("link", ""))
    return match[1] if match else None


@pytest.fixture(scope="module")
def by_cursor(run):
    with run(page_size=2, customers=2000) as bench:
        yield bench


@pytest.fixture(scope="module")
def by_link(run):
    with run(page_size=2, paging="link", customers=2000) as bench:
        yield bench


def test_cursor_pages_add_up_to_the_whole_list(by_cursor):
    """Envelopes with `data`, `cursor` and `limit`; nothing lost or doubled; null ends it."""
    customer_id = by_cursor.a_customer_with(5)
    pages = pages_by_cursor(by_cursor, customer_id)
    assert [len(page["data"]) for page in pages] == [2, 2, 1]
    assert {page["limit"] for page in pages} == {2}
    rows = [row for page in pages for row in page["data"]]
    assert rows == by_cursor.emulator.population.instruments(customer_id, "2025-01-01")


def test_an_empty_list_is_an_empty_envelope(by_cursor):
    """A customer without cards gets one page with nothing in it."""
    body = by_cursor.list(by_cursor.a_customer_with(0)).json()
    assert body == {"data": [], "cursor": None, "limit": 2}


def test_a_client_may_ask_for_smaller_pages_but_not_larger(by_cursor):
    """`limit` is taken back, up to the server's own page size."""
    customer_id = by_cursor.a_customer_with(3)
    small = pages_by_cursor(by_cursor, customer_id, {"limit": 1})
    large = pages_by_cursor(by_cursor, customer_id, {"limit": 100})
    assert [len(page["data"]) for page in small] == [1, 1, 1]
    assert [len(page["data"]) for page in large] == [2, 1]


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": "x"}, {"cursor": "made-up"}, {"cursor": "☃"}, {"cursor": ""}]
)
def test_a_made_up_cursor_or_limit_is_a_bad_request(by_cursor, params):
    """400; an empty cursor counts as none."""
    status = by_cursor.list(by_cursor.a_customer_with(3), params=params).status_code
    assert status == (200 if params == {"cursor": ""} else 400)


def test_a_cursor_leads_into_its_own_customers_list_only(by_cursor):
    """Another customer's cursor is refused."""
    cursor = by_cursor.list(by_cursor.a_customer_with(3)).json()["cursor"]
    answer = by_cursor.list(by_cursor.a_customer_with(5), params={"cursor": cursor})
    assert answer.status_code == 400


def test_deleting_between_two_pages_loses_no_row(run):
    """A cursor names a place, so a deletion on the first page does not shift the second."""
    with run(page_size=2, customers=2000) as bench:
        customer_id = bench.a_customer_with(4)
        whole = bench.emulator.population.instruments(customer_id, "2025-01-01")
        first = bench.list(customer_id).json()
        bench.delete(customer_id, first["data"][0]["instrument_id"])
        second = bench.list(customer_id, params={"cursor": first["cursor"]}).json()
        assert second["data"] == whole[2:]


def test_link_pages_add_up_to_the_whole_list(by_link):
    """Bare arrays with `Link: <...>; rel="next"` on the same origin; none on the last page."""
    customer_id = by_link.a_customer_with(5)
    answer = by_link.list(customer_id)
    rows, sizes = answer.json(), [len(answer.json())]
    while url := next_url(answer):
        assert url.startswith(by_link.emulator.base_url + "/")
        answer = by_link.client.get(url)
        rows += answer.json()
        sizes.append(len(answer.json()))
    assert sizes == [2, 2, 1]
    assert rows == by_link.emulator.population.instruments(customer_id, "2025-01-01")


def test_a_repeating_cursor_leads_back_to_the_first_page(by_cursor):
    """The fault: every page names the first one as its next."""
    customer_id = by_cursor.a_customer_with(3)
    by_cursor.emulator.set_faults("repeating-cursor")
    first = by_cursor.list(customer_id).json()
    again = by_cursor.list(customer_id, params={"cursor": first["cursor"]}).json()
    by_cursor.emulator.set_faults("")
    assert first == again
    assert first["cursor"]


@pytest.mark.parametrize("shape", ["array", "cursor", "link"])
def test_an_endless_chain_always_has_another_fresh_page(shared, by_cursor, by_link, shape):
    """The fault: fresh cursors for ever, the pages after the real ones empty; in every shape."""
    bench = {"array": shared, "cursor": by_cursor, "link": by_link}[shape]
    customer_id = bench.a_customer_with(1)
    bench.emulator.set_faults("endless-chain")
    seen, rows, params = set(), [], {}
    for _ in range(6):
        answer = bench.list(customer_id, params=params)
        if shape == "link":
            query = parse_qs(urlsplit(next_url(answer)).query)
            page, cursor = answer.json(), query["cursor"][0]
        else:
            page, cursor = answer.json()["data"], answer.json()["cursor"]
        rows += page
        params = {"cursor": cursor}
        seen.add(cursor)
    bench.emulator.set_faults("")
    assert len(seen) == 6
    assert rows == bench.emulator.population.instruments(customer_id, "2025-01-01")


def test_a_foreign_link_leads_to_another_origin(by_link):
    """The fault: the next page is at localhost (this server by another name), or at a URL."""
    customer_id = by_link.a_customer_with(3)
    by_link.emulator.set_faults("foreign-link")
    assert next_url(by_link.list(customer_id)).startswith("http://localhost:")
    by_link.emulator.set_faults("foreign-link=https%3A//elsewhere.example")
    assert next_url(by_link.list(customer_id)).startswith("https://elsewhere.example/pg/")
    by_link.emulator.set_faults("")
