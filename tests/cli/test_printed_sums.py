"""Whatever parts a command prints add up to the whole it prints, on vaults made up at random."""

import json
import random
import re
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from tokenvault_data.dataset.flattening.flatten import ReceivedBody, flatten
from tokenvault_data.dataset.schema import OUTCOMES
from tokenvault_data.dataset.snapshot_writer import CollectionFacts, SnapshotWriter
from tokenvault_data.emulator.dialects import API_VERSIONS
from tokenvault_data.emulator.population.population import Population
from tokenvault_data.emulator.settings import EmulatorSettings

BANKS = [None, "", "N/A", "(other)", "(none)", "(3 others)", "-", "HDFC BANK", "=1+1", '"quoted"']
NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)


def random_vault(chance, months):
    """A vault so many months old: some cards of odd banks, statuses and expiries, some failures."""
    settings = EmulatorSettings(
        customers=240, seed=chance.randrange(9999), as_of=date(2026, 11, 1), aged_months=months
    )
    population = Population(settings)
    vault = []
    for customer in population.customer_ids():
        outcome = "failed" if chance.random() < 0.1 else "fetched"
        cards = population.instruments(customer, chance.choice(API_VERSIONS))
        for one in cards:
            meta = one.get("instrument_meta") or {}
            if chance.random() < 0.3:
                meta["card_bank_name"] = chance.choice(BANKS)
            if chance.random() < 0.2:
                one["instrument_status"] = chance.choice([None, "BLOCKED", "EXPIRED", "ACTIVE"])
            if chance.random() < 0.1:
                one["instrument_id"] = chance.choice([None, "again"])
        vault.append((customer, outcome, cards if outcome == "fetched" else []))
    return vault


def publish(store, vault, now):
    bodies = [
        ReceivedBody(who, json.dumps(cards).encode(), int(now.timestamp()) * 10**6, "2025-01-01")
        for who, _, cards in vault
        if cards
    ]
    rows = [
        {
            "customer_id": who,
            "position": place,
            "outcome": outcome if outcome == "failed" or cards else "empty",
            "cause": random.Random(place).choice(["a", "b"]) if outcome == "failed" else None,
            "instruments": len(cards),
            "requests": 1,
            "finished_at": now,
        }
        for place, (who, outcome, cards) in enumerate(vault)
    ]
    with SnapshotWriter(store, now=now) as writer:
        writer.add(flatten(bodies).table, pa.Table.from_pylist(rows, schema=OUTCOMES))
        facts = CollectionFacts(len(rows), "emulator", "2025-01-01", now, now, "abcdef012345")
        return writer.publish(facts)


@pytest.fixture(params=range(2), ids=lambda number: f"vault {number}")
def ids(request, alone):
    """Two snapshots of a random vault, two months apart."""
    chance = random.Random(request.param)
    seed = chance.random()
    store = alone.folder / "vault-data"
    old = publish(store, random_vault(random.Random(seed), 0), NOW - timedelta(days=61))
    new = publish(store, random_vault(random.Random(seed), 2)[5:], NOW)
    return old.id, new.id


def tables_of(text):
    """All grids on a page: by the first heading, the rows as cells by heading, numbers as int."""
    found = []
    for block in re.split(r"\n\s*\n", text):
        lines = block.splitlines()
        if len(lines) < 2 or "  " not in lines[0].strip() or lines[0].startswith(" "):
            continue
        headings = re.split(r"\s{2,}", lines[0].strip())
        rows = [re.split(r"\s{2,}", line.strip()) for line in lines[1:]]
        if all(len(row) == len(headings) for row in rows):
            found.append(
                [
                    {
                        name: int(cell.replace(",", "")) if re.fullmatch(r"[\d,]+", cell) else cell
                        for name, cell in zip(headings, row, strict=True)
                    }
                    for row in rows
                ]
            )
    return found


def column(table, name):
    return [0 if row[name] == "-" else row[name] for row in table]


def number_in(pattern, text):
    return int(re.search(pattern, text)[1].replace(",", ""))


def test_show_adds_up(alone, ids):
    """Under every heading, the lines are its number, and the causes are those that failed."""
    lines = alone.run("show", ids[1]).out.splitlines()
    groups = {}
    for line in lines:
        found = re.fullmatch(r"( *)(\S.*?)\s{2,}([\d,]+)(\s+[\d.<>%-]+)?", line)
        if found is None:
            continue
        depth, label, count = len(found[1]) // 2, found[2], int(found[3].replace(",", ""))
        if depth == 0:
            whole = groups.setdefault(label, (count, []))
        elif depth == 1:
            whole[1].append(count)
            inner = groups.setdefault((label, len(groups)), (count, []))
        elif not label.startswith("of these"):
            inner[1].append(count)
    assert len([name for name in groups if isinstance(name, str)]) == 8
    for name, (whole, parts) in groups.items():
        assert not parts or sum(parts) == whole, name


