"""Every figure against SQL over the raw JSON, on random vaults of all dialects, with nonsense."""

from __future__ import annotations

import tempfile
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from analysis_cases import publish
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from oracle import Oracle
from random_vaults import AS_OF_DAYS, successions, vaults

import tokenvault_data as tv
from tokenvault_data.analysis.changes.compare import compare
from tokenvault_data.analysis.expiry import expired_but_active, expiry_calendar, expiry_outlook
from tokenvault_data.analysis.outreach import (
    customer_outlook,
    customers_at_risk,
    customers_without_usable_card,
)
from tokenvault_data.client.blocking import Vault
from tokenvault_data.config.loading import emulator_profile
from tokenvault_data.dataset.frames import to_table
from tokenvault_data.emulator.population.population import Population
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings

# Failing vaults are shown as drawn: making one smaller would take longer than the whole suite.
thoroughly = settings(
    max_examples=7,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

DIMENSIONS = (
    "card_network", "card_bank", "card_type", "card_sub_type", "card_country",
    "instrument_status", "expiry", "expires_on", "expiry_month", "expiry_year",
)  # fmt: skip
CONDITIONS = {
    "": "true",
    "card_network=visa,mastercard": "card_network IN ('visa', 'mastercard')",
    "card_network!=visa": "card_network <> 'visa'",
    "instrument_status=ACTIVE": "instrument_status = 'ACTIVE'",
    "card_bank=(none)": "card_bank IS NULL",
    "card_type=debit,(none)": "card_type = 'debit' OR card_type IS NULL",
    "expires_on<2027-01-01": "expires_on < DATE '2027-01-01'",
    "expires_on>=2028-02-29": "expires_on >= DATE '2028-02-29'",
    "expiry=2028-02": "expiry = '2028-02'",
}


@contextmanager
def asked(**vaults_by_name):
    """Give an oracle, and a snapshot for each vault."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Oracle(Path(folder), **vaults_by_name)) as oracle,
    ):
        snapshots = [
            publish(
                Path(folder) / name,
                {customer: cards for customer, outcome, cards in vault if outcome != "failed"},
                failed=[customer for customer, outcome, _ in vault if outcome == "failed"],
            )
            for name, vault in vaults_by_name.items()
        ]
        yield oracle, *snapshots


def tuples(table, *columns):
    """Rows of a table of results, as the oracle gives them."""
    return [tuple(row.values()) for row in to_table(table).select(list(columns)).to_pylist()]


def unordered(rows):
    return sorted(rows, key=repr)


@thoroughly
@given(vaults(), st.lists(st.sampled_from(DIMENSIONS), min_size=1, max_size=3, unique=True))
def test_breakdowns(vault, by):
    """Cards and distinct customers by any columns, under any condition, are the raw JSON's."""
    names = ", ".join(by)
    with asked(v=vault) as (oracle, snapshot):
        for typed, condition in CONDITIONS.items():
            ours = tv.breakdown(snapshot, by=by, where=[typed] if typed else None)
            theirs = oracle.rows(
                f"SELECT {names}, count(*), count(DISTINCT customer) FROM v WHERE {condition}"
                f" GROUP BY {names}"
            )
            assert unordered(tuples(ours, *by, "cards", "customers")) == unordered(theirs)
            total = sum(row[-2] for row in theirs)
            assert ours["cards"].sum() == total
            if total:
                assert ours["share"].sum() == pytest.approx(1)


@thoroughly
@given(vaults(), st.integers(1, 4))
def test_the_largest_groups_and_the_others(vault, top):
    """The line of all other groups holds their cards, and their distinct customers."""
    with asked(v=vault) as (oracle, snapshot):
        ours = tv.breakdown(snapshot, by="card_bank", top=top)
        groups = oracle.rows("SELECT card_bank, count(*) FROM v GROUP BY 1")
        if len(groups) <= top:
            assert len(ours) == len(groups)
            return
        named = [row[0] for row in tuples(ours, "card_bank")[:-1]]
        cards, customers = oracle.one(
            "SELECT count(*), count(DISTINCT customer) FROM v"
            " WHERE NOT list_contains(?, coalesce(card_bank, '(missing)'))",
            [name if name is not None else "(missing)" for name in named],
        )
        assert tuples(ours, "card_bank", "cards", "customers")[-1] == ("(other)", cards, customers)
        assert len(named) == top


@thoroughly
@given(vaults(), AS_OF_DAYS, st.sampled_from([0, 7, 30, 90, 400]))
@example([("c", "empty", [])], date(2026, 11, 30), 0)
def test_expiry(vault, day, within):
    """What expires when, on every kind of day: month ends, leap days, and the days after them."""
    with asked(v=vault) as (oracle, snapshot):
        soon = f"expires_on BETWEEN DATE '{day}' AND DATE '{day}' + {within}"
        columns = ("customer_id", "instrument_id", "last_four", "expires_on", "days_left")
        assert unordered(tuples(tv.expiring(snapshot, within, as_of=day), *columns)) == unordered(
            oracle.rows(
                f"SELECT customer, id, last_four, expires_on, expires_on - DATE '{day}' FROM v"
                f" WHERE {soon}"
            )
        )
        assert tuples(expiry_outlook(snapshot, as_of=day), "bucket", "cards", "active_cards",
                      "customers") == [
            (
                name,
                *oracle.one(
                    "SELECT count(*), count(*) FILTER (instrument_status = 'ACTIVE'),"
                    f" count(DISTINCT customer) FROM v WHERE {condition}"
                ),
            )
            for name, condition in {
                "expired": f"expires_on < DATE '{day}'",
                "0-30 days": f"expires_on - DATE '{day}' BETWEEN 0 AND 30",
                "31-60 days": f"expires_on - DATE '{day}' BETWEEN 31 AND 60",
                "61-90 days": f"expires_on - DATE '{day}' BETWEEN 61 AND 90",
                "later": f"expires_on - DATE '{day}' > 90",
                "unknown": "expires_on IS NULL",
            }.items()
        ]  # fmt: skip
        expired = expired_but_active(snapshot, as_of=day)
        ours = tuples(expired, "customer_id", "instrument_id", "days_expired")
        assert unordered(ours) == unordered(
            oracle.rows(
                f"SELECT customer, id, DATE '{day}' - expires_on FROM v"
                f" WHERE expires_on < DATE '{day}' AND instrument_status = 'ACTIVE'"
            )
        )  # fmt: skip
        calendar = expiry_calendar(snapshot, as_of=day, months=14)
        by = ("expiry", "card_network")
        ours = {}
        for expiry, network, cards in tuples(calendar, *by, "cards"):
            ours[expiry, network] = ours.get((expiry, network), 0) + cards
        assert {key: cards for key, cards in ours.items() if cards} == {
            (expiry, network): cards
            for expiry, network, cards in oracle.rows(
                "SELECT expiry, card_network, count(*) FROM v"
                f" WHERE expires_on >= date_trunc('month', DATE '{day}')"
                f" AND expires_on < date_trunc('month', DATE '{day}') + INTERVAL 14 MONTH"
                " GROUP BY 1, 2"
            )
        }


@thoroughly
@given(vaults(), AS_OF_DAYS, st.sampled_from([0, 30, 90, 800]))
def test_customers_and_their_usable_cards(vault, day, within):
    """Who is left without a usable card, who soon will be, and of whom it is not known."""
    usable = f"(instrument_status = 'ACTIVE' AND expires_on >= DATE '{day}')"
    with asked(v=vault) as (oracle, snapshot):
        oracle.rows(
            "CREATE TABLE people AS SELECT customer,"
            f" count(*) FILTER ({usable} IS TRUE) AS good,"
            f" count(*) FILTER ({usable} IS NULL) AS perhaps,"
            f" max(expires_on) FILTER ({usable} IS TRUE) AS until,"
            f" coalesce(bool_or({usable} IS NULL AND expires_on IS NULL)"
            f" OR max(expires_on) FILTER ({usable} IS NULL) > until, false) AS longer"
            " FROM v GROUP BY customer"
        )
        at_risk = customers_at_risk(snapshot, within, as_of=day)
        assert [
            (customer, cards, until, certainty == "certain")
            for customer, cards, until, certainty in tuples(
                at_risk, "customer_id", "cards_expiring", "last_usable_on", "certainty"
            )
        ] == oracle.rows(
            "SELECT customer, good, until, NOT longer FROM people WHERE good > 0"
            f" AND until <= DATE '{day}' + {within} ORDER BY until, customer"
        )
        without = customers_without_usable_card(snapshot, as_of=day)
        assert unordered(
            (customer, reason == "unknown")
            for customer, reason in tuples(without, "customer_id", "reason")
        ) == unordered(oracle.rows("SELECT customer, perhaps > 0 FROM people WHERE good = 0"))
        assert tuples(customer_outlook(snapshot, as_of=day), "outlook", "customers") == [
            ("usable", *oracle.one("SELECT count(*) FROM people WHERE good > 0")),
            (
                "may be usable",
                *oracle.one("SELECT count(*) FROM people WHERE good = 0 AND perhaps > 0"),
            ),
            ("none usable", *oracle.one("SELECT count(*) FROM people WHERE good + perhaps = 0")),
            ("no cards", *oracle.one("SELECT count(*) FROM v_raw WHERE outcome = 'empty'")),
            ("not fetched", *oracle.one("SELECT count(*) FROM v_raw WHERE outcome = 'failed'")),
        ]


_CHANGES = """
CREATE TABLE fetched_twice AS
    SELECT customer FROM a_raw JOIN b_raw USING (customer)
    WHERE a_raw.outcome <> 'failed' AND b_raw.outcome <> 'failed';
CREATE TABLE one_a AS SELECT * FROM a WHERE id IS NOT NULL QUALIFY row_number() OVER (
    PARTITION BY customer, id ORDER BY coalesce(instrument_status = 'ACTIVE', false) DESC,
    expires_on DESC NULLS LAST, position) = 1;
CREATE TABLE one_b AS SELECT * FROM b WHERE id IS NOT NULL QUALIFY row_number() OVER (
    PARTITION BY customer, id ORDER BY coalesce(instrument_status = 'ACTIVE', false) DESC,
    expires_on DESC NULLS LAST, position) = 1;
CREATE TABLE went AS SELECT * FROM one_a ANTI JOIN one_b USING (customer, id)
    SEMI JOIN fetched_twice USING (customer);
CREATE TABLE came AS SELECT * FROM one_b ANTI JOIN one_a USING (customer, id)
    SEMI JOIN fetched_twice USING (customer);
CREATE TABLE by_uid AS
    WITH x AS (SELECT *, row_number() OVER (PARTITION BY customer, uid
                ORDER BY created_at NULLS LAST, id) AS nth FROM went WHERE uid IS NOT NULL),
         y AS (SELECT *, row_number() OVER (PARTITION BY customer, uid
                ORDER BY created_at NULLS LAST, id) AS nth FROM came WHERE uid IS NOT NULL)
    SELECT x.customer, x.id AS old_id, y.id AS new_id FROM x JOIN y USING (customer, uid, nth);
CREATE TABLE by_par AS
    WITH x AS (SELECT *, row_number() OVER (PARTITION BY customer, par
                ORDER BY created_at NULLS LAST, id) AS nth FROM went WHERE par IS NOT NULL
                AND (customer, id) NOT IN (SELECT customer, old_id FROM by_uid)),
         y AS (SELECT *, row_number() OVER (PARTITION BY customer, par
                ORDER BY created_at NULLS LAST, id) AS nth FROM came WHERE par IS NOT NULL
                AND (customer, id) NOT IN (SELECT customer, new_id FROM by_uid))
    SELECT x.customer, x.id AS old_id, y.id AS new_id FROM x JOIN y USING (customer, par, nth);
CREATE TABLE pairs AS FROM by_uid UNION ALL FROM by_par;
CREATE TABLE both_times AS SELECT a.customer, a.id, a.instrument_status AS s1,
    b.instrument_status AS s2, a.expires_on AS e1, b.expires_on AS e2,
    concat_ws(', ', CASE WHEN a.card_network <> b.card_network THEN 'card_network' END,
        CASE WHEN a.card_type <> b.card_type THEN 'card_type' END,
        CASE WHEN a.card_sub_type <> b.card_sub_type THEN 'card_sub_type' END,
        CASE WHEN a.card_country <> b.card_country THEN 'card_country' END,
        CASE WHEN a.last_four <> b.last_four THEN 'last_four' END,
        CASE WHEN a.par <> b.par THEN 'par' END,
        CASE WHEN a.uid <> b.uid THEN 'instrument_uid' END,
        CASE WHEN a.created_at <> b.created_at THEN 'created_at' END) AS details
    FROM one_a AS a JOIN one_b AS b USING (customer, id);
CREATE VIEW events AS
    SELECT 'added' AS kind, customer, id, NULL AS new_id, NULL AS s1, instrument_status AS s2,
        NULL AS e1, expires_on AS e2 FROM came
        WHERE (customer, id) NOT IN (SELECT customer, new_id FROM pairs)
    UNION ALL SELECT 'gone', customer, id, NULL, instrument_status, NULL, expires_on, NULL FROM went
        WHERE (customer, id) NOT IN (SELECT customer, old_id FROM pairs)
    UNION ALL SELECT 'replaced', p.customer, old_id, new_id, w.instrument_status,
        c.instrument_status, w.expires_on, c.expires_on FROM pairs AS p
        JOIN went AS w ON w.customer = p.customer AND w.id = old_id
        JOIN came AS c ON c.customer = p.customer AND c.id = new_id
    UNION ALL SELECT 'status_changed', customer, id, NULL, s1, s2, e1, e2 FROM both_times
        WHERE s1 IS DISTINCT FROM s2
    UNION ALL SELECT 'renewed', customer, id, NULL, s1, s2, e1, e2 FROM both_times WHERE e2 > e1
    UNION ALL SELECT 'expiry_changed', customer, id, NULL, s1, s2, e1, e2 FROM both_times
        WHERE e1 IS DISTINCT FROM e2 AND NOT coalesce(e2 > e1, false);
"""


@thoroughly
@given(successions())
def test_changes(before_and_after):
    """Every event between two vaults, and a summary whose lines add up to both."""
    before, after = before_and_after
    with asked(a=before, b=after) as (oracle, old, new):
        comparison = compare(old, new)
        for statement in filter(str.strip, _CHANGES.split(";\n")):
            oracle.rows(statement)
        ours = tuples(
            comparison.events[comparison.events["kind"] != "details_changed"],
            *("kind", "customer_id", "instrument_id", "new_instrument_id"),
            *("old_status", "new_status", "old_expires_on", "new_expires_on"),
        )
        assert unordered(ours) == unordered(oracle.rows("SELECT * FROM events"))
        details = [
            (customer, card, changed.removeprefix("bank").removeprefix(", "))
            for customer, card, changed in tuples(
                comparison.events[comparison.events["kind"] == "details_changed"],
                *("customer_id", "instrument_id", "changed"),
            )
        ]
        assert unordered(row for row in details if row[2]) == unordered(
            oracle.rows("SELECT customer, id, details FROM both_times WHERE details <> ''")
        )
        lines = dict(tuples(comparison.summary, "what", "cards"))
        for side, there in (("old", "gone"), ("new", "added")):
            assert lines[f"rows_{side}"] == sum(
                lines[name]
                for name in (
                    *("unchanged", "changed", there, "replaced"),
                    *(f"unknown_{side}", f"without_id_{side}", f"repeated_{side}"),
                )
            )
        assert (lines["rows_old"], lines["rows_new"]) == oracle.one(
            "SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b)"
        )
        assert lines["unknown_old"] == oracle.one(
            "SELECT count(*) FROM one_a ANTI JOIN one_b USING (customer, id)"
            " ANTI JOIN fetched_twice USING (customer)"
        )[0]  # fmt: skip


@thoroughly
@given(vaults(), st.integers(2, 4))
def test_identity(vault, threshold):
    """Cards under several customers, accounts behind several cards, ids that a list repeats."""
    with asked(v=vault) as (oracle, snapshot):
        cases = tv.identity(snapshot, threshold=threshold)
        ours = tuples(cases, "kind", "shared_id", "customers", "cards")
        assert unordered(row for row in ours if row[0] == "same_card") == unordered(
            oracle.rows(
                "SELECT 'same_card', uid, count(DISTINCT customer), count(*) FROM v"
                " WHERE uid IS NOT NULL GROUP BY uid HAVING count(DISTINCT customer) >= ?",
                threshold,
            )
        )
        assert unordered(row for row in ours if row[0] == "repeated_id") == unordered(
            oracle.rows(
                "SELECT 'repeated_id', id, 1, count(*) FROM v WHERE id IS NOT NULL"
                " GROUP BY customer, id HAVING count(*) >= 2"
            )
        )


def test_what_the_emulator_did_in_a_month_is_what_is_found(tmp_path):
    """Over HTTP, a month apart: the events are exactly the emulator's own ledger."""
    settings = EmulatorSettings(customers=400, seed=3, as_of=date(2026, 10, 31))
    later = replace(settings, aged_months=1)
    snapshots = []
    for place, vault_settings in enumerate((settings, later)):
        with (
            Emulator(vault_settings) as emulator,
            Vault(emulator_profile(emulator.base_url)) as vault,
        ):
            ids = list(Population(settings).customer_ids())
            snapshots.append(tv.collect(vault, ids, store=tmp_path / str(place), progress=False))
    found = tv.changes(*snapshots)
    ours = unordered(
        (kind, customer, old, new or None)
        for kind, customer, old, new in tuples(
            found, "kind", "customer_id", "instrument_id", "new_instrument_id"
        )
    )
    names = {"deleted": "gone"}
    ledger = unordered(
        (
            names.get(event.kind, event.kind),
            event.customer_id,
            event.instrument_id,
            event.new_instrument_id,
        )
        for event in Population(later).net_events()
    )
    assert ours == ledger
    assert {row[0] for row in ours} == {"added", "gone", "replaced", "renewed", "status_changed"}
