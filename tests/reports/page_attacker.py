"""A reader who works out what a report hides; shares no code with the report.

Everything is taken from the page as it is rendered. What adds up to what is written down here once
more, from what the page says of itself: cards of a table make up all cards, months lie in buckets,
and so on. Intervals are those of linear programs over numbers that are not negative, and of integer
programs where a linear one ends between whole numbers.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import highspy
import numpy as np

HIDDEN = "hidden"
DASH = "\N{EN DASH}"
UNKNOWN = "not known"
FOLD = "(small groups together)"
OTHER = "(other)"
BUCKETS = ("already expired", "0-30 days", "31-60 days", "61-90 days", "later", UNKNOWN)
COLUMNS = {
    "card_network": "Cards by network",
    "bank": "Cards by bank",
    "card_type": "Cards by type",
    "card_country": "Cards by country of issue",
    "instrument_status": "Cards by status in the vault",
}
OLD_LINES = ("unchanged", "changed", "gone", "replaced", "unknown old", "without id old",
             "repeated old")  # fmt: skip
NEW_LINES = ("unchanged", "changed", "added", "replaced", "unknown new", "without id new",
             "repeated new")  # fmt: skip
CHANGED = ("status changed", "renewed", "expiry changed", "details changed")
MONTH_NAMES = (*("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
               *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"))  # fmt: skip


class Page(HTMLParser):
    """The tables, key figures and facts of a page, as text."""

    def __init__(self, text):
        super().__init__()
        self.tables = {}
        self.facts = {}
        self.key_figures = {}
        self._path, self._rows, self._row, self._caption, self._term = [], [], [], "", ""
        self._text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._path.append((tag, dict(attrs)))
        if tag in {"td", "th", "caption", "dt", "dd", "strong", "li"}:
            self._text = ""
        if tag == "table":
            self._rows = []
        if tag == "tr":
            self._row = []

    def handle_endtag(self, tag):
        while self._path and self._path.pop()[0] != tag:
            pass
        text = " ".join(self._text.split())
        if tag == "caption":
            self._caption = text
        elif tag in {"td", "th"}:
            self._row.append(text)
        elif tag == "tr":
            self._rows.append(self._row)
        elif tag == "table":
            self.tables[self._caption] = self._rows
        elif tag == "dt":
            self._term = text
        elif tag == "dd":
            self.facts[self._term] = text
        elif tag == "li" and text:
            self.key_figures[text] = text

    def handle_data(self, data):
        self._text += data

    def rows(self, caption):
        """Return the rows of a table below its headings, by their first cell."""
        return {row[0]: row[1:] for row in self.tables.get(caption, [[]])[1:]}

    @property
    def checks(self):
        """Return verdict and finding by the name of a check."""
        return {
            row[1]: (row[0], row[2])
            for caption, rows in self.tables.items()
            if caption.startswith(("Checks that", "Checks whose"))
            for row in rows[1:]
        }


def number(text):
    """Return a figure of the page, None where it is hidden."""
    return None if text in {HIDDEN, DASH} else int(text.replace(",", ""))


class Reader:
    """What a reader knows of a page: variables, and linear relations between them."""

    def __init__(self, text):
        self.page = Page(text)
        self.variables = {}
        self.lower = []
        self.upper = []
        self.rows = []
        self._read()

    def var(self, name):
        """Return the place of a number that is not negative."""
        if name not in self.variables:
            self.variables[name] = len(self.variables)
            self.lower.append(0.0)
            self.upper.append(np.inf)
        return self.variables[name]

    def told(self, name, text):
        """Note what the page says of a number: hidden ones are at least 1."""
        at, value = self.var(name), number(text)
        if value is None:
            self.lower[at] = max(self.lower[at], 1.0)
        else:
            self.lower[at] = self.upper[at] = float(value)

    def relate(self, plus, minus, least=0.0, most=0.0):
        """Note that a sum less another lies between two numbers."""
        row = {}
        for sign, names in ((1.0, plus), (-1.0, minus)):
            for name in names:
                row[self.var(name)] = row.get(self.var(name), 0.0) + sign
        self.rows.append((row, least, most))

    def equal(self, total, parts):
        self.relate([total], parts)

    def at_most(self, small, large):
        self.relate(large, [small], 0.0, np.inf)

    def _read(self):
        self._read_totals()
        for column, caption in COLUMNS.items():
            self._read_breakdown(column, self.page.rows(caption))
        self._read_expiry()
        self._read_checks()
        self._read_changes()
        self._read_collection()

    def _read_totals(self):
        [saved] = [text for text in self.page.key_figures if "saved cards" in text]
        found = re.fullmatch(r"(\S+) saved cards (?:of (\S+) customers?|hidden)", saved)
        self.told("N", found[1])
        self.told("C", found[2] or HIDDEN)
        smallest = int(self.page.facts["Smallest cell"].split()[0])
        self.lower[self.var("C")] = max(self.lower[self.var("C")], smallest)
        self.at_most("C", ["N"])
        for text in self.page.key_figures:
            if "still listed ACTIVE" in text:
                self.told("standing:already expired:ACTIVE", text.split()[0])

    def _customers(self, group, text):
        """Note customers of a group; some are not counted."""
        if text != DASH:
            self.told(f"k:{group}", text)
            self.at_most(f"k:{group}", [group])
            self.at_most(f"k:{group}", ["C"])

    def _parts(self, whole, parts, customers):
        self.equal(whole, parts)
        people = [f"k:{part}" if f"k:{part}" in self.variables else part for part in parts]
        self.at_most(customers, people)

    def _read_breakdown(self, column, rows):
        for name, (cards, _, customers) in rows.items():
            self.told(f"{column}={name}", cards)
            self._customers(f"{column}={name}", customers)
        if rows:
            self._parts("N", [f"{column}={name}" for name in rows], "C")
        missing = f"{column}={UNKNOWN}"
        if UNKNOWN not in rows:
            holder = [] if rows else ["N"]
            self.at_most(missing, [f"{column}={FOLD}"] if FOLD in rows else holder)

    def _read_expiry(self):
        for name, (cards, _, customers) in self.page.rows("Cards by days left").items():
            bucket = UNKNOWN if UNKNOWN in name else name
            bucket = "already expired" if bucket == "expired" else bucket
            self.told(f"bucket:{bucket}", cards)
            self._customers(f"bucket:{bucket}", customers)
        self._parts("N", [f"bucket:{one}" for one in BUCKETS], "C")
        months = self.page.rows("Cards by month of expiry")
        for name, (cards, customers) in months.items():
            self.told(f"month:{name}", cards)
            self._customers(f"month:{name}", customers)
        self._read_heat_map(list(months))
        self._read_standings(list(self.page.rows(COLUMNS["instrument_status"])))

    def _read_standings(self, statuses):
        """Say that each bucket is made of statuses; ACTIVE may be among those shown together."""
        if not statuses:
            return
        for bucket in BUCKETS:
            self.equal(f"bucket:{bucket}", [f"standing:{bucket}:{one}" for one in statuses])
            if "ACTIVE" not in statuses and FOLD in statuses:
                self.at_most(f"standing:{bucket}:ACTIVE", [f"standing:{bucket}:{FOLD}"])
        for one in statuses:
            parts = [f"standing:{bucket}:{one}" for bucket in BUCKETS]
            self.equal(f"instrument_status={one}", parts)

    def months_in(self, as_of, months):
        """Say in which bucket each month lies, and that buckets are made of months."""
        inside = {}
        for name in months:
            label, year = name.split()
            place = int(year) * 12 + MONTH_NAMES.index(label) + 1
            last = np.datetime64(f"{place // 12:04d}-{place % 12 + 1:02d}-01") - 1
            days = int((last - np.datetime64(as_of)).astype(int))
            bucket = (
                "0-30 days" if days <= 30 else
                "31-60 days" if days <= 60 else
                "61-90 days" if days <= 90 else "later"
            )  # fmt: skip
            inside.setdefault(bucket, []).append(f"month:{name}")
            self.at_most(f"k:month:{name}", [f"k:bucket:{bucket}"])
        for bucket, parts in inside.items():
            further = ["beyond"] if bucket == "later" else []
            self._parts(f"bucket:{bucket}", [*parts, *further], f"k:bucket:{bucket}")

    def _read_heat_map(self, months):
        rows = self.page.rows("Cards by bank and month of expiry")
        for bank, cells in rows.items():
            tiles = [f"tile:{bank}:{month}" for month in months]
            for tile, text in zip(tiles, cells, strict=True):
                self.told(tile, text)
            whole = f"bank={bank}" if bank != OTHER else "banks together"
            self.equal(whole, [*tiles, f"elsewhen:{bank}"])
        for place, month in enumerate(months):
            assert place < 12
            self.equal(f"month:{month}", [f"tile:{bank}:{month}" for bank in rows])
        if rows:
            self.equal("N", ["banks together" if one == OTHER else f"bank={one}" for one in rows])

    def _read_checks(self):
        for name, (_, finding) in self.page.checks.items():
            check = f"check:{name}"
            found = re.search(r": ([\d,]+) of ([\d,]+) cards? \(", finding)
            alone = re.search(r": ([\d,]+) (?:cards?|customers?)\.$", finding)
            stale = re.search(r"old; ([\d,]+) cards? of ([\d,]+) are", finding)
            differing = re.search(r"they differ for ([\d,]+) customers?\.$", finding)
            if found:
                self.told(check, found[1])
                self.told("N", found[2])
            elif alone:
                self.told(check, alone[1])
            elif stale:
                self.told(check, stale[1])
                self.told("N", stale[2])
            elif differing:
                self.told(check, differing[1])
            elif finding.endswith("hidden.") and name != "volume":
                self.told(check, HIDDEN)
            if check in self.variables and name not in ("coverage", "counts"):
                self.at_most(check, ["N"])
        same = {
            "missing: card network": f"card_network={UNKNOWN}",
            "missing: card bank": f"bank={UNKNOWN}",
            "missing: expires on": f"bucket:{UNKNOWN}",
            "expired but active": "standing:already expired:ACTIVE",
        }
        inside = {
            "vocabulary: card network": f"card_network={UNKNOWN}",
            "vocabulary: card type": f"card_type={UNKNOWN}",
            "vocabulary: instrument status": f"instrument_status={UNKNOWN}",
            "expiry implausible": "bucket:later",
        }
        for name, other in same.items():
            self.equal(f"check:{name}", [other])
        for name, other in inside.items():
            self.at_most(f"check:{name}", [other])
        for name in ("saved in future", "saved after expiry"):
            self.relate(["N"], [f"check:{name}", "check:missing: created at"], 0, np.inf)
        self.relate(["N"], ["check:repeated id", "check:missing: instrument id"], 0, np.inf)
        codes = [one for one in self.variables if one.startswith("check:anomaly:")]
        for code in codes:
            self.at_most(code, ["check:anomalies"])
        self.at_most("check:anomalies", codes)

    def _read_changes(self):
        account = self.page.rows("What became of every card")
        if not account:
            return
        for name, (cards, _, customers) in account.items():
            group = "N" if name == "rows new" else f"line:{name}"
            self.told(group, cards)
            if customers != DASH and name != "rows new":
                self.told(f"k:{group}", customers)
                self.at_most(f"k:{group}", [group])
                if name not in ("gone", "unknown old", "unknown new"):
                    self.at_most(f"k:{group}", ["C"])
        self.equal("line:rows old", [f"line:{one}" for one in OLD_LINES])
        self.equal("N", [f"line:{one}" for one in NEW_LINES])
        self.equal("line:without id new", ["check:missing: instrument id"])
        self.at_most("line:repeated new", ["check:repeated id"])
        self.relate(["line:repeated new", "line:repeated new"], ["check:repeated id"], 0, np.inf)
        for one in CHANGED:
            self.at_most(f"line:{one}", ["line:changed"])
        self.at_most("line:changed", [f"line:{one}" for one in CHANGED])
        self.relate(["line:changed"], ["line:renewed", "line:expiry changed"], 0, np.inf)
        table = self.page.tables.get("Changes by bank")
        if not table:
            return
        kinds = table[0][1:]
        for bank, *cells in table[1:]:
            for kind, text in zip(kinds, cells, strict=True):
                self.told(f"change:{kind}:{bank}", text)
            if "added" in kinds and bank != OTHER:
                self.at_most(f"change:added:{bank}", [f"bank={bank}"])
        for kind in kinds:
            self.equal(f"line:{kind}", [f"change:{kind}:{row[0]}" for row in table[1:]])

    def _read_collection(self):
        facts = {name: text for name, text in self.page.facts.items() if "Customers " in name}
        for name, text in facts.items():
            self.told(name, text)
        if facts:
            self.equal(
                "Customers asked for", [one for one in facts if one != "Customers asked for"]
            )
            self.equal("answered", ["Customers fetched", "Customers empty"])
            self.equal("check:coverage", ["Customers failed", "Customers not attempted"])
            self.at_most("C", ["Customers fetched"])
        coverage = re.match(r"Fetched: ([\d,]+) of ([\d,]+)", self._finding("coverage"))
        if coverage:
            self.told("answered", coverage[1])
            self.told("Customers asked for", coverage[2])
        volume = re.match(r"([\d.]+) cards per customer; ([\d.]+) in", self._finding("volume"))
        if volume:
            asked = "answered" if facts else "C"
            for ratio, cards, people in (
                (float(volume[1]), "N", asked),
                (float(volume[2]), "line:rows old", "old customers"),
            ):
                for bound, least, most in ((ratio - 0.00501, 0.0, np.inf),
                                           (ratio + 0.00501, -np.inf, 0.0)):  # fmt: skip
                    self.rows.append(
                        ({self.var(cards): 1.0, self.var(people): -bound}, least, most)
                    )
            self.at_most("k:line:gone", ["old customers"])

    def _finding(self, check):
        return self.page.checks.get(check, ("", ""))[1]

    def solver(self):
        """Return the linear program of all that the reader knows."""
        solver = highspy.Highs()
        solver.setOptionValue("output_flag", False)
        solver.setOptionValue("threads", 1)
        solver.addVars(len(self.lower), np.array(self.lower), np.array(self.upper))
        for row, least, most in self.rows:
            at = np.array(list(row), np.int32)
            solver.addRow(least, most, len(at), at, np.array(list(row.values()), float))
        return solver


class Attack:
    """The intervals that a page leaves for what it does not say."""

    def __init__(self, reader):
        self.reader = reader
        self.solver = reader.solver()
        self._is_integer = False

    def interval(self, plus, minus=()):
        """Return the least and the greatest a sum less another can be, as the page has it."""
        costs = {}
        for sign, names in ((1.0, plus), (-1.0, minus)):
            for name in names:
                at = self.reader.variables[name]
                costs[at] = costs.get(at, 0.0) + sign
        return self._end(costs, 1.0), -self._end(costs, -1.0)

    def _end(self, costs, sign):
        for at, cost in costs.items():
            self.solver.changeColCost(at, sign * cost)
        value = self._solve()
        if self._needs_integers:
            self._integers(True)
            value = self._solve()
            self._integers(False)
        for at in costs:
            self.solver.changeColCost(at, 0.0)
        return value

    def _solve(self):
        self.solver.run()
        status = self.solver.getModelStatus()
        kinds = highspy.HighsModelStatus
        if status in (kinds.kUnbounded, kinds.kUnboundedOrInfeasible):
            self._needs_integers = False
            return -np.inf
        assert status == kinds.kOptimal, f"the page contradicts itself: {status}"
        values = np.array(self.solver.getSolution().col_value)
        self._needs_integers = bool(np.abs(values - np.rint(values)).max() > 1e-6)
        return self.solver.getInfo().objective_function_value

    def _integers(self, on):
        count = len(self.reader.lower)
        kind = highspy.HighsVarType.kInteger if on else highspy.HighsVarType.kContinuous
        self.solver.changeColsIntegrality(
            count, np.arange(count, dtype=np.int32), np.full(count, int(kind), np.uint8)
        )
