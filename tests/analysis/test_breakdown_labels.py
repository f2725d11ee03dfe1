"""Labels of ours and values that read like them stay apart, wherever both are shown."""

import re

import pytest
from analysis_cases import card, publish, table_of

from tokenvault_data.analysis.breakdown import breakdown
from tokenvault_data.analysis.changes.compare import compare
from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.labels import MISSING, NOT_KNOWN, OTHER, others_label, value_text
from tokenvault_data.errors import UsageError
from tokenvault_data.reports.charts import charts
from tokenvault_data.reports.labels import is_summed_up

NAMES = ("(other)", "(none)", "(total)", "(3 others)", "(fewer than 5 each)", '"(other)"', "A", "B")
"""Banks really called so, the first with the most cards."""


def vault_of(names=NAMES):
    """One customer a card: more cards of a bank the earlier it is named, and two of none."""
    banks = [name for place, name in enumerate(names) for _ in range(2 * (len(names) - place))]
    return {
        f"c{place}": [card(f"i{place}", card_bank_name=bank)]
        for place, bank in enumerate([*banks, None, None])
    }


@pytest.mark.parametrize("text", [OTHER, MISSING, NOT_KNOWN, others_label(7), "-", '"-"'])
def test_what_reads_like_a_label_is_quoted_and_no_label_is(text):
    """So that no two values, and no value and label, are written alike."""
    assert value_text(text) == f'"{text}"'
    assert value_text(value_text(text)) not in {text, value_text(text)}
    for plain in ("HDFC Bank", "Bank (HK)", "(HK) Bank", "Other", "None", 'The "Best" Bank'):
        assert value_text(plain) == plain


@pytest.mark.parametrize("top", range(1, len(NAMES) + 2))
def test_a_breakdown_keeps_a_bank_called_other_apart_from_the_others(top):
    """Cards of every named group, of the missing and of the rest are what counting by hand says."""
    table = breakdown(table_of(vault_of()), "card_bank", top=top).arrow().to_pylist()
    found = {row["card_bank"]: row["cards"] for row in table}
    assert len(found) == len(table)
    sizes = {name: 2 * (len(NAMES) - place) for place, name in enumerate(NAMES)} | {None: 2}
    named = sorted(sizes, key=lambda name: (-sizes[name], name is None))[:top]
    wanted = {None if name is None else value_text(name): sizes[name] for name in named}
    rest = sum(sizes.values()) - sum(wanted.values())
    assert found == wanted | ({OTHER: rest} if rest else {})


def test_a_breakdown_of_all_groups_has_the_names_as_they_are():
    """Without a rest there is no label, and nothing is quoted."""
    table = breakdown(table_of(vault_of()), "card_bank").arrow().to_pylist()
    assert {row["card_bank"] for row in table} == {*NAMES, None}


@pytest.mark.parametrize("top", [None, 2])
def test_a_chart_draws_a_bank_called_other_as_a_bank(top):
    """It is not said to sum others up, and its cards are its own."""
    chart = charts.bars(breakdown(table_of(vault_of()), "card_bank", top=top), "card_bank")
    assert '"(other)" is written as the bank of' in chart.title
    assert '"(other)": 16 cards' in chart.description
    assert is_summed_up(OTHER)


def test_no_bank_is_renamed_to_a_label(tmp_path):
    """A table of names that would call a bank like a label is refused, with what to do."""
    path = tmp_path / "names.csv"
    for name in ("(other)", "(small ones)", "not known"):
        path.write_text(f"spelling,bank\nAXIS,{name}\n")
        with pytest.raises(UsageError, match=re.escape("reads like a label")):
            load_bank_names(path)
    path.write_text("spelling,bank\nAXIS,Other banks\n")
    assert load_bank_names(path).canonical("axis") == "Other banks"


def test_events_at_a_bank_called_none_are_not_those_of_unknown_banks(tmp_path):
    """Events are counted by bank, the missing one null."""
    old = publish(tmp_path, {"c1": []})
    names = {"a": "(none)", "b": "N/A", "c": "-"}
    cards = [card(name, card_bank_name=bank) for name, bank in names.items()]
    new = publish(tmp_path, {"c1": cards})
    counts = compare(old, new).by("card_bank").arrow().to_pylist()
    assert {row["card_bank"]: row["cards"] for row in counts} == {"(none)": 1, None: 2}
