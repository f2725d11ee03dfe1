"""Nothing that a report hides can be worked out from the rest of it."""

from __future__ import annotations

import html
import random
import re
from datetime import UTC, datetime

import pytest
from attacked_vaults import AS_OF, Truth, became, later, vault
from page_attacker import BUCKETS, CHANGED, COLUMNS, Attack, Reader
from report_cases import card, publish, vault_of

from tokenvault_data.reports.disclosure import counted_groups, published_changes, published_quality
from tokenvault_data.reports.disclosure.suppression import Figures
from tokenvault_data.reports.page.html_report import report_page

SMALLEST = 5
WRITTEN = datetime(2026, 11, 22, 12, tzinfo=UTC)
BEFORE = datetime(2026, 10, 20, tzinfo=UTC)


def targets(reader, truth):
    """Yield what is not to be known: a name, a sum less another, its value and its customers."""
    for column in COLUMNS:
        for value in {row[column] for _, row in truth.rows}:
            cards, people = truth.group(lambda row, v=value, c=column: row[c] == v)
            yield f"{column}={value}", [f"{column}={value}"], [], cards, people
    for bucket in BUCKETS:
        cards, people = truth.group(lambda row, b=bucket: row["bucket"] == b)
        yield f"bucket {bucket}", [f"bucket:{bucket}"], [], cards, people
        for status in ("ACTIVE", "INACTIVE"):
            cards, people = truth.group(
                lambda row, b=bucket, s=status: row["bucket"] == b and row["instrument_status"] == s
            )
            name = f"standing:{bucket}:{status}"
            yield name, [name], [], cards, people
    for name in [one for one in reader.variables if one.startswith(("month:", "tile:"))]:
        parts = name.split(":")
        cards, people = truth.group(
            lambda row, p=parts: row["month"] == p[-1] and (len(p) == 2 or row["bank"] == p[1])
        )
        if parts[1] != "(other)":
            yield name, [name], [], cards, people
    yield from customer_targets(reader, truth)
    yield from check_targets(truth)


def customer_targets(reader, truth):
    """Yield figures about few customers that follow from numbers of customers."""
    for name in [one for one in reader.variables if one.startswith("k:")]:
        group = name.removeprefix("k:")
        column, _, value = re.sub(r"^(bucket|month):", r"\1=", group).partition("=")
        if not value or value.startswith("("):
            continue
        cards, people = truth.group(lambda row, c=column, v=value: row[c] == v)
        yield f"second cards of {group}", [group], [name], cards - people, cards - people
        others = len(truth.people) - people
        yield f"customers without {group}", ["C"], [name], others, others
    for column, caption in COLUMNS.items():
        shown = [f"k:{column}={name}" for name in reader.page.rows(caption)]
        if shown and all(name in reader.variables for name in shown):
            known = [truth.group(lambda row, c=column, v=v: row[c] == v)[1]
                     for v in {row[column] for _, row in truth.rows}]  # fmt: skip
            if len(known) == len(shown):
                often = sum(known) - len(truth.people)
                yield f"customers in several of {column}", shown, ["C"], often, often


def check_targets(truth):
    """Yield figures that follow from checks of the data."""
    checks = {
        "missing: instrument id": lambda row: not row["has_id"],
        "missing: par": lambda row: not row["has_par"],
        "missing: card network": lambda row: row["card_network"] == "not known",
        "vocabulary: card network": lambda row: (
            row["card_network"] == "not known" and row["network_sent"]
        ),
        "missing: expires on": lambda row: row["bucket"] == "not known",
        "missing: card bank": lambda row: row["bank"] == "not known",
    }
    for name, condition in checks.items():
        yield name, [f"check:{name}"], [], *truth.group(condition)
        cards, people = truth.group(lambda row, c=condition: not c(row))
        yield f"not {name}", ["N"], [f"check:{name}"], cards, people
    codes = {
        "check:anomaly: card network: unknown": checks["vocabulary: card network"],
        "check:anomaly: instrument status: unknown": lambda row: (
            row["instrument_status"] == "not known"
        ),
    }
    for name, condition in codes.items():
        yield name, [name], [], *truth.group(condition)
    yield "customers not fetched", ["check:coverage"], [], truth.failed, SMALLEST
    for name in ("counts", "freshness", "unique key", "saved in future", "expiry implausible"):
        yield name, [f"check:{name}"], [], 0, 0  # none in these vaults
    yield "customers asked in vain", ["Customers empty"], [], truth.empty, truth.empty
    cards, people = truth.group(
        lambda row: row["card_network"] == "not known" and not row["network_sent"]
    )
    pair = ["check:missing: card network"], ["check:vocabulary: card network"]
    yield "network sent empty", *pair, cards, people


