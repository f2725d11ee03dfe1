"""Tables of results: whole inside, masked on screens."""

import pickle
from datetime import date

import pandas as pd
import pyarrow as pa

import tokenvault_data as tv
from tokenvault_data.dataset.masked_ids import is_identifying
from tokenvault_data.dataset.tables import result_table

IDS = {
    "customer_id": "customer-number-one",
    "old_instrument_id": "54deabb4-ba45-4a60-9e6a-9c016fe7ab10",
    "instrument_uid": "0d8f70838cc5af8b",
    "par": "V0017B3F6E2A",
    "afa_reference": "740324562",
    "customer_id_received": "somebody-else",
    "extra": '{"cvv": "no"}',
}


def table(rows=1, **more):
    columns = {name: [text] * rows for name, text in IDS.items()}
    return result_table(
        pa.table(columns | {name: [value] * rows for name, value in more.items()}),
        title="Cards",
        notes=("One thing to know.",),
    )


def test_screens_show_no_id():
    """Neither the text nor the HTML that a notebook shows holds an id in clear."""
    for shown in (repr(table()), str(table()), table()._repr_html_(), repr(table(rows=60))):
        assert not [text for text in IDS.values() if text in shown]
        assert "Cards" in shown
        assert "One thing to know." in shown


def test_data_are_whole():
    """Columns, exports and Arrow give ids as they are."""
    assert table()["customer_id"].tolist() == [IDS["customer_id"]]
    assert table().arrow().to_pylist() == [IDS]
    assert isinstance(table(), pd.DataFrame)


def test_what_is_derived_is_a_plain_frame_that_masks_too():
    """A filter, a sorted copy and a choice of columns show no id, and no title."""
    whole = table(rows=3, cards=5)
    derived = (
        whole[whole["cards"] > 1],
        whole.sort_values("cards"),
        whole[["customer_id"]],
        whole.head(1),
        whole.rename(columns={"par": "new_par"}),
        whole.copy(),
        whole.set_index("customer_id"),
        pd.concat([whole, whole]),
    )
    for one in derived:
        assert type(one) is pd.DataFrame
        shown = repr(one) + one._repr_html_()
        assert "Cards" not in shown
        assert not [text for text in IDS.values() if text in shown]


def test_a_table_changed_in_place_is_shown_without_the_title():
    """Rows or columns added or deleted, or another index: it is shown as pandas shows it."""

    def changed(change):
        whole = table(rows=3, cards=5)
        change(whole)
        return whole

    for one in (
        changed(lambda t: t.loc.__setitem__(3, t.iloc[0])),
        changed(lambda t: t.__setitem__("more", 1)),
        changed(lambda t: setattr(t, "index", [7, 8, 9])),
        changed(lambda t: t.__delitem__("par")),
    ):
        shown = repr(one) + one._repr_html_()
        assert "Cards" not in shown
        assert shown.startswith(repr(pd.DataFrame(one)))
        assert not [text for text in IDS.values() if text in shown]


def test_a_pivot_keeps_its_row_labels():
    """What has an index is displayed with it."""
    whole = result_table(pa.table({"bank": ["A", "B"], "network": ["visa", "rupay"], "n": [1, 2]}))
    shown = repr(whole.pivot_table(index="bank", columns="network", values="n"))
    assert shown.splitlines()[2].split()[0] == "A"


def test_ids_are_shown_when_asked_for():
    """Within `show_ids` tables and what is derived of them show whole ids, and not afterwards."""
    whole = table()
    with tv.show_ids():
        assert IDS["customer_id"] in repr(whole)
        assert IDS["customer_id"] in whole._repr_html_()
        assert IDS["customer_id"] in repr(whole[["customer_id"]])
    assert IDS["customer_id"] not in repr(whole) + repr(whole[["customer_id"]])


def test_a_result_travels_whole():
    """A pickled result comes back with title, notes and masks."""
    back = pickle.loads(pickle.dumps(table()))
    assert (back.title, back.notes) == ("Cards", ("One thing to know.",))
    assert repr(back) == repr(table())


def test_hostile_text_is_text():
    """Markup in a cell, a column name, the title or a note is shown and not obeyed."""
    hostile = "<img src=x onerror=alert(1)>"
    shown = result_table(
        pa.table({hostile: [hostile]}), title=hostile, notes=[hostile]
    )._repr_html_()
    assert "<img" not in shown
    assert shown.count("&lt;img") == 4


def test_control_characters_do_not_reach_the_terminal():
    """A cell with escapes or line breaks takes one line and colours nothing."""
    shown = repr(result_table(pa.table({"card_bank": ["a\x1b[31mb\nc", "d"]})))
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 4


def test_figures_read_well():
    """Counts are grouped, shares are percentages, years are not grouped, missing is a dash."""
    shown = repr(
        result_table(
            pa.table(
                {
                    "bank": pa.array([None, "X"]),
                    "cards": [1234567, 1],
                    "share": [0.5, 0.25],
                    "expiry_year": [2028, 2029],
                    "expires_on": [date(2028, 2, 29), None],
                }
            )
        )
    )
    assert shown.splitlines()[1].split() == ["-", "1,234,567", "50.0%", "2028", "2028-02-29"]
    assert shown.splitlines()[2].split() == ["X", "1", "25.0%", "2029", "-"]


def test_a_long_table_shows_its_ends_and_says_so():
    """Of a long table the first and last rows are shown, and how many there are."""
    shown = repr(result_table(pa.table({"n": list(range(5000))})))
    assert "5,000 rows, of which the first and last 10 are shown" in shown
    assert "4,999" in shown


def test_an_empty_table_can_be_shown():
    """No row and no column are no error."""
    assert "0 rows" in repr(result_table(pa.table({"cards": pa.array([], pa.int64())})))
    assert "0 rows" in result_table(pa.table({}))._repr_html_()
    assert "0 rows" in repr(result_table(pa.table({})))


def test_identifying_columns():
    """Ids of people, cards, accounts and payments, old and new ones, count as identifying."""
    assert all(map(is_identifying, IDS))
    assert all(map(is_identifying, ("customer_ids", "new_instrument_id", "old_par")))
    assert not any(map(is_identifying, ("card_network", "cards", "bank", "paragraph", "valid")))


def test_a_table_of_derived_rows_can_be_given_the_title():
    """Rows chosen on purpose are shown under the title they are chosen from."""
    whole = table(rows=3, cards=5)
    assert "Cards" in repr(whole.showing(whole.head(1)))
