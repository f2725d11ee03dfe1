"""Progress is shown where there is somebody to see it, and nowhere else."""

import dataclasses
import subprocess
import sys

import IPython
import IPython.display
import pexpect
import pytest
from collection_bench import AT_START, ROOT, ids_of, running, start_cli

from tokenvault_data.client.pacing.governor import Budget
from tokenvault_data.collection.progress import describe, report_for, silent

MIDWAY = dataclasses.replace(
    AT_START,
    fetched=30,
    cards=12_345,
    failed=2,
    requests=40,
    customers_per_minute=48,
    requests_per_minute=300.4,
)
BUDGET = Budget(
    limit_per_minute=600,
    share=0.5,
    rate_per_minute=300.0,
    sent_last_minute=300,
    refusals=0,
    waiting_for=None,
    waiting_seconds=0.0,
)


def test_a_line_says_all_there_is_to_know():
    """Cards, failures, time left, requests, and their rate against the budget."""
    line = describe(dataclasses.replace(MIDWAY, budget=BUDGET))
    assert line == "12,345 cards, 2 failed, 1 min 00 s left, 40 requests, 300/min of 300"


def test_what_is_not_known_is_not_said():
    """Without failures, pace or budget the line is shorter."""
    assert describe(AT_START) == "0 cards, 0 requests, 0/min"


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"phase": "out_of_reach", "out_for_seconds": 75.0},
            "the vault has been out of reach for 1 min 15 s; trying on",
        ),
        ({"phase": "publishing"}, "publishing"),
        (
            {"phase": "ended", "elapsed_seconds": 61.0},
            "12,345 cards, 2 failed, 40 requests in 1 min 01 s",
        ),
    ],
)
def test_every_phase_has_its_words(changes, line):
    """An outage is told with its length; the end with what it took."""
    assert describe(dataclasses.replace(MIDWAY, **changes)) == line


@pytest.mark.parametrize("progress", [False, None])
def test_where_it_is_not_asked_for_it_is_silent(progress):
    """Not even a wait is told."""
    with report_for(progress) as report:
        assert report is silent


def test_without_a_terminal_long_waits_are_told_in_plain_lines(capsys):
    """What goes on as usual writes nothing; a wait is one line, and again after five minutes."""
    wait = dataclasses.replace(
        BUDGET, waiting_for="the limit was met", waiting_seconds=120.0, refused_seconds=45.0
    )
    with report_for(True) as report:
        report(dataclasses.replace(MIDWAY, budget=BUDGET))
        for elapsed in (1.0, 2.0, 250.0, 301.5):
            report(dataclasses.replace(MIDWAY, budget=wait, elapsed_seconds=elapsed))
        report(dataclasses.replace(MIDWAY, phase="out_of_reach", out_for_seconds=75.0))
    said = capsys.readouterr().err.splitlines()
    line = "waiting 2 min 00 s: the limit was met; nothing was answered but 429 for 45 s"
    assert said == [line, line, "the vault has been out of reach for 1 min 15 s; trying on"]


def test_without_a_terminal_the_search_for_a_limit_is_told(capsys):
    """That it is searched for, once; what was found; and who else uses the account."""
    searching = dataclasses.replace(
        BUDGET, limit_per_minute=None, rate_per_minute=30.0, share_now=0.5, is_searching=True
    )
    found = dataclasses.replace(
        searching, is_searching=False, found_per_minute=400.0, rate_per_minute=200.0
    )
    with report_for(True) as report:
        for budget in (searching, searching, found, found):
            report(dataclasses.replace(MIDWAY, budget=budget))
        for share in (0.25, 0.25, 0.5):
            divided = dataclasses.replace(found, share_now=share)
            report(dataclasses.replace(MIDWAY, budget=divided))
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 4
    assert "searching for it from 30 requests a minute" in said[0]
    assert "a limit of about 400 requests a minute; going on at 200 a minute" in said[1]
    assert "25% of its rate limit is used" in said[2]
    assert "alone on this account again: 50%" in said[3]


def test_a_callers_own_report_is_used():
    """Whatever the place."""
    seen = []
    with report_for(seen.append) as report:
        report(AT_START)
    assert seen == [AT_START]


def test_piped_it_writes_nothing(tmp_path):
    """Neither bars nor control characters reach a log or another program."""
    (tmp_path / "ids.txt").write_text("\n".join(ids_of(20)))
    with running(customers=20) as emulator:
        command = ("collect", tmp_path / "ids.txt", "--store", tmp_path, "--json")
        child = start_cli(*command, base_url=emulator.base_url)
        said, trouble = child.communicate(timeout=60)
    assert child.returncode == 0
    assert trouble == ""
    assert said.startswith("{")


SHOW = """
from collection_bench import AT_START
from dataclasses import replace
from tokenvault_data.collection.progress import report_for
import time
with report_for(True) as report:
    for done in (1, 40, 80):
        report(replace(AT_START, fetched=done, cards=done))
        time.sleep(0.4)
"""


def test_on_a_terminal_there_is_a_bar():
    """It counts customers of all sessions, and describes."""
    environment = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'collection'}", "TERM": "xterm"}
    child = pexpect.spawn(
        sys.executable, ["-c", SHOW], env=environment, dimensions=(24, 100), timeout=30
    )
    child.expect("21/100")
    child.expect("1 cards")
    child.expect("100/100")
    child.expect(pexpect.EOF)


class ZMQInteractiveShell:
    """Jupyter's shell, as far as it is looked at."""


class HostedShell(ZMQInteractiveShell):
    """A hosted notebook's own shell is derived from it."""


@pytest.fixture
def notebook(monkeypatch):
    """What is displayed in a process that looks like a notebook's kernel."""
    displayed = []

    class Handle:
        def update(self, content, *, raw):
            assert raw
            displayed.append(content["text/plain"])

    def display(content, **options):
        displayed.append(content)
        return Handle() if options.get("display_id") else None

    monkeypatch.setattr(IPython, "get_ipython", HostedShell)
    monkeypatch.setattr(IPython.display, "display", display)
    return displayed


def test_in_a_notebook_it_is_a_widget(notebook):
    """A bar and a line, which follow."""
    with report_for(True) as report:
        (box,) = notebook
        bar, text = box.children
        report(MIDWAY)
    assert (bar.max, bar.value) == (100, 52)
    assert text.value.startswith("52 of 100 customers: 12,345 cards, 2 failed")


def test_in_a_notebook_without_widgets_it_is_text(notebook, monkeypatch):
    """One line, updated in place."""
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    with report_for(True) as report:
        report(MIDWAY)
        report(dataclasses.replace(MIDWAY, phase="publishing"))
    assert notebook[0] == {"text/plain": "starting"}
    assert notebook[1].startswith("52 of 100 customers: 12,345 cards")
    assert notebook[2] == "52 of 100 customers: publishing"


def test_display_loads_nothing_heavy():
    """Whoever only asks how to show progress pays for neither rich nor IPython."""
    program = (
        "import sys, tokenvault_data.collection.progress;"
        "print([name for name in ('rich', 'IPython', 'ipywidgets') if name in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert said.stdout.strip() == "[]"
