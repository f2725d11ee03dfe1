"""Arguments of a wholly other kind: one sentence, whichever function of `tv` gets them."""

import pandas as pd
import pytest

import tokenvault_data as tv
from tokenvault_data.errors import TokenVaultError

DAY = "2026-11-22"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    """A snapshot of two customers' cards."""
    from tokenvault_data.config.loading import emulator_profile
    from tokenvault_data.emulator.server import Emulator
    from tokenvault_data.emulator.settings import EmulatorSettings

    store = tmp_path_factory.mktemp("store")
    with (
        Emulator(EmulatorSettings(customers=2)) as emulator,
        tv.connect(emulator_profile(emulator.base_url)) as vault,
    ):
        return tv.collect(vault, ["cust_0000000", "cust_0000001"], store=store, progress=False)


WRONG = {
    "a client by name": lambda s: tv.collect("emulator", ["a"], store=s.path.parents[1]),
    "no client": lambda s: tv.collect(None, ["a"], store=s.path.parents[1]),
    "frames by name": lambda _: tv.iter_frames("emulator", ["a"]),
    "a day that is none": lambda s: tv.expiring(s, as_of=pd.NaT),
    "a day as a number": lambda s: tv.expiring(s, as_of=20261122),
    "a window as a list": lambda s: tv.expiring(s, within=[1]),
    "groups as text": lambda s: tv.breakdown(s, by="bank", top="5"),
    "half a group": lambda s: tv.breakdown(s, by="bank", top=5.5),
    "a column as a number": lambda s: tv.breakdown(s, by=3),
    "columns as numbers": lambda s: tv.breakdown(s, by=[1]),
    "a column as bytes": lambda s: tv.breakdown(s, by=b"bank"),
    "a threshold that is none": lambda s: tv.identity(s, threshold=float("nan")),
    "an endless threshold": lambda s: tv.identity(s, threshold=float("inf")),
    "holds as a number": lambda s: tv.plan_cleanup(s, tv.expired(DAY), holds=3),
    "a forecast of a number": lambda _: tv.forecast(3),
    "checked by name": lambda s: tv.check_cleanup("emulator", s.path, store=s.path),
    "a condition as a number": lambda s: tv.breakdown(s, by="bank", where=3),
    "a snapshot by no name": lambda s: tv.open_snapshot(s.path.parents[1], None),
    "a store as a number": lambda _: tv.open_snapshot(3),
    "snapshots of a number": lambda _: tv.list_snapshots(3),
    "a profile as a number": lambda _: tv.connect(3),
    "a profile loaded by number": lambda _: tv.load_profile(3),
    "a threshold as text": lambda s: tv.identity(s, threshold="3"),
    "an older snapshot by number": lambda s: tv.quality(s, against=3),
    "changes from nothing": lambda s: tv.changes(None, s),
    "a forecast of numbers": lambda _: tv.forecast([1, 2]),
    "an export to a number": lambda s: tv.export(s, 3),
    "an export of a number": lambda _: tv.export(3, "cards.csv"),
    "a report to a number": lambda s: tv.report(s, 3),
    "a list as a number": lambda _: tv.read_customers(3),
    "an export read from a number": lambda _: tv.read_export(3),
    "bank names as a number": lambda _: tv.load_bank_names(3),
    "a rule by name": lambda s: tv.plan_cleanup(s, "expired"),
    "a plan of a folder": lambda _: tv.plan_cleanup("store", tv.expired(DAY)),
    "limits as a number": lambda s: tv.plan_cleanup(s, tv.expired(DAY), limits=5),
    "a limit as text": lambda _: tv.Limits(rows="5"),
    "a simulation of a folder": lambda _: tv.simulate_cleanup("store", tv.expired(DAY)),
    "a plan read from a number": lambda _: tv.read_plan(3),
    "a number sealed": lambda s: tv.seal_plan(3, s.path.parents[1]),
    "a number approved": lambda _: tv.approve_plan(3, 4),
    "an audit of a number": lambda _: tv.audit_cleanup(3),
    "verified by name": lambda s: tv.verify_cleanup("emulator", s.path, s.path),
    "applied by name": lambda s: tv.apply_cleanup("emulator", s.path, store=s.path, confirm="x"),
    "a report of a number": lambda _: tv.report_cleanup(3, "page.html"),
    "days as text": lambda _: tv.expired_for("3", DAY),
    "cards as a number": lambda _: tv.listed(3),
    "hold lists of a number": lambda _: tv.load_holds(3),
    "a key by number": lambda _: tv.load_signing_key(3),
    "a query as a number": lambda s: s.sql(3),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_what_is_of_a_wholly_other_kind_is_refused_in_one_sentence(call, snapshot):
    """It is an error of ours, which says what was given or what is needed: no bare Python error."""
    with pytest.raises(TokenVaultError) as refused:
        call(snapshot)
    assert len(str(refused.value)) > 30
