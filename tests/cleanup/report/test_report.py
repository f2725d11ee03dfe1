"""The completion report and the list of exceptions: every card, its end, and no id that leaks."""

import re
from html.parser import HTMLParser

import pyarrow.parquet as pq
import pytest
from cleanup_journals import BALA, Book, campaign_folder, every_final, make_plan

from tokenvault_data.cleanup.audit.rules import FINALS, LEFT
from tokenvault_data.cleanup.report.report import (
    COMPLETION,
    exceptions,
    report_cleanup,
    write_exceptions,
)
from tokenvault_data.cleanup.selection.rules import expired, listed
from tokenvault_data.errors import UsageError
from tokenvault_data.reports.export import read_export


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A campaign in which every final occurs."""
    return campaign_folder(tmp_path_factory.mktemp("campaign"))


def page_of(folder, tmp_path, **more):
    return report_cleanup(folder, tmp_path / "report.html", **more).read_text("utf-8")


class _Texts(HTMLParser):
    """What a reader sees, and everything that could load or run something."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.risky = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.risky += [tag] if tag in {"script", "img", "link", "iframe", "object"} else []
        self.risky += [f"{k}={v}" for k, v in attrs if k in {"src", "href"} and v[0] != "#"]
        self.risky += [k for k, _ in attrs if k.startswith("on")]

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("name", ["report.parquet", "report.csv"])
def test_every_planned_card_has_a_row(folder, tmp_path, name):
    """In both forms, in the order of the plan, with its end and what proves it."""
    path = report_cleanup(folder, tmp_path / name, policy="full")
    frame = read_export(path, COMPLETION)
    assert list(frame.columns) == COMPLETION.names
    assert [str(one) for one in frame["final"]] == list(FINALS)
    assert frame["customer_id"].tolist() == [f"cust_{n:05d}" for n in range(9)]
    assert frame["attempts"].tolist() == [1, 1, 0, 0, 0, 1, 1, 4, 0]
    assert frame["intents"][7] == "attempt-7-1 attempt-7-2 attempt-7-3 attempt-7-4"
    assert frame["last_status"].isna().tolist() == [i in (2, 3, 4, 5, 8) for i in range(9)]
    assert re.fullmatch(
        r"404 2 times in a row \(record \d+\) between good control reads \(records \d+ and \d+\)",
        frame["evidence"][0],
    )


def test_ids_are_masked_unless_asked_for(folder, tmp_path):
    """The default lets no id of a customer or card out, and still keeps the evidence readable."""
    path = report_cleanup(folder, tmp_path / "report.csv")
    assert not re.search(r"cust_\d|inst-\d", path.read_text())
    assert "attempt-7-4" in path.read_text()
    table = pq.read_table(report_cleanup(folder, tmp_path / "report.parquet"))
    assert len(set(table["customer_id"].to_pylist())) == 9


def test_the_page_says_state_sum_people_and_digests(folder, tmp_path):
    """What somebody has to know who was not there, the sum above all."""
    page = page_of(folder, tmp_path, approvers={BALA.fingerprint: "Bala Rao"})
    text = re.sub(r"\s+", " ", " ".join(_Texts(page).texts))
    assert "Completed with exceptions" in text
    assert "9 planned = 1 deleted + 1 gone_after_attempt" in text
    assert "The files agree with each other, and nothing outside them vouches" in text
    assert "0 faults found by the audit nothing outside its files vouches for it" in text
    assert "The cap on the share of the vault is raised: 100%, by default 1%" in text
    for word in ("Asha", "Bala Rao", "key known here", "Chitra"):
        assert word in text
    counts = re.findall(r'<tr><th scope="row">([a-z ]+)</th><td class="number">(\d+)</td>', page)
    assert sum(int(count) for _, count in counts) == 9
    assert len(counts) == len(FINALS) + 1


def test_the_page_is_alone_and_harmless(folder, tmp_path):
    """One file that loads and runs nothing, by a policy of its own too, with no id in clear."""
    page = page_of(folder, tmp_path)
    assert _Texts(page).risky == []
    assert "default-src 'none'" in page
    assert "script-src" not in page
    assert not re.search(r"cust_\d|inst-\d", page)
    assert len(page) < 200_000


def test_what_a_vault_said_is_text(tmp_path):
    """Reasons come from outside: they are shown, and are no markup."""
    book = Book(make_plan(1, environment="emulator")).begin().intend(0).outcome(0, "rejected", 400)
    book.item(0, "final", "rejected", "<img src=x onerror=alert(1)>").go("verifying")
    page = page_of(campaign_folder(tmp_path, book.go("completed_with_exceptions", "<b>")), tmp_path)
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    assert _Texts(page).risky == []


