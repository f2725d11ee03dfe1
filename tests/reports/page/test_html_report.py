"""The report: one file, whole, offline, readable by all, and without anybody in it."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pandas as pd
import pytest
from report_cases import NOW, publish, table_of, vault_of

from tokenvault_data.dataset.bank_names import load_bank_names
from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten
from tokenvault_data.emulator.population.population import Population
from tokenvault_data.emulator.settings import EmulatorSettings
from tokenvault_data.errors import TokenVaultError, UsageError
from tokenvault_data.reports.page.html_report import report, report_page

AS_OF = "2026-11-22"
WRITTEN = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>"
GROUPS = [
    (30, {"expires": "2026-10"}),
    (12, {"expires": "2026-12", "bank": "AXIS BANK", "network": "rupay"}),
    (9, {"expires": "2027-03", "bank": "Hostile One"}),
    (8, {"bank": "Hostile Two"}),
    (7, {"expires": None, "bank": None, "network": None, "status": "INACTIVE"}),
    (2, {"bank": "Tiny Co-operative Bank", "network": "diners", "country": "FJ"}),
]
HOSTILE_NAMES = pd.DataFrame(
    {
        "spelling": ["Hostile One", "Hostile Two"],
        "bank": [HOSTILE, '"></script><script>alert(1)</script>' + "x" * 300],
    }
)
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """What a page is made of: elements with their attributes, and the text of each."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.open = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        parents = [one["tag"] for one in self.open]
        element = {"tag": tag, "attrs": dict(attrs), "text": "", "parents": parents}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append({"tag": tag, "attrs": dict(attrs), "text": "", "parents": []})

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1]["tag"] == tag
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, *tags):
        return [one for one in self.elements if one["tag"] in tags]

    def by_id(self, name):
        return next(one for one in self.elements if one["attrs"].get("id") == name)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Two snapshots of a vault; of the older, eight customers have no card left."""
    store = tmp_path_factory.mktemp("store")
    older = [*GROUPS[:-1], (10, {"network": "mastercard"})]
    old = publish(store, vault_of(older), now=datetime(2026, 10, 20, tzinfo=UTC))
    now_empty = {customer: [] for customer in vault_of(older)}
    return old, publish(store, now_empty | vault_of(GROUPS))


@pytest.fixture(scope="module")
def text(stored):
    """The report of the newer snapshot against the older."""
    old, new = stored
    return report_page(
        new, against=old, as_of=AS_OF, generated_at=WRITTEN, banks=load_bank_names(HOSTILE_NAMES)
    )


@pytest.fixture(scope="module")
def page(text):
    """The same, parsed; a tag that does not close is an error."""
    parsed = Page(text)
    assert not parsed.open
    return parsed


def policy_of(page):
    """Return the content security policy of a page."""
    return next(
        one["attrs"]["content"]
        for one in page.all("meta")
        if one["attrs"].get("http-equiv") == "Content-Security-Policy"
    )


def test_nothing_is_loaded_from_anywhere(page, text):
    """No element names an address outside the page, and the policy forbids what slips through."""
    for element in page.elements:
        for name, value in element["attrs"].items():
            if name in {"src", "href", "srcset", "action", "data", "poster", "xlink:href"}:
                assert value.startswith("#"), element
            assert not name.startswith("on")
            assert name != "style"
    assert "url(http" not in text
    assert "@import" not in text
    assert "fetch(" not in text
    policy = policy_of(page)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_policy_allows_exactly_the_style_and_script_of_the_page(page, text):
    """Their hashes are those in the policy, so a browser runs them and nothing else."""
    assert len(page.all("script")) == len(page.all("style")) == 1
    for tag in ("script", "style"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy_of(page)


def test_nobody_is_in_it(stored, text, tmp_path):
    """No id of a customer, card, account or payment, no last four, no path of this machine."""
    _, new = stored
    for column in ("customer_id", "instrument_id", "instrument_uid", "par", "afa_reference"):
        for value in new.to_arrow([column])[column].to_pylist():
            assert value is None or str(value) not in text
    assert "secret" not in text
    assert str(new.path) not in text
    assert str(tmp_path.parent) not in text


def test_small_groups_are_in_it_nowhere(page, text):
    """A bank, network and country of two customers are named nowhere; they are in the totals."""
    assert "Tiny" not in text
    assert "Fiji" not in text
    assert "Diners" not in text
    assert "small groups together" in text
    key_figures = page.by_id("summary")["text"]
    assert "68" in key_figures


@pytest.mark.parametrize("groups", [[(4, {})], []])
def test_a_vault_of_too_few_customers_has_no_figures(groups):
    """Four customers, or none: the report says so, and shows no number of cards."""
    small = table_of(vault_of(groups)) if groups else table_of(vault_of([(1, {})])).slice(0, 0)
    page = Page(report_page(small, as_of=AS_OF, generated_at=WRITTEN))
    assert not page.all("figure", "svg")
    assert "fewer than 5 customers" in page.by_id("summary")["text"]
    assert "HDFC" not in page.by_id("main")["text"]


def test_hostile_names_are_text(page, text):
    """Markup in a bank's name is shown as it is, shortened, and makes no element."""
    assert not page.all("img", "iframe", "object", "embed", "form")
    assert "alert" not in "".join(one["text"] for one in page.all("script"))
    assert HOSTILE in page.by_id("bank")["text"]
    assert "x" * 60 not in text


