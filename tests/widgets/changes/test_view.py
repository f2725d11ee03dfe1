"""The view of changes without a page: events as `compare` finds them, narrowed by choices."""

import json
import threading

import pyarrow as pa
import pytest
from panel_inside import parts_of, sent, text_of

import tokenvault_data as tv
from tokenvault_data.analysis.changes.compare import compare
from tokenvault_data.analysis.changes.events import KINDS
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings
from tokenvault_data.errors import UsageError
from tokenvault_data.widgets.changes.view import ChangesView

IDS = ("customer_id", "instrument_id", "instrument_uid", "par")
HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture
def view(store_of_two, tmp_path):
    made = ChangesView(store=store_of_two, export_to=str(tmp_path / "changes.parquet"))
    assert made.wait()
    return made


@pytest.fixture(scope="module")
def comparison(older, snapshot):
    return compare(older, snapshot)


@pytest.fixture(scope="module")
def partial_pair(tmp_path_factory):
    """Two snapshots of which each was asked for customers that the other was not."""
    store = tmp_path_factory.mktemp("partial")
    settings = EmulatorSettings(customers=120, rate_limit_per_minute=600_000)
    made = []
    for numbers in (range(100), range(20, 120)):
        with (
            Emulator(settings) as emulator,
            tv.connect(emulator_profile(emulator.base_url)) as vault,
        ):
            customers = [f"cust_{number:07d}" for number in numbers]
            made.append(tv.collect(vault, customers, store=store, fresh=True, progress=False))
    return made


def account_of(view):
    (table,) = (one for one in parts_of(view) if "tv-account" in one._dom_classes)
    return [
        [row[0], *(0 if cell == "-" else int(cell.replace(",", "")) for cell in row[1:])]
        for row in table.rows
    ]


def test_the_two_newest_are_compared_and_counted(view, comparison, older, snapshot):
    """Bars of kind, bank and month hold all events of `compare`, by the counts of its `by`."""
    assert view.state == {
        "store": str(snapshot.path.parents[1]),
        "old": older.id,
        "new": snapshot.id,
        "chosen": {},
    }
    assert view.comparison.events.arrow().equals(comparison.events.arrow())
    assert view.bars["kind"].labels == [kind.replace("_", " ") for kind in KINDS]
    wanted = comparison.by().set_index("kind")["cards"].to_dict()
    assert dict(zip(KINDS, view.bars["kind"].counts, strict=True)) == {
        kind: wanted.get(kind, 0) for kind in KINDS
    }
    for name in ("bank", "expiry"):
        of_value = comparison.by(name).groupby(name, dropna=False, observed=True)["cards"].sum()
        assert sum(view.bars[name].counts) == of_value.sum() == len(comparison.events)
        assert max(view.bars[name].counts) == of_value.max()
    assert len(view.events) == len(comparison.events)


def test_the_account_holds_every_row_once(view, older, snapshot):
    """What became of the rows adds up to each list."""
    *lines, (_, old, new) = account_of(view)
    assert (old, new) == (len(older.to_arrow()), len(snapshot.to_arrow()))
    assert (sum(line[1] for line in lines), sum(line[2] for line in lines)) == (old, new)
    assert "does not add up" not in text_of(view, "headline")


def test_customers_not_fetched_twice_are_unknown(partial_pair):
    """Their cards count as unknown: none is gone or added, and the account still adds up."""
    view = ChangesView(*partial_pair)
    assert view.wait()
    lines = {name: counts for name, *counts in account_of(view)}
    assert lines["gone"] == lines["added"] == [0, 0]
    assert min(lines["unknown, not fetched twice"]) > 0
    total = lines.pop("all rows")
    assert [sum(side) for side in zip(*lines.values(), strict=True)] == total
    assert "40 customers were not fetched both times" in text_of(view, "headline")
    assert len(view.events) == 0
    assert view.list.view.rows == []


def test_choices_narrow_each_other_and_the_list(view, comparison):
    """A chosen bar narrows the other bars, the list, the words and the code; not its own."""
    kinds = list(view.bars["kind"].counts)
    gone = KINDS.index("gone")
    view.bars["kind"].chosen = [gone]
    assert view.wait()
    events = comparison.events
    of_kind = events[events["kind"] == "gone"]
    assert view.bars["kind"].counts == kinds
    assert sum(view.bars["bank"].counts) == kinds[gone] == len(of_kind)
    assert view.events["instrument_id"].tolist() == of_kind["instrument_id"].tolist()
    largest = max(range(len(view.bars["bank"].counts)), key=view.bars["bank"].counts.__getitem__)
    view.bars["bank"].chosen = [largest]
    assert view.wait()
    bank = view.bars["bank"].labels[largest]
    assert view.state["chosen"] == {"kind": ["gone"], "bank": [bank]}
    assert len(view.events) == view.bars["bank"].counts[largest] > 0
    assert set(view.events["bank"]) == {bank}
    assert view.list.view.caption == f"{len(view.events)} events: gone, {bank}"
    view.clear()
    assert view.wait()
    assert len(view.events) == len(events)


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"kind": ["gone", "added"]},
        {"bank": ["HDFC Bank", None]},
        {"kind": ["renewed"], "expiry": ["2031-01", "2031-12", None]},
    ],
)
def test_the_code_finds_the_same_events(older, snapshot, chosen):
    """The code to copy, run as it is, gives the events that are listed."""
    view = ChangesView(older, snapshot, chosen=chosen)
    assert view.wait()
    scope = {"old": older, "new": snapshot}
    blocks = json.loads(text_of(view, "choice"))
    exec(dict(map(tuple, blocks))["code"], scope)
    assert scope["events"]["instrument_id"].tolist() == view.events["instrument_id"].tolist()


