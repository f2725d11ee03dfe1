"""Three shapes of a list, read whole and once."""

from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.client.paging import MAX_LIST_BYTES, MAX_PAGES, PageChain, next_target
from tokenvault_data.client.transport import Answer
from tokenvault_data.errors import PagingFault, UnusableAnswer

FIRST = "https://api.cashfree.com/pg/customers/c1/instruments?instrument_type=card"


def page(content, link=None):
    headers = {} if link is None else {"link": link}
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer(200, headers, body)


def walk(pages, first=FIRST, **options):
    """Serve a dict of URL to answer; the chain, and the URLs asked for."""
    chain, asked = PageChain(first, **options), []
    while chain.next_url is not None:
        asked.append(chain.next_url)
        chain.add(pages[chain.next_url])
    return chain, asked


def test_a_bare_array_is_one_page():
    """A bare array is the whole list, whether empty or not."""
    assert walk({FIRST: page([])})[0].instruments == []
    chain, asked = walk({FIRST: page([{"a": 1}, {"a": 1}])})
    assert (chain.instruments, asked) == ([{"a": 1}, {"a": 1}], [FIRST])


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=12), st.booleans())
def test_envelopes_lose_and_double_nothing(pages, with_limit):
    """Whatever the pages hold, empty ones included, the list is all of them in order."""
    limit = {"limit": 4} if with_limit else {}
    served, url = {}, FIRST
    for number, content in enumerate(pages, start=1):
        last = number == len(pages)
        cursor = None if last else f"c/{number}&=é+"
        served[url] = page({"data": content, "cursor": cursor, **limit})
        url = f"{FIRST}&cursor=c%2F{number}%26%3D%C3%A9%2B" + ("&limit=4" if with_limit else "")
    chain, asked = walk(served)
    assert chain.instruments == [element for content in pages for element in content]
    assert asked == list(served)
    assert chain.bodies == [answer.body for answer in served.values()]


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=12))
def test_linked_pages_lose_and_double_nothing(pages):
    """Relative and absolute links alike lead through all pages once."""
    served, url = {}, FIRST
    for number, content in enumerate(pages, start=1):
        path = f"/pg/customers/c1/instruments?instrument_type=card&page={number}"
        target = path if number % 2 else f"https://API.cashfree.com:443{path}#part"
        link = None if number == len(pages) else f'<{FIRST}>; rel="first", <{target}>; rel="next"'
        served[url] = page(content, link)
        url = f"https://api.cashfree.com{path}"
    chain, asked = walk(served)
    assert chain.instruments == [element for content in pages for element in content]
    assert asked == list(served)


@pytest.mark.parametrize(
    "cursor",
    [None, ""],
)
def test_no_cursor_is_the_end(cursor):
    """Null, empty and absent cursors end the list."""
    assert walk({FIRST: page({"data": [1], "cursor": cursor})})[0].instruments == [1]
    assert walk({FIRST: page({"data": [1]})})[0].instruments == [1]


@pytest.mark.parametrize("cursor", [0, 17, "0"])
def test_cursors_may_be_numbers(cursor):
    """A number is as opaque as text."""
    pages = {
        FIRST: page({"data": [1], "cursor": cursor}),
        f"{FIRST}&cursor={cursor}": page({"data": [2], "cursor": None}),
    }
    assert walk(pages)[0].instruments == [1, 2]


@pytest.mark.parametrize("cursor", [True, 1.5, ["a"], {"a": 1}])
def test_other_cursors_are_a_fault(cursor):
    """Nobody knows how to send a cursor that is a list or a truth value."""
    with pytest.raises(PagingFault, match="neither text nor a number"):
        PageChain(FIRST).add(page({"data": [], "cursor": cursor}))


@pytest.mark.parametrize("limit", [0, -1, "10", True, None, 1.5, 1e300])
def test_an_odd_limit_is_not_sent_back(limit):
    """Only a positive whole number goes into the next request."""
    chain = PageChain(FIRST)
    chain.add(page({"data": [], "cursor": "a", "limit": limit}))
    assert chain.next_url == f"{FIRST}&cursor=a"


