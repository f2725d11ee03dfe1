"""Reports without their drawings, which are most of the work that a page is."""

from __future__ import annotations

import pytest

from tokenvault_data.reports.charts import charts
from tokenvault_data.reports.charts.rendered import Chart
from tokenvault_data.reports.page import sections


@pytest.fixture
def undrawn(monkeypatch):
    """Leave the drawings out of pages, which take seconds; their words and numbers stay."""
    for name in ("rows_of_bars", "columns_of_bars", "grid"):
        monkeypatch.setattr(charts, name, lambda *_, **__: (None, (0, 0, 0, 0)))
    monkeypatch.setattr(Chart, "to_svg", lambda _, **__: "")
    monkeypatch.setattr(sections, "inline_svg", lambda *_: "")
