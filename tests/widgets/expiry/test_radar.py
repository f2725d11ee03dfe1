"""The radar without a page: its figures are those of the analyses, whatever is clicked."""

import itertools
import json
import shutil

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from panel_inside import part, sent, text_of

import tokenvault_data as tv
from tokenvault_data.analysis.expiry import expired_but_active, expiry_outlook
from tokenvault_data.analysis.outreach import customers_at_risk
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.schema import INSTRUMENTS
from tokenvault_data.dataset.today import day_of
from tokenvault_data.errors import UsageError
from tokenvault_data.widgets.expiry.radar import ExpiryRadar

IDS = ("customer_id", "instrument_id", "instrument_uid", "par")
HOSTILE = '<img src=x onerror="alert(1)"> & Sons'


@pytest.fixture
def radar(snapshot, tmp_path):
    made = ExpiryRadar(snapshot, export_to=str(tmp_path / "outreach.csv"))
    assert made.wait()
    return made


def busiest(radar):
    """Return the bank and month of the fullest cell, and how many cards it has."""
    places = itertools.product(range(radar.map.choosable), range(len(radar.map.columns)))
    row, column = max(places, key=lambda place: radar.map.counts[place[0]][place[1]])
    return row, column


def test_figures_are_those_of_the_analyses(radar, snapshot):
    """Headline figures equal `expiring`, `breakdown`, `expiry_outlook`; and add up to all cards."""
    found = radar.headline
    for days in (30, 60, 90):
        assert found.by_horizon[days] == len(tv.expiring(snapshot, days))
    buckets = dict(tv.breakdown(snapshot, "expires_in")[["expires_in", "cards"]].values.tolist())
    assert found.expired == buckets["expired"]
    assert found.later == buckets["later"]
    assert found.expired_active == len(expired_but_active(snapshot))
    unknown = expiry_outlook(snapshot).set_index("bucket").loc["unknown", "cards"]
    assert found.unknown == unknown > 0
    assert found.expired + found.within + found.later + found.unknown == found.cards
    assert found.cards == len(snapshot.to_arrow())
    assert f"{found.expired:,} expired + {found.within:,} within 90 days" in text_of(
        radar, "headline"
    )


@pytest.mark.parametrize(
    ("within", "as_of"),
    [
        ("1D", "2024-02-29"),
        (7, "2027-01-31"),
        ("45D", "2031-12-31"),
        ("3M", "2024-02-29"),
        ("3M", "2027-01-31"),
        (365, "2024-02-29"),
        (36_500, "2031-12-31"),
    ],
)
def test_any_horizon_and_day(snapshot, within, as_of):
    """Also on other days and with other horizons, months included."""
    found = ExpiryRadar(snapshot, as_of=as_of, within=within, history=()).headline
    assert found.within == len(tv.expiring(snapshot, within, as_of=as_of))
    assert found.expired_active == len(expired_but_active(snapshot, as_of=as_of))
    assert found.expired + found.within + found.later + found.unknown == found.cards


def test_calendar_and_map_hold_the_counts_of_breakdowns(radar, snapshot):
    """Every bar and every cell is what `breakdown` counts; what has no bar is said in the note."""
    by_month = tv.breakdown(snapshot, "expiry").dropna(subset=["expiry"])
    counts = dict(zip(by_month["expiry"], by_month["cards"], strict=True))
    shown = dict(zip(radar._months, radar.calendar.counts, strict=True))
    assert shown == {month: counts.get(month, 0) for month in shown}
    outside = sum(counts.values()) - sum(shown.values())
    note = [int(word.replace(",", "")) for word in radar.calendar.note.split() if word[0].isdigit()]
    assert note[0] + note[1] == outside
    assert note[2] == radar.headline.unknown
    today = f"{day_of(None):%Y-%m}"
    assert radar._months.index(today) == radar.calendar.past

    cells = tv.breakdown(snapshot, ["bank", "expiry"]).arrow().to_pylist()
    wanted = {(one["bank"], one["expiry"]): one["cards"] for one in cells}
    for row, bank in enumerate(radar._map_banks):
        for column, month in enumerate(radar._map_months):
            assert radar.map.counts[row][column] == wanted.get((bank, month), 0)
    assert radar.map.totals == [counts.get(month, 0) for month in radar._map_months]
    assert None not in radar._map_banks[:-1]


