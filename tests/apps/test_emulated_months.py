"""A made-up store has a history that analyses can learn from."""

from datetime import date, datetime
from itertools import pairwise

import tokenvault_data as tv
from tokenvault_data.analysis.cards.dates import months_later
from tokenvault_data.analysis.changes.compare import compare
from tokenvault_data.analysis.forecast import backtest
from tokenvault_data.apps.emulated_months import emulated_months
from tokenvault_data.dataset.flattening.canonical import INDIA
from tokenvault_data.dataset.today import today_in_india

CUSTOMERS = 150


def day_of(snapshot) -> date:
    return datetime.fromisoformat(snapshot.manifest.created_at).astimezone(INDIA).date()


def test_snapshots_are_months_apart_and_of_one_vault(tmp_path):
    """Dated back by months, complete, in order; from one to the next a few cards change."""
    made = emulated_months(tmp_path, months=3, customers=CUSTOMERS)
    assert [one.id for one in reversed(made)] == [one.id for one in tv.list_snapshots(tmp_path)]
    today = today_in_india()
    assert [day_of(one) for one in made] == [months_later(today, back) for back in (-3, -2, -1, 0)]
    assert all(tv.open_snapshot(one.path, verify="full").complete for one in made)
    for old, new in pairwise(made):
        counts = compare(old, new).summary.set_index("what")["cards"]
        assert 0 < counts["rows_old"] - counts["unchanged"] < counts["rows_old"] / 4
    assert set(tv.forecast(made, months=3)["basis"]) == {"history"}
    assert len(backtest(made)) > 0