def test_state_is_plain_and_comes_back(view):
    """The state survives JSON, and a view made of it shows the same events."""
    view.choose("kind", ["gone", "replaced"])
    view.choose("bank", [None, "HDFC Bank"])
    again = ChangesView(**json.loads(json.dumps(view.state)))
    assert again.wait()
    assert view.wait()
    assert again.state == view.state
    assert again.events.arrow().equals(view.events.arrow())


def test_another_pair_is_chosen_from_the_store(view, older, snapshot):
    """The lists of the store turn the comparison around; what is added then went."""
    added, gone = view.bars["kind"].counts[:2]
    view.pair.old.value, view.pair.new.value = snapshot.id, older.id
    view.pair.compare.click()
    assert view.wait()
    assert view.bars["kind"].counts[:2] == [gone, added]
    assert view.state["old"] == snapshot.id
    view.pair.old.value = older.id
    view.pair.compare.click()
    assert "Both are the same snapshot" in text_of(view, "said")
    assert view.state["old"] == snapshot.id


class SlowStream:
    """A stream of rows that come when the gate is opened, and only once."""

    def __init__(self, table):
        self.gate = threading.Event()
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        assert self.gate.wait(60)
        table, self._table = self._table, None
        return table.__arrow_c_stream__(requested_schema)


def test_comparing_leaves_the_caller_free(older, snapshot, comparison):
    """The constructor returns while the rows are still to come, and says what is on its way."""
    slow = SlowStream(older.to_arrow())
    view = ChangesView(slow, snapshot)
    (progress,) = (one for one in parts_of(view) if "tv-progress" in one._dom_classes)
    said = []
    progress.observe(lambda change: said.append(change["new"]), "text")
    assert not view.wait(0.2)
    assert view.comparison is None
    assert view.events is None
    assert "Opening and checking both lists." in view.static_html()
    view.choose("kind", ["gone"])
    slow.gate.set()
    assert view.wait()
    assert len(view.events) == (comparison.events["kind"] == "gone").sum() > 0
    sizes = [f"{len(one.to_arrow()):,} cards" for one in (older, snapshot)]
    assert [text.split(".")[0] for text in said] == [
        f"Comparing {sizes[0]} with {sizes[1]}",
        f"Counting {len(view.comparison.events):,} events",
        "",
    ]


def test_pages_are_masked_and_files_hold_the_chosen_events(view, tmp_path):
    """Ten masked rows a page; the file holds all chosen events, by the policy chosen."""
    view.choose("kind", ["replaced", "gone", "added"])
    assert view.wait()
    events, page = view.events, view.list.view
    assert page.pages == -(-len(events) // 10) > 1
    page.page = page.pages - 1
    assert page.note.endswith(f"to {len(events)} of {len(events)} events")
    view.list.export.policy.value = "full"
    view.list.export.button.click()
    assert view.wait()
    back = tv.read_export(tmp_path / "changes.parquet")
    assert back["instrument_id"].tolist() == events["instrument_id"].tolist()
    assert "in clear" in text_of(view, "events-message")


def test_no_id_reaches_the_page(view, older, snapshot):
    """No id of a card is in what is sent, in the static page, or in what is printed."""
    known = set()
    for one in (older, snapshot):
        table = one.to_arrow(IDS)
        known |= {value for name in IDS for value in table[name].to_pylist() if value}
    assert len(view.list.view.rows) == 10
    for text in (sent(view), view.static_html(), repr(view), str(view._repr_mimebundle_())):
        assert not {value for value in known if value in text}


def test_hostile_text_stays_text(older, snapshot):
    """Names of banks are text wherever they show, and can be chosen like others."""
    spelled = snapshot.to_arrow()["card_bank"].unique().drop_null().cast(pa.string())
    own = {"spelling": spelled, "bank": pa.array([HOSTILE] * len(spelled))}
    view = ChangesView(older, snapshot, banks=load_bank_names(pa.table(own)))
    assert view.wait()
    view.bars["bank"].chosen = [0]
    assert view.wait()
    assert view.state["chosen"] == {"bank": [HOSTILE]}
    assert len(view.events) > 0
    assert "&lt;img" in view.static_html()
    assert "<img" not in view.static_html()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "fewer were given"),
        ({"old": "a", "new": "b"}, "fewer were given"),
        ({"chosen": {"network": ["visa"]}}, "not chosen by 'network'"),
        ({"chosen": {"kind": ["vanished"]}}, "no kind of event 'vanished'"),
        ({"chosen": {"bank": "HDFC Bank"}}, "a list of texts"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(given, said):
    """A wrong parameter is a UsageError that names it."""
    with pytest.raises(UsageError, match=said):
        ChangesView(**given)


def test_what_cannot_be_compared_is_said_in_the_panel(tmp_path, store_of_two, snapshot):
    """An empty store, a snapshot that is not there, a table that lacks columns: a sentence each."""
    empty = ChangesView(store=tmp_path)
    missing = ChangesView("20200101T000000Z-abcdef", snapshot.id, store=store_of_two)
    lacking = ChangesView(snapshot.to_arrow(["customer_id"]), snapshot)
    said = []
    for view in (empty, missing, lacking):
        assert view.wait()
        assert view.comparison is None
        said.append(view.static_html())
    assert "fewer than two snapshots" in said[0]
    assert "There is no snapshot 20200101T000000Z-abcdef" in said[1]
    assert "has no column" in said[2]


def test_tables_are_compared_too(older, snapshot):
    """Tables have no store and no ids; customers count as fetched where they have rows."""
    view = ChangesView(older.to_arrow(), snapshot.to_arrow())
    assert view.wait()
    assert view.state == {"store": None, "old": None, "new": None, "chosen": {}}
    assert len(view.events) > 0
