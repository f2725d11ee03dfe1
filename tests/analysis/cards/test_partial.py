"""Every table of an analysis says that what it was made of is partial."""

import inspect
import pkgutil
from datetime import timedelta
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from analysis_cases import NOW, card, publish

from tokenvault_data import analysis
from tokenvault_data.analysis.cards.partial import partial_document
from tokenvault_data.analysis.cube.cube import cube_of
from tokenvault_data.dataset.partial import partial_notes

SAID = "2 of 3 customers were not fetched (1 failed, 1 not attempted)"

CALLS = {
    "backtest": lambda call, old, new: call([old, new]),
    "breakdown": lambda call, _, new: call(new, "bank"),
    "changes": lambda call, old, new: call(old, new),
    "compare": lambda call, old, new: call(old, new).by("bank"),
    "customer_outlook": lambda call, _, new: call(new),
    "customers_at_risk": lambda call, _, new: call(new),
    "customers_without_usable_card": lambda call, _, new: call(new),
    "expired_but_active": lambda call, _, new: call(new),
    "expiring": lambda call, _, new: call(new),
    "expiry_calendar": lambda call, _, new: call(new),
    "expiry_outlook": lambda call, _, new: call(new),
    "forecast": lambda call, old, new: call([old, new]),
    "identity": lambda call, _, new: call(new),
    "identity_members": lambda call, _, new: call(new),
    "quality": lambda call, old, new: call(new, against=old),
    "quality_rows": lambda call, _, new: call(new, "coverage"),
}
"""How each analysis is asked; a new one has to be added here."""


@cache
def analyses():
    """All public functions of the package that return tables of figures."""
    found = {}
    for module in pkgutil.walk_packages(analysis.__path__, f"{analysis.__name__}."):
        home = import_module(module.name)
        for name, one in inspect.getmembers(home, inspect.isfunction):
            returned = str(inspect.signature(one).return_annotation)
            if one.__module__ == home.__name__ and returned in {"ResultTable", "Comparison"}:
                found[name] = one
    del found["finding_table"]
    return found


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory):
    """A complete snapshot, and a partial one a month later."""
    tmp_path = tmp_path_factory.mktemp("store")
    old = publish(tmp_path, {"c1": [card()]}, now=NOW - timedelta(days=31))
    new = publish(tmp_path, {"c1": [card()]}, failed=["c2"], not_attempted=["c3"])
    return old, new


def test_an_answer_in_sql_says_what_a_partial_snapshot_lacks(snapshots):
    """A table of `snapshot.sql` has the note that tables of analyses have; a complete one none."""
    old, new = snapshots
    query = "SELECT count(*) AS cards FROM instruments"
    assert new.sql(query).notes == tuple(partial_notes(new.manifest))
    assert SAID in new.sql(query).notes[0]
    assert old.sql(query).notes == ()


def test_every_analysis_is_tried():
    """The list above is all there are."""
    assert set(CALLS) == set(analyses())


def test_no_analysis_makes_a_table_by_itself():
    """Only the module that adds the notes calls `result_table`."""
    folder = Path(analysis.__path__[0])
    calling = [path.stem for path in folder.rglob("*.py") if " result_table(" in path.read_text()]
    assert calling == ["partial"]


@pytest.mark.parametrize("name", CALLS)
def test_a_table_says_that_its_snapshot_is_partial(snapshots, name):
    """In its notes, once; where all snapshots are complete nothing is said."""
    old, new = snapshots
    notes = CALLS[name](analyses()[name], old, new).notes
    assert [SAID in note for note in notes].count(True) == 1
    if name != "quality_rows":
        assert not any("partial" in note for note in CALLS[name](analyses()[name], old, old).notes)


def test_a_cube_remembers_what_it_counted(tmp_path):
    """A breakdown of a cube says so too, made or loaded."""
    partial = publish(tmp_path, {"c1": [card()]}, failed=["c2"], not_attempted=["c3"])
    for _ in range(2):
        table = CALLS["breakdown"](analyses()["breakdown"], None, cube_of(partial))
        assert SAID in table.notes[-1]


def test_many_partial_snapshots_are_one_sentence(tmp_path):
    """Two are named; of more it is said how many there are and how many lists are missing."""
    facts = [
        publish(
            tmp_path, {"c1": [card()]}, failed=["c2", "c3"], now=NOW + timedelta(days=day)
        ).manifest
        for day in range(3)
    ]
    assert len(partial_notes(*facts[:2])) == 2
    assert partial_notes(*facts, *facts) == [
        "3 of the snapshots are partial: 6 customers' lists had no answer."
    ]
    assert [one["not_fetched"] for one in partial_document(*facts, *facts)] == [2, 2, 2]