def test_a_cell_filters_the_rest(radar, snapshot):
    """A click on a cell narrows figures, calendar, list, sentence and code to bank and month."""
    row, column = busiest(radar)
    before = list(radar.calendar.counts)
    radar.map.chosen = {"rows": [row], "columns": [column]}
    assert radar.wait()
    bank, month = radar._map_banks[row], radar._map_months[column]
    assert radar.state["chosen"] == {"bank": [bank], "expiry": [month]}
    (counted,) = tv.breakdown(
        snapshot, ["bank", "expiry"], where=tv.where(bank=[bank], expiry=[month])
    )["cards"]
    assert radar.headline.cards == counted == radar.map.counts[row][column]
    assert radar.calendar.counts != before
    assert radar.calendar.chosen == [radar._months.index(month)]
    assert sum(radar.calendar.counts) < sum(before)
    listed = radar.outreach.arrow()
    everyone = customers_at_risk(snapshot).arrow()
    wanted = everyone.filter(
        pc.and_(
            pc.equal(everyone["bank"], bank),
            pc.equal(pc.strftime(everyone["last_usable_on"], format="%Y-%m"), month),
        )
    )
    assert listed.equals(wanted)
    assert f"bank is {bank} and month and year of expiry is {month}" in text_of(radar, "choice")
    radar.controls.clear.click()
    assert radar.state["chosen"] == {}
    assert radar.calendar.counts == before


def test_bars_and_headings_choose_one_side_only(radar):
    """Months from the calendar keep the bank, a bank from the map keeps the months."""
    first = radar.calendar.past
    radar.calendar.chosen = [first, first + 1]
    radar.map.chosen = {"rows": [0], "columns": [0, 1]}
    chosen = radar.state["chosen"]
    assert chosen == {"bank": [radar._map_banks[0]], "expiry": radar._months[first : first + 2]}
    radar.map.chosen = {"rows": [0], "columns": []}
    assert radar.calendar.chosen == []
    assert radar.state["chosen"] == {"bank": [radar._map_banks[0]]}


def test_the_code_gives_what_is_shown(snapshot):
    """The code to copy, run as it is, counts and lists the cards of the choice."""
    for where in (None, "card_network=visa,rupay"):
        radar = ExpiryRadar(snapshot, within="60D", where=where, history=())
        row, column = busiest(radar)
        radar.map.chosen = {"rows": [row], "columns": [column]}
        *lines, counting, listing = dict(map(tuple, part(radar, "choice").blocks))["code"].split(
            "\n"
        )
        scope = {"snapshot": snapshot}
        exec("\n".join(lines), scope)
        assert eval(counting, scope)["cards"].sum() == radar.headline.cards > 0
        assert len(eval(listing, scope)) == radar.headline.within


def test_controls_are_the_parameters(radar):
    """Day and horizon picked in the page are those of the state, and an emptied day is today."""
    radar.controls.day.value = day_of("2027-03-15")
    radar.controls.horizon.value = 30
    assert radar.state == {"as_of": "2027-03-15", "within": "30D", "where": None, "chosen": {}}
    radar.controls.horizon.value = 0
    assert radar.controls.days.layout.display == "flex"
    radar.controls.days.value = 45
    assert radar.state["within"] == "45D"
    radar.controls.day.value = None
    assert radar.state["as_of"] is None
    assert radar.controls.day.value == day_of(None)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"as_of": "2026-12-31", "within": "3M"},
        {"within": 45, "where": "card_network=visa"},
        {"where": {"column": "expires_in", "in": ["later"]}, "chosen": {"bank": [None]}},
        {"chosen": {"bank": ["HDFC Bank", None], "expiry": ["2027-01", "2040-05"]}},
    ],
)
def test_state_is_plain_and_comes_back(snapshot, given):
    """The state survives JSON, and a panel made of it shows the same."""
    radar = ExpiryRadar(snapshot, history=(), **given)
    again = ExpiryRadar(snapshot, history=(), **json.loads(json.dumps(radar.state)))
    assert again.state == radar.state
    assert again.headline == radar.headline
    assert again.map.chosen == radar.map.chosen


