"""Strict and damaged JSON are read alike, and only what is no JSON at all is refused."""

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tokenvault_data.vault_json import (
    MOST_LEVELS,
    TOO_DEEP,
    NotAList,
    NotJson,
    Number,
    _read_damaged,
    decode,
    elements_of,
    mend,
    read_tree,
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
LAYOUTS = st.sampled_from(
    [{}, {"indent": 2}, {"ensure_ascii": False}, {"separators": (" ,", " : ")}]
)


def same(one, other):
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(values, LAYOUTS)
@example([math.nan, -math.inf], {})
@example(["\ud83d", "\x00", '\\"\\'], {})
def test_the_slow_reader_reads_what_the_fast_one_reads(value, layout):
    """What Python's own writer writes, NaN and half pairs included, is read alike by both."""
    text = json.dumps(value, **layout)
    assert same(_read_damaged(text), read_tree(text.encode("utf-8", "surrogatepass")))


def of_64_bits(text):
    return int(text) if len(text) < 19 else float(text)


@given(values)
def test_values_arrive_as_they_were_sent(value):
    """But for half surrogate pairs, which are replaced, and integers that no double holds."""
    read = decode(json.dumps(value).encode())
    again = json.loads(
        json.dumps(value), parse_int=lambda text: int(text) if len(text) < 19 else float(text)
    )
    mended = json.loads(mend(json.dumps(again, ensure_ascii=False)))
    wide = json.loads(
        json.dumps(read), parse_int=lambda text: int(text) if len(text) < 19 else float(text)
    )
    assert same(wide, mended)


WHOLE = json.dumps([{"instrument_id": "i", "x": [1, 2.5e3, None, True, {"a": 'b\\"c'}]}, {}, -0.5])


@given(
    st.integers(0, len(WHOLE)), st.integers(0, 3), st.sampled_from(list('[]{}",:\\ 01-.eE+ntu\n'))
)
def test_what_is_not_json_is_refused_by_both(at, removed, sign):
    """The slow reader takes no comma too many, no brace too few, no number that is none."""
    text = WHOLE[:at] + sign + WHOLE[at + removed :]
    try:
        wanted = json.loads(text)
    except ValueError:
        if "\\" not in text and "\n" not in text:  # of these two it takes more, inside of a text
            with pytest.raises(NotJson):
                _read_damaged(text)
    else:
        assert same(_read_damaged(text), read_tree(text.encode()))
        assert same(decode(text.encode()), wanted)


def test_depth_costs_memory_and_no_stack():
    """A hundred thousand levels are read, and what is below the hundredth is not kept."""
    deep = read_tree(b"[" * 100_000 + b"]" * 100_000)
    for _ in range(MOST_LEVELS - 1):
        (deep,) = deep
    assert deep == [TOO_DEEP]
    with pytest.raises(NotJson):
        read_tree(b"[" * 100_000)


def test_numbers_keep_their_digits():
    """For the tables each number is its own text."""
    assert read_tree(b"[1.10, 12345678901234567890123, 1e999]") == [
        "1.10",
        "12345678901234567890123",
        "1e999",
    ]
    assert isinstance(read_tree(b"1"), Number)


@pytest.mark.parametrize(
    ("content", "elements"),
    [
        ([1], [1]),
        ([], []),
        (None, None),
        ({"data": [1]}, [1]),
        ({"data": None, "cursor": None}, None),
        ({"instrument_id": "a"}, [{"instrument_id": "a"}]),
        ({"instrument_id": "a", "data": None}, [{"instrument_id": "a", "data": None}]),
    ],
)
def test_what_is_a_list_of_instruments(content, elements):
    """An array, an envelope, one instrument; null is nothing sent in its place."""
    assert elements_of(content) == elements


@pytest.mark.parametrize(
    "content", [1, "a", True, {}, {"data": {}}, {"data": 0}, {"customer_id": "c"}]
)
def test_what_is_none(content):
    """Anything else, an error in the guise of an answer above all."""
    with pytest.raises(NotAList):
        elements_of(content)