@pytest.mark.parametrize(
    "answers",
    [
        [page({"data": [1], "cursor": "a"})] * 2,
        [page({"data": [1], "cursor": "a", "limit": n}) for n in (10, 9)],
        [page({"data": [1], "cursor": cursor}) for cursor in "aba"],
        [page([1], f"<{FIRST}>; rel=next")],
        [page([1], "<>; rel=next")],
        [page([1], "<?page=2>; rel=next"), page([2], "<?page=2#new>; rel=next")],
    ],
)
def test_a_page_read_before_is_a_fault(answers):
    """A chain that leads back ends on the page that does so."""
    chain = PageChain(FIRST)
    for answer in answers[:-1]:
        chain.add(answer)
    with pytest.raises(PagingFault, match="already read"):
        chain.add(answers[-1])


def test_an_endless_chain_is_a_fault():
    """A chain with ever new cursors ends at `max_pages`, neither before nor after."""

    def pages_taken(max_pages, last):
        chain = PageChain(FIRST, max_pages=max_pages)
        for number in range(1, 1000):
            chain.add(page({"data": [number], "cursor": None if number == last else f"c{number}"}))
            if chain.next_url is None:
                return chain.instruments
        raise AssertionError("never ended")

    assert pages_taken(MAX_PAGES, MAX_PAGES) == list(range(1, MAX_PAGES + 1))
    with pytest.raises(PagingFault, match="not ended after 3 pages"):
        pages_taken(3, 4)


def test_an_endless_chain_of_large_pages_does_not_fill_memory():
    """The pages of one list together are bounded, too."""
    chain = PageChain(FIRST)
    large = b'{"data": [], "cursor": "%d"' + b" " * (MAX_LIST_BYTES // 4) + b"}"
    for number in range(3):
        chain.add(page(large % number))
    with pytest.raises(PagingFault, match="bytes"):
        chain.add(page(large % 3))


def test_a_bare_array_after_an_envelope_is_a_fault():
    """A server that ignores the cursor and gives the list anew does not double it."""
    chain = PageChain(FIRST)
    chain.add(page({"data": [1], "cursor": "a"}))
    with pytest.raises(PagingFault, match="bare list"):
        chain.add(page([1]))


def test_an_address_too_long_to_send_is_a_fault():
    """A cursor of any size does not become a request of that size."""
    with pytest.raises(PagingFault, match="bytes long"):
        PageChain(FIRST).add(page({"data": [], "cursor": "a" * 10_000}))


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/pg/customers/c1/instruments",
        "//evil.example/pg",
        "http://api.cashfree.com/pg",
        "https://api.cashfree.com:8443/pg",
        "https://api.cashfree.com.evil.example/",
        "https://api.cashfree.com@evil.example/",
        "https://evil.example@api.cashfree.com/",
        "https://evil.example\\@api.cashfree.com/",
        "https://api.cashfree.com\\@evil.example/",
        "https://user:pass@api.cashfree.com/pg",
        "https:\\\\evil.example/",
        "https://[bad/",
        "https://api.cashfree.com:port/",
        "https://api.cashfree.com:99999/",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "/pg/\u00e9",
        "/pg/a b",
        "/pg/a\tb",
    ],
)
def test_links_elsewhere_are_never_followed(target):
    """Foreign, downgraded, disguised and unreadable links are faults, whatever a parser sees."""
    chain = PageChain(FIRST)
    with pytest.raises(PagingFault) as raised:
        chain.add(page([1], f'<{target}>; rel="next"'))
    assert "evil" not in str(raised.value)
    assert chain.next_url == FIRST, "nothing of the page was taken"