def line_targets(reader, truth, lines):
    """Yield what became of few cards or customers."""
    for name, (cards, people) in lines.items():
        line = f"line:{name}"
        yield line, [line], [], cards, people
        if f"k:{line}" in reader.variables:
            yield f"second cards {line}", [line], [f"k:{line}"], cards - people, cards - people
            if name in ("added", "replaced", *CHANGED):
                others = len(truth.people) - people
                yield f"customers without {line}", ["C"], [f"k:{line}"], others, others
        if name in CHANGED:
            rest = lines["changed"][0] - cards
            if rest < SMALLEST:  # of more cards it is not known here whose they are
                yield f"changed, not {name}", ["line:changed"], [line], rest, rest
    kinds = [f"line:{name}" for name in CHANGED if name in lines]
    if kinds:
        twice = sum(lines[name][0] for name in CHANGED if name in lines) - lines["changed"][0]
        yield "several kinds", kinds, ["line:changed"], twice, twice


def found_out(page, truth, lines=None, *, smallest=SMALLEST):
    """Return what a reader of the page can work out about few customers."""
    reader = Reader(page)
    reader.months_in(AS_OF, list(reader.page.rows("Cards by month of expiry")))
    wanted = list(targets(reader, truth))
    wanted += line_targets(reader, truth, lines or {})
    for _, plus, minus, *_ in wanted:
        for name in (*plus, *minus):
            reader.var(name)
    attack = Attack(reader)
    given_away = []
    for name, plus, minus, value, _ in wanted:
        at = reader.var(plus[0])
        if len(plus) == 1 and not minus:
            assert reader.lower[at] <= value <= reader.upper[at], f"the page is wrong about {name}"
    for name, plus, minus, value, people in wanted:
        if not value or people >= smallest:
            continue
        least, most = attack.interval(plus, minus)
        assert least <= value + 1e-6, (name, least, value)
        assert value <= most + 1e-6, (name, most, value)
        if most < smallest - 1e-6 or most - least < smallest - 1 - 1e-6:
            given_away.append(f"{name}: {value} of {people} customers, told {least:g} to {most:g}")
    return given_away


def pages(seed, store):
    """Publish a random vault a month ago and today, and return the report and the truth."""
    draw = random.Random(seed)
    before = vault(draw)
    after = later(draw, before)
    old = publish(store, before, now=BEFORE)
    new = publish(store, after)
    page = report_page(new, against=old, as_of=AS_OF, generated_at=WRITTEN)
    return page, Truth(after), became(before, after)


@pytest.mark.parametrize("seed", range(2))
def test_a_reader_cannot_work_out_a_small_group(seed, tmp_path, undrawn):
    """For each small group the page leaves five values or more, one of which is not small."""
    page, truth, lines = pages(seed, tmp_path)
    assert len(truth.people) >= SMALLEST
    assert not found_out(page, truth, lines)


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(100, 103))
def test_a_reader_of_many_pages_cannot_work_out_a_small_group(seed, tmp_path, undrawn):
    """The same over many more vaults."""
    for place in range(40):
        page, truth, lines = pages(seed * 1000 + place, tmp_path / str(place))
        if len(truth.people) >= SMALLEST:
            assert not found_out(page, truth, lines), (seed, place)


def one_each(groups):
    """Return a vault with one card for each customer, from (how many, changes of the card)."""
    return vault_of([(size, {"bank": "HDFC BANK"} | changes) for size, changes in groups])


def report_of(store, found, before=None):
    """Publish a vault, and an older one, and return the page."""
    old = None if before is None else publish(store, before, now=BEFORE)
    new = publish(store, found)
    return report_page(new, against=old, as_of=AS_OF, generated_at=WRITTEN)


def without_ids(found, people):
    """Take the ids of the cards of some customers away."""
    for person in people:
        found[person][0]["instrument_id"] = None