@pytest.mark.parametrize("by", ["card_bank", "card_network,bank"])
def test_breakdowns_add_up(alone, ids, by):
    """With the rest and without it, the cards are all cards, each line once, and the shares all."""
    for more in (["--top", "1"], ["--top", "1000"]):
        page = alone.run("breakdown", ids[1], "--by", by, *more).out
        (table,) = tables_of(page)
        assert sum(column(table, "cards")) == number_in(r"([\d,]+) cards of .* in all", page)
        labels = [tuple(row.values())[: len(by.split(","))] for row in table]
        assert len(set(labels)) == len(labels)
        document = alone.run("breakdown", ids[1], "--by", by, *more, "--json").document
        assert sum(row["cards"] for row in document["rows"]) == sum(column(table, "cards"))
        assert sum(row["share"] for row in document["rows"]) == pytest.approx(1)


def test_expiring_adds_up(alone, ids):
    """Buckets of days and of months are all cards; months and banks are the cards that expire."""
    page = alone.run("expiring", ids[1], "--as-of", "2026-12-01").out
    days, months, by_month, by_bank = tables_of(page)
    every = number_in(r"of ([\d,]+) cards? \(", page)
    soon = number_in(r"\n([\d,]+) cards? expires? from", page)
    assert sum(column(days, "cards")) == sum(column(months, "cards")) == every
    assert sum(column(days, "active cards")) == sum(column(months, "active cards"))
    assert sum(column(by_month, "cards")) == sum(column(by_bank, "cards")) == soon
    assert sum(column(days, "cards")[1:4]) == soon
    assert column(days, "cards")[0] == column(months, "cards")[0]
    document = alone.run("expiring", ids[1], "--as-of", "2026-12-01", "--json").document
    for name, whole in (
        *(("outlook", every), ("outlook_months", every)),
        *(("months", soon), ("banks", soon)),
    ):
        assert sum(row["cards"] for row in document[name]) == whole
    assert document["cards"] == soon


def test_changes_add_up(alone, ids):
    """The lines are the rows of both lists, and the banks of a kind are its events."""
    page = alone.run("changes", *ids).out
    account, banks = tables_of(page)
    counts = {row["what"]: row for row in account}

    def cards(*names):
        return sum(0 if name not in counts else counts[name]["cards"] for name in names)

    both = ("unchanged", "changed", "replaced")
    sides = {"old": "gone", "new": "added"}
    for side, kind in sides.items():
        further = (f"unknown {side}", f"without id {side}", f"repeated {side}")
        assert cards(*both, kind, *further) == cards(f"rows {side}")
    assert all({row["cards"], row["customers"]} - {"-"} for row in account), "a line has a number"
    for kind in set(banks[0]) - {"bank"}:
        assert sum(column(banks, kind)) == cards(kind)
    document = alone.run("changes", *ids, "--json").document
    assert document["events"] == sum(row["cards"] for row in document["banks"])
    told = {row["what"].replace("_", " "): row for row in document["summary"]}
    for name, row in counts.items():
        assert {row["cards"], row["customers"]} <= {
            told[name]["cards"],
            told[name]["customers"],
            "-",
        }
    assert "customers only old" in counts, "five customers were not asked for again"


def test_identity_and_quality_add_up(alone, ids):
    """The kinds are all cases, and the verdicts all checks."""
    page = alone.run("identity", ids[1]).out
    assert sum(column(tables_of(page)[0], "cases")) == number_in(r": ([\d,]+) cases?\n", page)
    page = alone.run("quality", ids[1], "--against", ids[0]).out
    verdicts = [row["verdict"] for row in tables_of(page)[0]]
    assert len(verdicts) == number_in(r"Of ([\d,]+) checks", page)
    said = {
        "fail": r"([\d,]+) fail",
        "warn": r"([\d,]+) warn",
        "pass": r"([\d,]+) pass",
        "unknown": r"([\d,]+) cannot be told",
    }
    for verdict, pattern in said.items():
        assert verdicts.count(verdict) == number_in(pattern, page.split("\n\n")[0])
