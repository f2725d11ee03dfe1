"""Charts: what they say, what they refuse, and that hostile names stay text."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from tokenvault_data.errors import UsageError
from tokenvault_data.reports.charts import charts
from tokenvault_data.reports.charts.charts import (
    changes_bars,
    changes_by_bank,
)
from tokenvault_data.reports.charts.style import contrast, heat, ink_on
from tokenvault_data.reports.labels import LONGEST_NAME, one_line

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "x" * 300,
    "AXIS\nBANK\x00\x1b[31m",
    "\u202egnp.exe \u05d0\u05d1",
    "datum.cards",
    '"; alert(1); //',
    "signal('x') + event",
    "{{7*7}} {name} %s",
    "A & B",
]
KINDS = {
    "bars": lambda table: charts.bars(table, "bank"),
    "heat map": lambda table: charts.bank_month_heatmap(table.assign(expiry="2027-01")),
    "changes by bank": lambda table: changes_by_bank(table.assign(kind="added")),
}


def counts(names, column="bank"):
    """Return a table of counts, the first name most frequent."""
    cards = [10 * (len(names) - place) for place in range(len(names))]
    frame = pd.DataFrame({column: pd.Series(names, dtype="object"), "cards": cards})
    return frame.assign(share=frame["cards"] / frame["cards"].sum(), customers=frame["cards"])


def texts_of(svg):
    """Return all texts an SVG shows."""
    return [
        "".join(one.itertext()) for one in ET.fromstring(svg).iter() if one.tag.endswith("}text")
    ]


def test_bars_carry_name_count_and_share():
    """Each bar is labelled directly; the title says the finding, the subtitle what is counted."""
    chart = charts.bars(counts(["visa", "rupay"], "card_network"), "card_network", about="as of x")
    texts = texts_of(chart.to_svg())
    assert {"Visa", "RuPay", "20 \u00b7 66.7%", "10 \u00b7 33.3%"} <= set(texts)
    assert chart.title == "Visa is the network of 66.7% of the cards"
    assert chart.title in texts
    assert any("as of x" in text for text in texts)
    assert "RuPay: 10 cards, 33.3%, 10 customers" in chart.description


def test_the_missing_come_last_and_are_outlined():
    """What is not known has a bar of its own, told apart without colour, after the others."""
    chart = charts.bars(counts([None, "(other)", "HDFC Bank"]), "bank")
    data = [row for rows in chart.spec.to_dict()["datasets"].values() for row in rows]
    assert [row["name"] for row in data] == ["HDFC Bank", "(other)", "not known"]
    assert data[2]["outline"] != data[0]["outline"]
    assert data[1]["fill"] != data[0]["fill"]
    assert "HDFC Bank" in chart.title


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_names_are_text(kind):
    """Markup, expressions, control and direction characters draw as short text, nothing else."""
    chart = KINDS[kind](counts(HOSTILE))
    svg = chart.to_svg()
    assert {one.tag.rpartition("}")[2] for one in ET.fromstring(svg).iter()} <= {
        *("svg", "g", "path", "rect", "text", "tspan", "line", "defs", "clipPath"),
    }
    assert "<img" not in svg
    shown = "".join(texts_of(svg)) + chart.description
    assert not {"\n", "\x00", "\x1b", "\u202e"} & set(shown)
    assert "x" * (LONGEST_NAME + 1) not in shown
    spec = json.dumps(
        {key: value for key, value in chart.spec.to_dict().items() if key != "datasets"}
    )
    assert "expr" not in spec


def test_names_that_are_cut_alike_stay_two_bars():
    """Shortening merges nothing: the bars are told apart by place, not by text."""
    chart = charts.bars(counts(["x" * 300, "x" * 299 + "y"]), "bank")
    assert ET.tostring(ET.fromstring(chart.to_svg())).count(b"graphics-symbol") >= 2
    assert chart.description.count("20 cards") == chart.description.count("10 cards") == 1


def test_the_interactive_page_asks_no_network_and_keeps_hostile_text_inside_its_script():
    """The page is whole, its policy allows no address, and no name ends the script."""
    page = charts.bars(counts(HOSTILE), "bank").to_html()
    tags = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append((tag, dict(attrs)))

    Tags().feed(page)
    assert [tag for tag, _ in tags].count("script") == 1
    assert not [tag for tag, _ in tags if tag in {"img", "link", "iframe"}]
    assert not [attrs for _, attrs in tags if "src" in attrs or "href" in attrs]
    policy = next(a["content"] for _, a in tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_tables_of_people_are_refused():
    """A table with ids is no aggregate, whatever else it holds."""
    table = counts(["visa"], "card_network").assign(customer_id="c1")
    with pytest.raises(UsageError, match=r"aggregates only.*customer_id"):
        charts.bars(table, "card_network")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (counts(["a"]).drop(columns="cards"), "no column cards"),
        (counts([f"bank {n}" for n in range(60)]), "at most 40 groups"),
    ],
)
def test_tables_that_cannot_be_drawn_say_why(table, said):
    """A missing column and too many groups are refused with a remedy."""
    with pytest.raises(UsageError, match=said):
        charts.bars(table, "bank")


def test_hidden_figures_have_a_place_and_no_length():
    """Suppressed groups are named, and neither bar nor text tells their number."""
    table = counts(["HDFC Bank", "Axis Bank", "SBI"]).astype({"cards": "Int64"})
    table.loc[1:, ["cards", "share", "customers"]] = None
    chart = charts.bars(table, "bank")
    assert "\u2013" in texts_of(chart.to_svg())
    assert "Axis Bank: hidden" in chart.description
    assert "SBI: hidden" in chart.description


def test_the_calendar_marks_what_is_over():
    """Months before the day are pale and parted by a line that names the day."""
    months = [f"2026-{month:02d}" for month in range(9, 13)]
    table = pd.DataFrame({"expiry": [*months, "2026-12", None], "cards": [5, 6, 7, 8, 2, 99]})
    chart = charts.expiry_calendar_bars(table, as_of=date(2026, 11, 22))
    texts = texts_of(chart.to_svg())
    assert "over on 22 Nov 2026" in texts
    assert {"5", "6", "7", "10"} <= set(texts)
    assert "99" not in texts
    assert chart.title == "Most cards of these months expire in Dec 2026: 10"


def test_the_outlook_keeps_its_order_and_says_what_has_expired():
    """Buckets stay in order of time; unknown expiry is apart."""
    buckets = ["expired", "0-30 days", "31-60 days", "later", "unknown"]
    table = counts(buckets, "bucket").assign(cards=[4, 3, 2, 9, 7], active_cards=[1, 2, 2, 9, 7])
    chart = charts.outlook_bars(table)
    assert chart.title == "4 cards have expired; 5 more do within 60 days"
    names = [text for text in texts_of(chart.to_svg()) if "day" in text or "expir" in text]
    assert [
        name for name in names if name in {*buckets, "already expired", "expiry not known"}
    ] == [
        *("already expired", "0-30 days", "31-60 days", "expiry not known"),
    ]


def test_changes_say_what_came_and_went():
    """The summary names additions and losses."""
    summary = counts(["added", "gone", "renewed"], "what")
    assert changes_bars(summary).title == "30 cards were added and 20 are gone"


def test_saving_follows_the_suffix(tmp_path):
    """SVG, PNG and HTML are written whole; other names are refused and nothing is left behind."""
    chart = charts.bars(counts(["visa"], "card_network"), "card_network")
    begins = {".svg": b"<svg", ".png": b"\x89PNG", ".html": b"<!DOCTYPE html>"}
    for suffix, start in begins.items():
        assert chart.save(tmp_path / f"a{suffix}").read_bytes().startswith(start)
    with pytest.raises(UsageError, match="rename it"):
        chart.save(tmp_path / "a.pdf")
    assert len(list(tmp_path.iterdir())) == 3
    assert set(chart._repr_mimebundle_()) == {"image/svg+xml", "text/plain"}


@pytest.mark.parametrize("width", [340, 470, 720, 980])
def test_a_chart_is_as_wide_as_asked(width):
    """The drawing without a title has exactly the width asked for."""
    chart = charts.bars(counts(HOSTILE), "bank", width=width)
    assert ET.fromstring(chart.to_svg(titled=False)).get("width") == str(width)


def test_numbers_in_a_heat_map_can_be_read():
    """Text on every shade has a contrast of 4.5, and shades darken all the way, for grey print."""
    shades = [heat(step / 100) for step in range(101)]
    assert min(contrast(ink_on(shade), shade) for shade in shades) >= 4.5
    against_white = [contrast("#ffffff", shade) for shade in shades]
    assert against_white == sorted(against_white)


def test_one_line_never_returns_nothing():
    """Blank and invisible names still show."""
    assert one_line(" \n\u200b") == "(blank)"
    assert one_line(None) == "not known"


def test_without_the_optional_part_it_is_said_what_to_install():
    """Importing charts needs no altair; drawing without it names the extra."""
    program = (
        "import sys\n"
        "sys.modules['altair'] = sys.modules['vl_convert'] = None\n"
        "import pandas as pd\n"
        "from tokenvault_data.errors import UsageError\n"
        "from tokenvault_data.reports.charts import charts\n"
        "try:\n"
        "    charts.bars(pd.DataFrame({'bank': ['a'], 'cards': [1], 'share': [1.0]}), 'bank')\n"
        "except UsageError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "pip install 'tokenvault-data[report]'" in done.stdout


def test_superlatives_say_nothing_of_hidden_figures():
    """Where a figure is hidden, a title speaks of those shown: more than any other is a bound."""
    table = counts(["HDFC Bank", "Axis Bank", "SBI"]).astype({"cards": "Int64"})
    assert "more than any other" in charts.bars(table, "bank").title
    table.loc[2, ["cards", "share", "customers"]] = None
    assert "more than any other" not in charts.bars(table, "bank").title
    months = pd.DataFrame({"expiry": ["2027-01", "2027-02"], "cards": [9, 5], "bank": ["A", "B"]})
    assert "these months" in charts.expiry_calendar_bars(months).title
    hidden = months.assign(cards=pd.array([9, None], dtype="Int64"))
    assert "the months shown" in charts.expiry_calendar_bars(hidden).title
    assert "batch shown" in charts.bank_month_heatmap(hidden).title