def unknown_cards(store):
    """Rows new less unchanged less cards without an id are few cards of unknown customers."""
    after = one_each([(70, {})])
    people = list(after)
    without_ids(after, people[:7])
    before = {person: cards for person, cards in after.items() if person not in people[-3:]}
    page = report_of(store, after, before)
    return found_out(page, Truth(after), became(before, after))


def networks_sent_empty(store):
    """Cards without a network less those with one that is not known are few that sent none."""
    found = one_each([(60, {}), (6, {"network": "abacus"}), (2, {"network": None})])
    return found_out(report_of(store, found), Truth(found))


def customers_without_an_active_card(store):
    """All customers less those with an ACTIVE card are few, though not ACTIVE cards are many."""
    found = one_each([(40, {}), (3, {"status": "INACTIVE"})])
    for number, person in enumerate(list(found)[:9]):
        found[person].append(card(1000 + number, bank="HDFC BANK", status="INACTIVE"))
    return found_out(report_of(store, found), Truth(found))


def forgets_the_checks(monkeypatch):
    """Judge cards without an id of a comparison and of the checks apart."""
    monkeypatch.setattr(published_changes, "SAME", {"rows_new": counted_groups.ALL})


def forgets_the_vocabulary(monkeypatch):
    """Do not know that a network that was not understood is missing."""
    monkeypatch.setattr(published_quality, "_WHOLES", {})


def forgets_customers(monkeypatch):
    """Do not count customers without a card in a group."""
    rest = Figures.rest

    def of_cards(self, total, parts, people=None):
        if total != counted_groups.customers_of(counted_groups.ALL):
            rest(self, total, parts, people)

    monkeypatch.setattr(Figures, "rest", of_cards)


@pytest.mark.parametrize(
    ("example", "mistake"),
    [
        (unknown_cards, forgets_the_checks),
        (networks_sent_empty, forgets_the_vocabulary),
        (customers_without_an_active_card, forgets_customers),
    ],
)
def test_figures_of_different_sections_tell_nothing_together(
    example, mistake, tmp_path, undrawn, monkeypatch
):
    """What was once had by subtraction across sections is not; a forgetful register is caught."""
    assert not example(tmp_path / "whole")
    mistake(monkeypatch)
    assert example(tmp_path / "forgetful")


@pytest.mark.parametrize(("customers", "smallest"), [(5, 1), (5, 5), (12, 5), (12, 10), (25, 10)])
def test_no_figure_that_is_0_is_hidden(customers, smallest, tmp_path, undrawn):
    """Not even where all cards are hidden: no card, no customer, no share of anything unknown."""
    found = one_each([(customers - 1, {}), (1, {"expires": "2026-05", "bank": "Village Bank"})])
    new = publish(tmp_path, found)
    page = report_page(new, as_of=AS_OF, generated_at=WRITTEN, smallest_cell=smallest)
    assert not found_out(page, Truth(found), smallest=smallest)
    reader = Reader(page)
    checks = reader.page.checks
    assert checks["coverage"][0] == checks["counts"][0] == checks["freshness"][0] == "passes"
    assert reader.page.rows("Cards by days left")["not known"] == ["0", "0%", "0"]
    assert any(text.startswith("100% of customers answered") for text in reader.page.key_figures)
    assert (">hidden<" in page) == (smallest > 1)


def test_a_smallest_cell_of_one_hides_no_verdict(tmp_path, undrawn):
    """The bank of a single customer that is in no table is a finding like any other."""
    page = report_page(
        publish(tmp_path, one_each([(11, {}), (1, {"bank": "Village Bank"})])),
        as_of=AS_OF,
        smallest_cell=1,
    )
    assert Reader(page).page.checks["bank unlisted"][0] == "look at it"
    assert "hidden to protect" not in page
    assert "have a hidden figure" not in page


def test_a_hidden_share_has_nothing_beside_it(tmp_path, undrawn):
    """Where it is not said who answered, the tile gives no number of those who did not."""
    found = one_each([(5, {}), (1, {"expires": "2026-05"})])
    people = list(found)
    found[people[0]] = None
    page = report_page(publish(tmp_path, found), as_of=AS_OF, generated_at=WRITTEN)
    [tile] = [text for text in Reader(page).page.key_figures if "answered for" in text]
    assert tile == "\N{EN DASH} of customers answered for hidden; collected today"
    assert Reader(page).page.checks["coverage"] == ("hidden", "Customers not fetched: 1 customer.")