def test_where_narrows_figures_and_list(snapshot):
    """A condition narrows the figures, and the list to those whose last usable card passes."""
    radar = ExpiryRadar(snapshot, within=365, where="card_network=visa")
    assert radar.wait()
    assert radar.headline.within == len(tv.expiring(snapshot, 365, where="card_network=visa"))
    everyone = customers_at_risk(snapshot, 365)
    listed = set(radar.outreach["customer_id"])
    visa = set(everyone[everyone["card_network"] == "visa"]["customer_id"])
    assert visa <= listed < set(everyone["customer_id"])
    assert "network is visa" in text_of(radar, "headline")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"within": "soon"}, "is no time to look ahead"),
        ({"as_of": "2027-02-30"}, "is not a day"),
        ({"chosen": {"network": ["visa"]}}, "holds lists of banks and of months"),
        ({"chosen": {"expiry": ["January"]}}, "January"),
        ({"where": "last_four=1234"}, "not a column that cards are counted by"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(snapshot, given, said):
    """A wrong parameter is a UsageError that names it."""
    with pytest.raises(UsageError, match=said):
        ExpiryRadar(snapshot, **given)


def test_a_day_at_the_end_of_time_is_said_in_the_panel(radar):
    """What a click cannot do is said in the panel, and what is shown stays."""
    before = radar.headline
    radar.controls.day.value = day_of("9999-12-31")
    assert "leads past the year 9999" in text_of(radar, "said")
    assert radar.headline == before


def test_pages_are_masked_and_files_are_whole(radar, snapshot, tmp_path):
    """The page shows ten masked rows at a time; the file holds them all, by the policy chosen."""
    radar.judge(None, within=1500)
    assert radar.wait()
    view = radar.list.view
    assert view.pages > 1
    view.page = 1
    assert view.note.startswith("11 to ")
    wanted = customers_at_risk(snapshot, 1500)
    assert view.rows[0][1] == str(wanted["last_usable_on"].dt.date.iloc[10])
    radar.list.export.policy.value = "full"
    radar.list.export.button.click()
    assert radar.wait()
    assert f"holds {len(wanted):,} customers" in text_of(radar, "outreach-message")
    back = tv.read_export(tmp_path / "outreach.csv")
    assert back["customer_id"].tolist() == wanted["customer_id"].tolist()
    radar.list.export.policy.value = "masked"
    radar.list.export.path.value = str(tmp_path / "outreach.parquet")
    radar.list.export.button.click()
    assert radar.wait()
    hashed = set(tv.read_export(tmp_path / "outreach.parquet")["customer_id"])
    assert len(hashed) == len(wanted)
    assert not hashed & set(wanted["customer_id"])


def test_a_file_that_cannot_be_written_is_said_in_a_sentence(radar, tmp_path):
    """A wrong name or folder is told in the panel, and nothing is left behind."""
    for path in (tmp_path / "nowhere" / "list.csv", tmp_path / "list.xlsx"):
        radar.list.export.path.value = str(path)
        radar.list.export.button.click()
        assert radar.wait()
        assert '"warning"' in text_of(radar, "outreach-message")
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_deleted_is_said_in_the_list(store_of_two, tmp_path):
    """Figures go on without the rows; the list says what is the matter, and nothing is shown."""
    copy = shutil.copytree(store_of_two, tmp_path / "copy")
    radar = ExpiryRadar(tv.open_snapshot(copy), history=())
    assert radar.wait()
    shutil.rmtree(copy)
    radar.judge("2027-06-30")
    assert radar.wait()
    assert radar.headline.within > 0
    assert radar.outreach is None
    assert radar.list.view.rows == []
    assert "see whether the store was moved or deleted" in radar.list.view.empty
    assert "not ready" in radar.static_html()


def test_no_id_reaches_the_page(radar, snapshot):
    """No id of a card is in what is sent, in the static page, or in what is printed."""
    radar.judge(None, within=1500)
    assert radar.wait()
    assert len(radar.outreach) > 100
    table = snapshot.to_arrow(IDS)
    known = {value for name in IDS for value in table[name].to_pylist() if value}
    for text in (sent(radar), radar.static_html(), repr(radar), str(radar._repr_mimebundle_())):
        assert not {value for value in known if value in text}


def test_static_page_has_the_figures_without_script(radar):
    """The twin shows figures, months, banks and the first rows, all text escaped."""
    page = radar.static_html()
    found = radar.headline
    for text in (f"{found.cards:,}", f"{found.expired:,}", radar.map.rows[0], radar.outreach.title):
        assert text in page
    assert "<script" not in page


def test_hostile_text_stays_text(snapshot):
    """Names of banks and networks are text wherever they show, and can be chosen like others."""
    table = snapshot.to_arrow()
    spelled = table.column("card_bank").unique().drop_null().cast(pa.string())
    own = pa.table({"spelling": spelled, "bank": pa.array([HOSTILE] * len(spelled))})
    own = own.append_column("note", pa.array([""] * len(spelled)))
    for name in ("card_network", "last_four"):
        place = table.schema.get_field_index(name)
        values = pa.array([HOSTILE] * len(table)).cast(INSTRUMENTS.field(name).type)
        table = table.set_column(place, name, values)
    radar = ExpiryRadar(table, within=3650, banks=load_bank_names(own))
    radar.map.chosen = {"rows": [0], "columns": []}
    assert radar.wait()
    assert radar.state["chosen"] == {"bank": [HOSTILE]}
    assert 0 < radar.headline.cards < len(table)
    assert len(radar.outreach) > 0
    assert radar.static_html().count("&lt;img") > 3
    assert "<img" not in radar.static_html()


def test_forecast_says_what_it_is_made_of(radar, snapshot):
    """With a store at hand there is a forecast, by the rules of `forecast`."""
    said = text_of(radar, "forecast")
    assert "What to expect" in said
    assert "cards scheduled to lapse" in said
    assert part(ExpiryRadar(snapshot, history=()), "forecast").blocks == []
    radar.judge("2020-01-01")
    assert radar.wait()
    assert "after the month to begin with" in text_of(radar, "forecast")


def test_an_empty_vault(snapshot):
    """Without any card, everything is nothing, and nothing fails."""
    radar = ExpiryRadar(snapshot.to_arrow().slice(0, 0))
    assert radar.wait()
    assert radar.headline.cards == 0
    assert radar.outreach is not None
    assert len(radar.outreach) == 0
    assert "0 cards" in radar.static_html()