def test_a_rule_that_names_somebody_is_not_quoted(tmp_path):
    """The ids of a condition are masked in the page; the rest of the rule is said."""
    from tokenvault_data.analysis.filters.filters import where

    rule = expired("2026-11-22") & where(customer_id=["cust_00000"])
    plan = make_plan(1, environment="emulator", rule=rule)
    page = page_of(campaign_folder(tmp_path, Book(plan)), tmp_path)
    assert "cust_00000" not in page
    assert "and customer id is &#34;cu…00&#34;" in page


def test_a_campaign_at_work_is_reported_as_such(tmp_path):
    """Open cards are counted, never left out of the sum."""
    book = Book(make_plan(3, environment="emulator")).begin().delete(0)
    page = page_of(campaign_folder(tmp_path, book), tmp_path)
    assert "Not over: canary" in page
    assert "3 planned = 1 deleted + 2 open" in page
    never = campaign_folder(tmp_path, Book(make_plan(2, environment="emulator")))
    (never / "journal.sqlite").unlink()
    page = page_of(never, tmp_path)
    assert "never applied" in page
    assert "missing" not in page
    assert pq.read_table(report_cleanup(never, tmp_path / "r.parquet")).num_rows == 2


def test_a_page_without_a_journal_claims_nothing(tmp_path):
    """No figure, no table of ends and no word of a beginning, where a journal cannot be read."""
    folder = campaign_folder(tmp_path)
    (folder / "seal.json").unlink()
    (folder / "journal.sqlite").write_bytes(b"nothing of the kind")
    page = page_of(folder, tmp_path)
    assert "Not known: the journal is missing or cannot be read" in page
    for claim in ("never applied", "not begun", "None so far", "What became of the cards"):
        assert claim not in page


def test_a_touched_campaign_is_reported_with_what_was_found(tmp_path):
    """A report never looks cleaner than the audit."""
    folder = campaign_folder(tmp_path)
    (folder / "seal.json").unlink()
    page = page_of(folder, tmp_path)
    assert "seal.json: it is missing" in page
    assert re.search(r"The audit found \d+ fault", page)


@pytest.mark.parametrize("name", ["next.csv", "next.parquet"])
def test_exceptions_are_a_list_for_the_next_plan(folder, tmp_path, name):
    """The cards that are not gone, as the rule for lists reads them."""
    rule = listed(write_exceptions(folder, tmp_path / name))
    wanted = sorted((f"cust_{n:05d}", f"inst-{n:05d}") for n in range(4, 9))
    assert list(rule.pairs) == wanted
    assert exceptions(folder)["final"].to_pylist() == list(LEFT)


def test_no_exceptions_are_no_list(tmp_path):
    """An empty list would be no plan, so none is written."""
    book = Book(make_plan(1, environment="emulator")).begin().delete(0).end("completed")
    folder = campaign_folder(tmp_path, book)
    assert exceptions(folder).num_rows == 0
    with pytest.raises(UsageError, match="no exception"):
        write_exceptions(folder, tmp_path / "next.csv")


@pytest.mark.parametrize("name", ["next.csv", "next.parquet"])
@pytest.mark.parametrize("customer", ["+919876543210", "-7", "=1+1", "@SUM(A1)", "'+1", "0", "nil"])
def test_ids_that_a_spreadsheet_would_run_are_found_again(tmp_path, customer, name):
    """The list can be opened in a spreadsheet, and gives the ids back as they are."""
    plan = make_plan(1, environment="emulator")
    card = plan.cards[0]
    fields = {name: getattr(card, name) for name in card.__slots__} | {"customer_id": customer}
    plan = make_plan(1, environment="emulator", cards=(type(card)(**fields),))
    book = Book(plan).begin().go("aborted", "by hand").item(0, "final", "not_attempted", "by hand")
    folder = campaign_folder(tmp_path, book.end())
    pairs = [(customer, card.instrument_id)]
    assert list(listed(write_exceptions(folder, tmp_path / name)).pairs) == pairs


@pytest.mark.parametrize(
    ("name", "policy"), [("report.pdf", "masked"), ("report.csv", "minimal"), ("no/r.csv", "full")]
)
def test_what_cannot_be_written_is_refused(folder, tmp_path, name, policy):
    """Other suffixes, other policies, and folders that are not there."""
    with pytest.raises(UsageError, match="Nothing was written"):
        report_cleanup(folder, tmp_path / name, policy=policy)


def test_a_damaged_plan_has_no_report(tmp_path):
    """Which cards were planned is not known then."""
    folder = campaign_folder(tmp_path, every_final())
    path = folder / "plan.json"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(UsageError, match=r"plan\.json"):
        report_cleanup(folder, tmp_path / "report.html")
