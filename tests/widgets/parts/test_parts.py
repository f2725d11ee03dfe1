"""The parts of panels: text stays text, front ends fetch nothing, and errors are one sentence."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from tokenvault_data.dataset.tables import result_table
from tokenvault_data.errors import UsageError
from tokenvault_data.widgets.parts.bars import Bars
from tokenvault_data.widgets.parts.layout import Panel, StaticView, in_a_sentence
from tokenvault_data.widgets.parts.tables import TableView
from tokenvault_data.widgets.parts.text import KINDS, ProgressView, Prose, as_html

HOSTILE = "<img src=x onerror=alert(1)>"
PARTS = [Bars, Prose, ProgressView, TableView]


@pytest.mark.parametrize("part", PARTS)
def test_front_ends_fetch_nothing_and_make_no_markup(part):
    """No address, no import, and none of the ways by which text becomes markup."""
    source = part._esm + part._css
    assert not re.search(r"https?:|//cdn|@import|\bimport\s*[({\"']|url\(", source)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc",
        source,
    )
    assert "export default" in part._esm


def test_every_kind_of_block_has_a_static_form():
    """Each kind is written as HTML in which hostile text is text."""
    pairs = [(HOSTILE, HOSTILE)]
    contents = {"list": [HOSTILE], "facts": pairs, "figures": pairs}
    page = as_html([(kind, contents.get(kind, HOSTILE)) for kind in KINDS])
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: tags.append(tag)
    parser.feed(page)
    assert "img" not in tags
    assert page.count("&lt;img") == len(KINDS) + 2
    assert all(kind in Prose._esm for kind in KINDS)


def test_prose_leaves_out_what_is_none():
    """None stands for a block that is not said this time."""
    prose = Prose()
    prose.show(("text", "one"), None, ("note", "two"))
    assert prose.blocks == [["text", "one"], ["note", "two"]]


def test_a_table_is_shown_masked():
    """Ids are masked, numbers grouped and put to the right."""
    view = TableView()
    frame = pd.DataFrame({"customer_id": ["cust_0000001"], "cards": [12345]})
    view.show(result_table(frame))
    assert view.columns == ["customer_id", "cards"]
    assert view.rows == [["cu…01", "12,345"]]
    assert view.rights == [False, True]
    assert view.note == "1 rows"


class Small(Panel):
    @property
    def state(self):
        return {}

    def static_html(self):
        return "<p>twin</p>"


def test_a_panel_brings_its_twin_along():
    """What is saved with a notebook has an HTML form, and a repr that prints no content."""
    panel = Small("small")
    bundle = panel._repr_mimebundle_()
    assert bundle["text/html"] == "<p>twin</p>"
    assert bundle["text/plain"] == repr(panel) == "<Small>"
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert isinstance(panel.static(), StaticView)
    assert panel.static()._repr_html_() == "<p>twin</p>"


def test_errors_are_said_in_a_sentence():
    """Our own as they are, notes included; the text of an unforeseen one is kept to itself."""
    known = UsageError("there is no such thing; nothing was done; name another.")
    known.add_note("Look at the list.")
    assert in_a_sentence(known) == (
        "There is no such thing; nothing was done; name another. Look at the list."
    )
    spoken = UsageError("it went wrong [request id 7]")
    spoken.add_note("5 are kept")
    assert in_a_sentence(spoken) == "It went wrong [request id 7]. 5 are kept."
    unforeseen = in_a_sentence(KeyError("cust_0000001"))
    assert "KeyError" in unforeseen
    assert "cust_" not in unforeseen


def test_progress_is_set_in_one_go():
    """A fraction beyond all is all."""
    view = ProgressView()
    view.show("done", fraction=1.2, tone="good")
    assert (view.text, view.fraction, view.tone) == ("done", 1.0, "good")
