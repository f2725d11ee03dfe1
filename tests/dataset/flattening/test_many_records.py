import json

import pytest
from dataset_cases import card, elements
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenvault_data.dataset.flattening.canonical import LEAVES
from tokenvault_data.dataset.flattening.many_records import (
    ARRAY,
    ENVELOPE,
    SINGLE,
    read_bodies,
    shape_of,
)
from tokenvault_data.dataset.flattening.one_record import as_columns, read_body


def one(content):
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def assert_same(bodies, shape):
    """Whatever the fast reader accepts it reads as the patient one does."""
    read = read_bodies(bodies, shape)
    if read is None:
        return False
    rows = read.rows.to_pydict()
    kept = [index for index in range(len(bodies)) if index not in read.left]
    records = [read_body(bodies[index]) for index in kept]
    wanted = as_columns([record for group in records for record in group])
    for leaf in (*LEAVES, "issues", "extra"):
        assert rows[leaf] == wanted[leaf]
    numbered = [i for i, group in zip(kept, records, strict=True) for _ in group]
    assert rows["body"] == numbered
    assert rows["element"] == [n for group in records for n in range(len(group))]
    return True


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(elements, max_size=3), min_size=1, max_size=3), st.booleans())
def test_accepted_means_read_alike(lists, pretty):
    """For any JSON in any field the two readers agree, wherever the fast one has an opinion."""
    indent = 1 if pretty else None
    assert_same([json.dumps(each, indent=indent).encode() for each in lists], ARRAY)
    enveloped = [json.dumps({"data": each, "cursor": None}).encode() for each in lists]
    assert_same(enveloped, ENVELOPE)


GOOD = json.dumps([card(), card(par=None)]).encode()
MEAN = st.sampled_from([b"\0", b"\n", b"\xff", b"\\ud800", b'"', b"{", b"}", b"[", b"]", b",", b":",
                        b"]}\n{\"v\":[", b"null", b"1", b'"z":1,', b"\\", b"\t"])  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(0, len(GOOD)), st.integers(0, 9), MEAN), max_size=3))
def test_mangled_bodies_are_never_accepted_and_misread(edits):
    """However a body is damaged, it is refused or read as its JSON says, and harms no neighbour."""
    mangled = GOOD
    for at, removed, inserted in edits:
        mangled = mangled[:at] + inserted + mangled[at + removed :]
    read = read_bodies([GOOD, mangled, GOOD], ARRAY)
    if read is not None and 1 not in read.left:
        assert_same([GOOD, mangled, GOOD], ARRAY)


@pytest.mark.parametrize(
    "smuggled",
    [b'[]}\n{"v":[{"instrument_id":"x"}]', b'[],"z":1', b'[]}{"v":[]}{"v":[]}\0', b'[],"v":[]'],
)
def test_a_body_cannot_speak_for_another(smuggled):
    """Text that closes its own line gains no rows in the name of other customers."""
    assert read_bodies([smuggled, GOOD], ARRAY) is None


def test_good_bodies_take_the_fast_way():
    """The common answers of every API version are accepted, or the speed would be an accident."""
    assert assert_same([GOOD, b"[]", one([card(card_sub_type="R")]), b" [ ] \n"], ARRAY)
    assert assert_same([one({"data": [card()], "cursor": None, "limit": 10})], ENVELOPE)
    assert assert_same([one(card())], SINGLE)
    read = read_bodies([GOOD], ARRAY)
    assert read is not None
    assert read.left == []


@pytest.mark.parametrize(
    "content",
    [[None], [card(nickname="x")], [card(instrument_meta={"issuer": 1})], [card() | {"cvv": {}}]],
)
def test_what_needs_patience_is_handed_back(content):
    """Unknown fields and null elements are left to the patient reader, alone."""
    read = read_bodies([GOOD, one(content), GOOD], ARRAY)
    assert read is not None
    assert read.left == [1]
    assert read.rows.num_rows == 4


def test_deep_nesting_does_not_reach_the_parser():
    """A body of a hundred thousand brackets would overflow the C stack; it is kept away."""
    assert shape_of(b"[" * 100_000) is None
    assert shape_of(b'[{"z":' + b'{"a":' * 50_000) is None
    assert shape_of(GOOD) is ARRAY
