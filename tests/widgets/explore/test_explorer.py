"""The explorer without a page: what clicks do, what travels to the page, what is left behind."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from panel_inside import part, sent

from tokenvault_data import breakdown, read_export
from tokenvault_data.cleanup.selection.rules import as_rule
from tokenvault_data.widgets import Explorer


@pytest.fixture
def explorer(snapshot, tmp_path):
    made = Explorer(snapshot, export_to=str(tmp_path / "cards.parquet"))
    assert made.wait()
    return made


def blocks(explorer, name):
    return dict(map(tuple, part(explorer, name).blocks))


def test_a_click_on_a_bar_filters_everything(explorer, snapshot):
    """What the browser sets when a bar is clicked changes bars, figures, rows, code and state."""
    networks = part(explorer, "card_network")
    before = list(part(explorer, "bank").counts)
    networks.chosen = [networks.labels.index("RuPay")]
    assert explorer.wait()
    table = breakdown(snapshot, "card_network", where="card_network=rupay")
    cards, customers = int(table["cards"].iloc[0]), int(table["customers"].iloc[0])
    everything = snapshot.manifest.instruments
    assert explorer.total == cards == sum(part(explorer, "bank").counts)
    assert part(explorer, "bank").counts != before
    assert blocks(explorer, "figures-shown")["figures"][:2] == [
        (f"{cards:,}", f"cards, {cards / everything:.1%} of {everything:,}"),
        (f"{customers:,}", "customers who have them"),
    ]
    rows = part(explorer, "rows")
    assert {row[rows.columns.index("card_network")] for row in rows.rows} == {"rupay"}
    assert rows.pages == -(-cards // 20)
    assert "card_network=rupay" in blocks(explorer, "code-shown")["code"]
    assert explorer.state["filters"] == {"card_network": ["rupay"]}


def test_the_state_makes_the_same_explorer_again(explorer, snapshot, older):
    """State survives JSON, and names snapshots by id."""
    explorer.choose("card_network", ["visa"])
    explorer.choose("expiry", {"from": "2026-01", "through": "2028-12"})
    explorer.compare_with(older.id)
    state = json.loads(json.dumps(explorer.state))
    assert state.pop("snapshot") == snapshot.id
    again = Explorer(snapshot, **state)
    assert again.state == explorer.state
    assert part(again, "bank").counts == part(explorer, "bank").counts
    assert part(again, "bank").compared == part(explorer, "bank").compared != []


def test_pages_are_turned_and_masked(explorer, snapshot):
    """The second page holds the next twenty rows of the files, ids masked."""
    rows = part(explorer, "rows")
    first = [list(row) for row in rows.rows]
    rows.page = 1
    assert explorer.wait()
    last_four = snapshot.to_arrow(["last_four"])["last_four"].to_pylist()[20:40]
    shown = [row[rows.columns.index("last_four")] for row in rows.rows]
    assert shown == ["-" if four is None else four for four in last_four]
    assert rows.rows != first
    assert "Rows 21 to 40" in rows.note


def test_a_new_filter_begins_at_the_first_page(explorer):
    """A page number of another selection of rows would be a page of strangers."""
    rows = part(explorer, "rows")
    rows.page = 3
    assert explorer.wait()
    explorer.choose("card_type", ["debit"])
    assert explorer.wait()
    assert rows.page == 0
    assert "Rows 1 to 20" in rows.note


def test_no_id_reaches_the_page(explorer, snapshot):
    """Neither state nor static twin holds an id of a customer, a card or an account in clear."""
    part(explorer, "rows").page = 2
    assert explorer.wait()
    page = sent(explorer) + explorer.static_html()
    page += json.dumps(explorer._repr_mimebundle_(), default=str) + repr(explorer)
    assert not re.search(r"cust_\d{7}", page)
    ids = snapshot.to_arrow(["customer_id", "instrument_id", "instrument_uid", "par"])
    known = {value for column in ids.columns for value in column.to_pylist() if value}
    assert len(known) > 1000
    assert not {value for value in known if value in page}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_what_is_shown_is_exported(explorer, snapshot, tmp_path, suffix):
    """The button writes the filtered rows under the policy that is chosen, and says where."""
    path = tmp_path / f"rupay.{suffix}"
    explorer.choose("card_network", ["rupay"])
    part(explorer, "rows-path").value = str(path)
    part(explorer, "rows-export").click()
    assert explorer.wait()
    frame = read_export(path)
    assert len(frame) == explorer.total > 0
    assert set(frame["card_network"].astype(str)) == {"rupay"}
    assert not frame["customer_id"].astype(str).str.match(r"cust_\d{7}").any()
    assert str(path) in blocks(explorer, "rows-message")["good"]


def test_an_export_that_cannot_be_is_one_sentence(explorer, tmp_path):
    """A folder that is not there is said in the panel; nothing is raised, nothing is written."""
    part(explorer, "rows-path").value = str(tmp_path / "nowhere" / "cards.csv")
    part(explorer, "rows-export").click()
    assert explorer.wait()
    assert "no directory" in blocks(explorer, "rows-message")["warning"]


def test_the_filter_becomes_a_cleanup_rule(explorer):
    """The button shows code that makes the rule; an empty filter makes none."""
    part(explorer, "rule").click()
    assert "no rule" in blocks(explorer, "said")["warning"]
    explorer.choose("card_network", ["rupay"])
    explorer.choose("expiry", {"from": None, "through": "2026-06"})
    part(explorer, "rule").click()
    code = blocks(explorer, "said")["code"]
    names = {}
    exec(code.rpartition("\n")[0], names)
    assert as_rule(names["rule"]) == as_rule(explorer.predicate)
    assert as_rule(explorer.predicate).sentence() in blocks(explorer, "said")["text"]


def test_a_comparison_is_chosen_from_the_store(explorer, older):
    """The list offers the other snapshots of the store, and their counts appear beside."""
    chooser = part(explorer, "compare")
    assert older.id in dict(chooser.options).values()
    chooser.value = older.id
    assert explorer.state["against"] == older.id
    assert sum(part(explorer, "card_network").compared) == older.manifest.instruments
    chooser.value = ""
    assert part(explorer, "card_network").compared == []


def test_clearing_shows_all_cards_again(explorer, snapshot):
    """One button takes all filters away."""
    explorer.choose("card_network", ["rupay"])
    explorer.choose("card_type", [None])
    part(explorer, "clear-all").click()
    assert explorer.total == snapshot.manifest.instruments
    assert all(part(explorer, name).chosen == [] for name in ("card_network", "card_type"))


def test_many_clicks_end_with_the_last(explorer, snapshot):
    """Rows and customers are those of the last of many clicks in a row."""
    networks = part(explorer, "card_network")
    for _ in range(5):
        for place in range(len(networks.labels)):
            networks.chosen = [place]
    networks.chosen = [networks.labels.index("Visa")]
    assert explorer.wait()
    rows = part(explorer, "rows")
    assert {row[rows.columns.index("card_network")] for row in rows.rows} == {"visa"}
    wanted = int(
        breakdown(snapshot, "card_network", where="card_network=visa")["customers"].iloc[0]
    )
    assert blocks(explorer, "figures-shown")["figures"][1][0] == f"{wanted:,}"


def test_the_static_twin_shows_every_figure_without_script(explorer):
    """Tables of counts that add up to the total, no script, no handler, no address."""
    explorer.choose("card_network", ["visa"])
    assert explorer.wait()
    page = explorer.static()._repr_html_()
    seen = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: seen.append((tag, dict(attributes)))
    parser.feed(page)
    assert {tag for tag, _ in seen} <= {
        "div",
        "h3",
        "p",
        "b",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }
    assert all(set(attributes) <= {"style", "scope"} for _, attributes in seen)
    assert f"<b>{explorer.total:,}</b>" in page
    assert "network is visa" in page