def test_a_figure_of_hidden_numbers_alone_is_a_sentence(tmp_path):
    """A table of one hidden line is not shown, and nothing is drawn where no bar would be."""
    found = one_each([(4, {}), (1, {"expires": "2026-12"})])
    page = report_page(publish(tmp_path, found), as_of=AS_OF, generated_at=WRITTEN)
    assert "Cards by country of issue: not shown, because every figure of it is hidden." in page
    assert "Cards by country of issue" not in Reader(page).page.tables
    [calendar] = re.findall(r'<figure[^>]*id="calendar">.*?</figure>', page, flags=re.DOTALL)
    assert "<svg" not in calendar
    assert "Nothing to draw: each figure is 0 or hidden." in calendar


NUMBER = re.compile(r"(?<![\w#&.-])\d[\d,]*(?:\.\d+)?%?(?![\w-])")
DAY = re.compile(
    r"\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}(?:, \d\d:\d\d)?"
)
NO_FIGURE = re.compile(
    r"\d{8}T\d{6}Z-[0-9a-f]{6}|\d{4}-\d\d(?:-\d\d)?"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}"
    r"|0-30|31-60|61-90|within [369]0|[369]0 days|(?:warn|fail) above [\d.]+(?:%| hours| days)"
    r"|(?:about |than )\d+ customers|Smallest cell \d+ customers|tokenvault-data [\d.]+"
    r"|[\d.]+ (?:hours|days) old|more than 20 years|Of \d+ checks?|\d+ fails?(?: and|,) \d+ calls?"
    r"|and \d+ ha(?:ve|s)"
    r"|Checks \w+ [\w ]+\(\d+\)|\d+ days? before|\d+ figures? (?:is|are) hidden"
    r"|\d+ (?:values?|spellings?|banks?) (?:of|not|in)|(?:that|figure) is 0 (?:is|or)"
    r"|over 99.9%|under 0.1%"
)


def said_on(page):
    """Return all that a page says: texts, those inside drawings too, and attributes that speak."""
    body = re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.DOTALL)
    said = re.findall(r'(?:aria-label|data-said|data-order|alt|title)="([^"]*)"', body)
    text = html.unescape(re.sub(r"<[^>]*>", " ", body))
    return [" ".join(text.split()), *map(html.unescape, said)]


def ratios(figures):
    """Return how cards per customer may be told, which follows from four published figures."""
    told = [
        figures.published(key)
        for key in (("cards", "all"), ("customers", "answered"),
                    ("cards", ("line", "rows_old")), ("customers", "old list"))
    ]  # fmt: skip
    if None in told:
        return set()
    now, then = told[0] / told[1], told[2] / told[3]
    return {f"{now:.2f}", f"{then:.2f}", f"{abs(now - then) / then:.1%}".replace(".0%", "%")}


@pytest.mark.parametrize("seed", [5])
def test_every_number_of_a_page_is_in_the_register(seed, tmp_path, monkeypatch):
    """Texts, drawings, tooltips and sort keys hold published figures, their shares and sums."""
    registers = []
    protect = Figures.protect
    monkeypatch.setattr(Figures, "protect", lambda self: registers.append(self) or protect(self))
    page, _, _ = pages(seed, tmp_path)
    [figures] = registers
    published = set(figures.all_published.values())
    assert figures.hidden_count > 0
    assert not figures.untrue
    soon = [figures.published(("cards", ("bucket", name))) for name in BUCKETS[1:4]]
    sums = {sum(soon[:end]) for end in (1, 2, 3)} if None not in soon else set()
    totals = [
        figures.published(key)
        for key in (("cards", "all"), ("cards", ("line", "rows_old")), ("customers", "requested"))
    ]
    shares = {n / total for n in published for total in totals if total}
    told = {f"{n:,}" for n in published | sums} | {str(n) for n in published}
    told |= ratios(figures)
    told |= {f"{share:.1%}".replace(".0%", "%") for share in shares} | {"0", "0%", "100%"}
    orders = {str(share) for share in shares}
    for text in said_on(page):
        left = NO_FIGURE.sub(" ", DAY.sub(" ", text))
        if text in orders or re.fullmatch(r"-[12]|0000\d\d", text):  # what tables are sorted by
            continue
        for found in NUMBER.findall(left):
            assert found.rstrip(",") in told, (found, left[max(0, left.find(found) - 60) :][:140])