@given(st.text(max_size=40))
def test_no_link_changes_the_host(target):
    """What is requested next starts with our own scheme, host and port, or there is a fault."""
    chain = PageChain(FIRST)
    try:
        chain.add(page([1], f'<{target}>; rel="next"'))
    except PagingFault:
        return
    assert chain.next_url is None or chain.next_url.startswith("https://api.cashfree.com/")


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<a>; rel="next"', "a"),
        ("<a>; rel=next", "a"),
        ("<a>;REL=NEXT", "a"),
        ('<a> ; rel = "next" ;', "a"),
        ('<a>; rel="prev next"', "a"),
        ('<a>; title="x, <b>; rel=next; \\"q"; rel="next"', "a"),
        ('<a>; rel="prev", <b,c;d>; title=t; rel="next", <e>; rel=last', "b,c;d"),
        (", <a>; rel=prev ,, <b>; rel=next,", "b"),
        ("<a>; rel=next, <b>; rel=next", "a"),
        ("<a>; rel=prev; rel=next", None),
        ('<a>; rel="next"; anchor="#x"', None),
        ("<a>; rel=nextish", None),
        ("<a>", None),
        ("<next>", None),
        ("", None),
        (" , ", None),
        ('</style.css>; rel=preload; as=style; nopush, <b>; rel="next"', "b"),
    ],
)
def test_link_headers_are_read_as_rfc_8288_says(header, target):
    """Quoting, order, case, several relations and several links are understood."""
    assert next_target(header) == target


@pytest.mark.parametrize(
    "header",
    ["a; rel=next", "<a; rel=next", '<a>; rel="next', "<a> rel=next", "<a>; =next", "junk"],
)
def test_an_unreadable_link_header_is_a_fault(header):
    """A page that may have a next one is never taken for the last."""
    with pytest.raises(PagingFault, match="cannot be read"):
        next_target(header)


@pytest.mark.parametrize(
    "header",
    ["<a>;" * 50_000, ";" * 200_000, "<a>, " * 50_000, ", " * 100_000, '<a>;x="' + "\\" * 200_000],
)
def test_a_hostile_link_header_costs_no_time(header):
    """Reading takes time in proportion to the length."""
    began = time.monotonic()
    with suppress(PagingFault):
        next_target(header)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "null"),
        (3, "a single int"),
        ("text", "a single str"),
        ({"data": None}, "an object without a data array"),
        ({"message": "no"}, "an object without a data array"),
        (b"<html>", "an HTML page"),
        (b"", "0 bytes"),
    ],
)
def test_what_is_no_list_is_not_taken(content, said):
    """An answer that holds no list says what it held, and leaves the chain as it was."""
    chain = PageChain(FIRST)
    with pytest.raises(UnusableAnswer, match=said) as raised:
        chain.add(page(content))
    assert not isinstance(raised.value, PagingFault)
    assert (chain.bodies, chain.instruments, chain.next_url) == ([], [], FIRST)


@pytest.mark.parametrize(
    ("answered", "elements"),
    [
        (page(None), []),
        (Answer(204, {}, b""), []),
        (page({"data": None}), []),
        (page({"data": None, "cursor": None}), []),
        (page({"instrument_id": "a"}), [{"instrument_id": "a"}]),
        (page([{"instrument_id": "a"}]), [{"instrument_id": "a"}]),
    ],
)
def test_a_lenient_chain_takes_what_says_as_much_as_a_list(answered, elements):
    """Nothing in place of a list is none, a bare instrument is one; only who asks so takes it."""
    chain = PageChain(FIRST, is_lenient=True)
    chain.add(answered)
    assert (chain.instruments, chain.next_url, chain.status) == (elements, None, answered.status)
    if answered.body[:1] != b"[":
        with pytest.raises(UnusableAnswer, match="instead of an array"):
            PageChain(FIRST).add(answered)


@pytest.mark.parametrize(
    "content", [b"", b" ", {}, {"message": "no"}, {"data": 1}, 3, "text", b"nul"]
)
def test_a_lenient_chain_takes_no_silence_for_a_list(content):
    """An empty 200 has promised JSON and not kept it: a cut answer looks like that."""
    with pytest.raises(UnusableAnswer):
        PageChain(FIRST, is_lenient=True).add(page(content))


def test_a_page_read_again_after_a_garbled_one_is_not_doubled():
    """A page that failed half-way can be asked for again."""
    chain = PageChain(FIRST)
    chain.add(page({"data": [1], "cursor": "a"}))
    with pytest.raises(UnusableAnswer):
        chain.add(page(b'{"data": [2'))
    chain.add(page({"data": [2], "cursor": None}))
    assert chain.instruments == [1, 2]
