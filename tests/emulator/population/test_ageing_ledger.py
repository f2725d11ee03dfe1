"""The ledger: what months did, and what of it a comparison of two lists can find."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.emulator.population.ageing import Event, net_events_of, write_ledger


def added(month, one):
    return Event(month, "added", "c", one)


def deleted(month, one):
    return Event(month, "deleted", "c", one)


def renewed(month, one, old, new):
    return Event(month, "renewed", "c", one, old_expiry=old, new_expiry=new)


def turned(month, one, old, new):
    return Event(month, "status_changed", "c", one, old_status=old, new_status=new)


def replaced(month, ids, *, expiries=((2027, 1), (2030, 1)), statuses=("ACTIVE", "ACTIVE")):
    return Event(month, "replaced", "c", *ids, *statuses, *expiries)


@pytest.mark.parametrize(
    ("events", "net"),
    [
        ([], []),
        ([added(1, "a"), deleted(3, "a")], []),
        ([added(1, "a"), replaced(4, "ab"), turned(5, "b", "ACTIVE", "INACTIVE")],
         [added(4, "b")]),
        ([added(1, "a"), renewed(4, "a", (2027, 1), (2030, 1))], [added(1, "a")]),
        ([renewed(1, "a", (2027, 1), (2030, 1)), renewed(9, "a", (2030, 1), (2034, 5))],
         [renewed(9, "a", (2027, 1), (2034, 5))]),
        ([turned(1, "a", "ACTIVE", "INACTIVE"), turned(2, "a", "INACTIVE", "ACTIVE")], []),
        ([turned(1, "a", "ACTIVE", "INACTIVE"), deleted(2, "a")], [deleted(2, "a")]),
        ([replaced(1, "ab"), deleted(2, "b")], [deleted(2, "a")]),
        ([replaced(1, "ab"), replaced(2, "bc", expiries=((2030, 1), (2033, 1)))],
         [replaced(2, "ac", expiries=((2027, 1), (2033, 1)))]),
        ([renewed(1, "a", (2026, 1), (2027, 1)), replaced(2, "ab"),
          turned(3, "b", "ACTIVE", "INACTIVE")],
         [replaced(2, "ab", expiries=((2026, 1), (2030, 1)), statuses=("ACTIVE", "INACTIVE"))]),
        ([renewed(1, "a", (2026, 1), (2029, 1)), turned(2, "a", "ACTIVE", "INACTIVE")],
         [renewed(1, "a", (2026, 1), (2029, 1)), turned(2, "a", "ACTIVE", "INACTIVE")]),
        ([deleted(1, "a"), added(1, "b")], [deleted(1, "a"), added(1, "b")]),
    ],
)  # fmt: skip
def test_what_two_lists_can_show(events, net):
    """There and back is nothing, chains lead from end to end, only the first and last id count."""
    assert list(net_events_of(events)) == net


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=30))
def test_net_events_are_the_difference_of_first_and_last_state(choices):
    """Whatever happens to some cards, the net events turn the first state into the last."""
    first = dict.fromkeys("xyz", ("ACTIVE", (2027, 1)))
    cards, origin = dict(first), {name: name for name in first}
    names, events = count(), []
    for month, (choice, which) in enumerate(choices, 1):
        if choice == 0 or not cards:
            name = f"n{next(names)}"
            cards[name] = ("ACTIVE", (2028, 1))
            events.append(added(month, name))
            continue
        name = sorted(cards)[which % len(cards)]
        status, (year, one) = cards[name]
        if choice == 1:
            del cards[name]
            events.append(deleted(month, name))
        elif choice == 2:
            cards[name] = (status, (year + 3, one))
            events.append(renewed(month, name, (year, one), (year + 3, one)))
        elif choice == 3:
            other = "INACTIVE" if status == "ACTIVE" else "ACTIVE"
            cards[name] = (other, (year, one))
            events.append(turned(month, name, status, other))
        else:
            new = f"n{next(names)}"
            del cards[name]
            cards[new] = (status, (year, one))
            origin[new] = origin.get(name)
            same = {"expiries": [(year, one)] * 2, "statuses": [status] * 2}
            events.append(replaced(month, (name, new), **same))
    expected = set()
    came_from = {origin[name]: name for name in cards if origin.get(name)}
    for name, (status, expiry) in first.items():
        last = came_from.get(name)
        if last is None:
            expected.add(("deleted", name))
        elif last != name:
            expected.add(("replaced", name, last, status, expiry, *cards[last]))
        else:
            if cards[name][1] != expiry:
                expected.add(("renewed", name, expiry, cards[name][1]))
            if cards[name][0] != status:
                expected.add(("status_changed", name, status, cards[name][0]))
    expected |= {("added", name) for name in cards if not origin.get(name)}
    in_order = ("kind", "instrument_id", "new_instrument_id", "old_status", "old_expiry")
    in_order += ("new_status", "new_expiry")
    found = [[getattr(e, name) for name in in_order] for e in net_events_of(events)]
    plain = [tuple(value for value in event if value is not None) for event in found]
    assert len(plain) == len(set(plain))
    assert set(plain) == expected


def test_a_ledger_is_json_lines_and_replaces_the_one_before(tmp_path):
    """Each line is one event; the file is the new ledger alone, and nothing is left beside it."""
    path = tmp_path / "ledger.jsonl"
    write_ledger(path, [deleted(1, "a"), deleted(1, "b")])
    write_ledger(path, [renewed(2, "a", (2026, 9), (2029, 12))])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {
            "month": 2, "kind": "renewed", "customer_id": "c", "instrument_id": "a",
            "new_instrument_id": None, "old_status": None, "new_status": None,
            "old_expiry": "2026-09", "new_expiry": "2029-12",
        }
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == [path]


def test_a_ledger_that_breaks_off_leaves_the_old_one(tmp_path):
    """A failure in the middle keeps what stood there, and no half-written file."""
    path = tmp_path / "ledger.jsonl"
    write_ledger(path, [deleted(1, "a")])
    before = path.read_bytes()

    def events():
        yield deleted(1, "b")
        raise RuntimeError("broken off")

    with pytest.raises(RuntimeError, match="broken off"):
        write_ledger(path, events())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["missing/ledger.jsonl", "."])
def test_a_place_that_cannot_hold_a_ledger_is_refused(tmp_path, place):
    """A folder, or a file in no folder, is an error that names it."""
    with pytest.raises(OSError, match=Path(place).name or tmp_path.name):
        write_ledger(tmp_path / place, [])