def test_headings_are_in_order(page):
    """One h1; no level is skipped; the page has a language and a title."""
    levels = [int(one["tag"][1]) for one in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert page.all("html")[0]["attrs"]["lang"] == "en"
    assert page.all("title")[0]["text"].strip()
    assert len(page.all("main")) == 1


def test_ids_are_unique_and_every_reference_meets_one(page):
    """Links of the contents, labels and clip paths all point to something on the page."""
    ids = [one["attrs"]["id"] for one in page.elements if "id" in one["attrs"]]
    assert len(ids) == len(set(ids))
    for element in page.elements:
        for name, value in element["attrs"].items():
            if name == "href":
                assert value[1:] in ids
            if name in {"aria-labelledby", "aria-describedby"}:
                assert set(value.split()) <= set(ids)
            for found in re.findall(r"url\(#([^)]*)\)", value or ""):
                assert found in ids


def test_every_figure_has_words_and_a_table_with_the_same_numbers(page):
    """Each drawing is an image with a name and a description, and its numbers are in a table."""
    figures = page.all("figure")
    assert len(figures) >= 9
    drawings = page.all("svg")
    assert len(drawings) == 2 * len(figures)
    for svg in drawings:
        assert svg["attrs"]["role"] == "img"
        assert page.by_id(svg["attrs"]["aria-labelledby"])["text"].strip()
        assert page.by_id(svg["attrs"]["aria-describedby"])["text"].strip()
    tables = [one for one in page.all("table") if "figure" in one["parents"]]
    assert len(tables) == len(figures)
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(one["attrs"].get("scope") in {"row", "col"} for one in page.all("th"))
    assert re.search(r"31-60 days\s+12\s", page.by_id("outlook")["text"])


def test_the_changes_are_told(page):
    """Eight cards are gone, and both charts of changes are there."""
    told = page.by_id("kinds-of-change")["text"]
    assert re.search(r"gone\s+8\s", told)
    assert page.by_id("changes-by-bank")


def test_equal_input_gives_an_equal_and_small_page(stored, text):
    """Nothing depends on chance or on the clock; the page is far below two megabytes."""
    old, new = stored
    banks = load_bank_names(HOSTILE_NAMES)
    again = report_page(new, against=old, as_of=AS_OF, generated_at=WRITTEN, banks=banks)
    assert again == text
    assert len(text.encode()) < 400_000


def test_the_file_is_whole_or_not_there(stored, tmp_path, undrawn):
    """A report replaces the file that was there; other names and places are refused."""
    _, new = stored
    target = tmp_path / "cards.html"
    target.write_text("old")
    assert report(new, target, as_of=AS_OF, title=f"Cards of {HOSTILE}") == target
    page = Page(target.read_text("utf-8"))
    assert page.all("h1")[0]["text"] == f"Cards of {HOSTILE}"
    assert list(tmp_path.iterdir()) == [target]
    for wrong in (tmp_path / "cards.txt", tmp_path / "no" / "cards.html"):
        with pytest.raises(UsageError, match="Nothing was written"):
            report(new, wrong)
    with pytest.raises(UsageError, match="not a valid smallest cell"):
        report(new, target, smallest_cell=0)


def test_a_place_that_cannot_be_written_leaves_what_was_there(
    stored, tmp_path, monkeypatch, undrawn
):
    """When the disk is full the old report is untouched and nothing else is left."""
    import os

    target = tmp_path / "cards.html"
    target.write_text("old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TokenVaultError, match="No space left"):
        report(stored[1], target, as_of=AS_OF)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_without_the_optional_part_it_is_said_what_to_install(tmp_path):
    """Without jinja2 a report names the extra that has it."""
    program = (
        "import sys\n"
        "sys.modules['jinja2'] = None\n"
        "from tokenvault_data.errors import UsageError\n"
        "from tokenvault_data.reports.page.html_report import report\n"
        "try:\n"
        f"    report(None, {str(tmp_path / 'a.html')!r})\n"
        "except UsageError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "pip install 'tokenvault-data[report]'" in done.stdout


def test_changes_at_many_banks_fit_into_a_report(tmp_path):
    """Two snapshots of an emulated vault a month apart: all kinds of change at a dozen banks."""
    settings = EmulatorSettings(customers=1500, as_of=date(2026, 10, 22))
    tables = []
    for months in (0, 1):
        population = Population(replace(settings, aged_months=months))
        ids = population.customer_ids()
        bodies = [
            ReceivedBody(one, json.dumps(cards).encode(), 1_790_000_000_000_000, "2025-01-01")
            for one in ids
            if (cards := population.instruments(one, "2025-01-01"))
        ]
        tables.append(flatten(bodies).table)
    page = report(tables[1], tmp_path / "cards.html", against=tables[0], as_of="2026-11-22")
    text = page.read_text(encoding="utf-8")
    assert "renewed" in text
    assert not re.search(r"cust_\d{7}", text)


def test_a_partial_snapshot_is_called_so_first(tmp_path, undrawn):
    """What stands out begins with how many customers of either snapshot are missing."""
    vault = vault_of([(30, {}), (20, {"bank": "ICICI BANK"})])
    whole = publish(tmp_path, vault)
    missing = dict.fromkeys((f"failed-{place}" for place in range(7)), None)
    part = publish(tmp_path, vault | missing, now=NOW + timedelta(days=1))
    said = "7 customers were not fetched"
    for source, against in ((part, None), (whole, part), (part, whole)):
        page = report_page(source, against=against)
        stands_out = page.split("What stands out</h3>")[1].split("</li>")[0]
        assert said in stands_out
    assert "is partial" not in report_page(whole)
