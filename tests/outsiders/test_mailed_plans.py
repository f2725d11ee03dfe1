"""A plan that came by mail is believed nothing about itself: refused, or shown as it is."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from campaign_files import read_plan, sealed
from small_vault import shop
from stories import about, quick, short_and_long

LIE = "card expires before 1 January 2020"


def later(**time):
    """Give a moment as plans write it."""
    return (datetime.now(UTC) + timedelta(**time)).isoformat()


def limits(**changed):
    """Change guard rails of a plan."""
    return lambda header: header | {"limits": header["limits"] | changed}


def header(**changed):
    """Change fields of a plan's header."""
    return lambda old: old | changed


FOREIGN = {
    "another snapshot": header(snapshot_digest="0" * 64),
    "a vault of 10^30 cards": header(vault_cards=10**30),
    "a vault larger than it was": header(vault_cards=5000),
    "a bank larger than it is": header(bank_totals=[{"bank": "Visa Bank", "cards": 9000}]),
    "no totals of banks": header(bank_totals=[]),
    "another environment": header(environment="production"),
    "a canary of all cards": lambda old: old | {"canary": list(range(6))},
    "no canary": header(canary=[]),
    "valid until 2999": header(expires_at="2999-12-31T00:00:00+00:00"),
    "made tomorrow": lambda old: (
        old | {"created_at": later(hours=20), "expires_at": later(hours=44)}
    ),
    "fetched just now": lambda old: old | {"oldest_fetched_at": later(hours=1)},
    "no controls": header(controls=[]),
    "controls that are planned": header(
        controls=[{"customer_id": "cust_00", "instrument_id": "visa-cust_00"}]
    ),
    "evidence may be an hour old": limits(evidence_seconds=3600.0),
    "a million attempts": limits(attempts=10**6),
    "no stop at drift": limits(drift_canary=10**9, drift_share=1e9),
    "no stop at failures": limits(failures_in_row=10**9, failure_share=1e9),
    "a plan good for a thousand years": limits(plan_hours=1e7),
    "more than the whole rate": limits(rate_share=40.0),
    "shares above one": limits(vault_share=1e30, bank_share=1e30),
    "caps of NaN": limits(vault_share=float("nan")),
    "an unknown field": header(sentence=LIE),
    "an unknown guard rail": limits(trust_me=True),
    "a rule that the cards do not meet": header(
        rule={"condition": {"column": "card_network", "in": ["mastercard"]}, "kind": "condition"}
    ),
}

NOT_APPLIED = ["another environment", "valid until 2999", "a canary of all cards"]


@quick
def mailed(stage):
    """Make a plan of a snapshot that others can be forged from, and a key to sign with."""
    vault = stage.vault(shop(6))
    world = stage.world(vault)
    public_key = world.keygen("asha")["public_key"]
    world.trust(public_key)
    plan = world.plan("--where", "card_network=visa")
    asked = len(vault.log)
    return SimpleNamespace(**locals())


def forge(told, folder, change):
    """Write a plan with another header, sealed as its format asks, where mail would put it."""
    plan = read_plan(told.plan.path)
    forged, content = sealed(change(copy.deepcopy(plan.header)), plan.rows)
    folder = folder / "campaigns" / forged.id
    folder.mkdir(parents=True)
    path = folder / "plan.json"
    path.write_bytes(content)
    return path


def signed(path):
    return list(path.parent.glob("approval-*"))


@pytest.mark.parametrize("what", short_and_long(FOREIGN, 14))
@about(mailed)
def test_a_plan_that_contradicts_itself_is_refused_before_anybody_signs(told, what, tmp_path):
    """A header that cannot be, or is not what its snapshot says, is refused; nothing is signed."""
    path = forge(told, tmp_path, FOREIGN[what])
    ran = told.world.approve(path, "asha")
    assert ran.code in {2, 4}, ran.text
    assert not signed(path)
    assert LIE not in ran.text


@pytest.mark.parametrize("what", NOT_APPLIED)
@about(mailed)
def test_a_plan_that_contradicts_itself_is_not_applied(told, what, tmp_path):
    """The same plans are refused by `apply` before any request, whatever is typed."""
    path = forge(told, tmp_path, FOREIGN[what])
    ran = told.world.typed("cleanup", "apply", path)
    assert ran.code in {2, 4}, ran.text
    assert len(told.vault.log) == told.asked


SCREENS = {
    "show": lambda world, path: world.run("cleanup", "show", path),
    "approve": lambda world, path: world.approve(path, "asha"),
    "apply": lambda world, path: world.begin("cleanup", "apply", path, answer=False).ended(60),
}
every_screen = pytest.mark.parametrize("screen", SCREENS)


@every_screen
@pytest.mark.parametrize("note", [LIE, f"October\n  {LIE}\nplanned by     meera"])
@about(mailed)
def test_a_lying_note_never_stands_for_the_rule(told, screen, note, tmp_path):
    """The rule's own sentence is shown beside any note, and a note cannot imitate other lines."""
    path = forge(told, tmp_path, header(note=note))
    ran = SCREENS[screen](told.world, path)
    assert "network is visa" in ran.text or ran.code in {2, 4}
    planners = [line for line in ran.text.splitlines() if line.strip().startswith("planned by")]
    assert not [line for line in planners if "meera" in line]


@every_screen
@about(mailed)
def test_switched_off_caps_are_shown(told, screen, tmp_path):
    """Every screen says that the last usable card is not spared, and what each cap allows."""
    off = limits(keep_last_usable=False, rows=777, per_customer=55, per_day=888)
    path = forge(told, tmp_path, off)
    ran = SCREENS[screen](told.world, path)
    assert ran.code in {2, 4} or "last usable" in ran.text.lower(), ran.text
    for number in ("777", "55", "888"):
        assert ran.code in {2, 4} or number in ran.text, f"{number}: {ran.text}"


@every_screen
@about(mailed)
def test_a_proof_that_comes_too_soon_is_shown(told, screen, tmp_path):
    """Every screen warns of a plan whose cards count as deleted at once."""
    path = forge(told, tmp_path, limits(settle_seconds=0.0))
    ran = SCREENS[screen](told.world, path)
    assert ran.code in {2, 4} or "0 seconds, by default 60 seconds" in ran.text, ran.text


@about(mailed)
def test_every_cap_of_an_ordinary_plan_is_shown(told):
    """`show` names the guard rails, switched-off ones too, before anybody signs."""
    caps = ("--max-cards", "123", "--max-vault-share", "1", "--max-bank-share", "1")
    plan = told.world.plan(
        "--where",
        "card_network=visa",
        "--allow-last-usable",
        caps=(*caps, "--max-per-customer", "7"),
    )
    ran = told.world.run("cleanup", "show", plan.id)
    assert ran.code == 0
    assert "last usable" in ran.text.lower()
    assert "123" in ran.text
    assert "100" in ran.text


@about(mailed)
def test_approve_asks_before_it_signs(told, tmp_path):
    """Without a terminal to type on nothing is signed, and the exit code is 4."""
    path = forge(told, tmp_path, header(note="asked first"))
    ran = told.world.run("cleanup", "approve", path, "--key", "asha")
    assert ran.code == 4, ran.text
    assert not signed(path)


@about(mailed)
def test_an_approval_that_was_taken_back_does_not_count(told, tmp_path):
    """`show` lists who approved, and after `revoke` that it no longer counts."""
    path = forge(told, tmp_path, header(note="taken back"))
    assert told.world.approve(path, "asha").code == 0
    assert "asha" in told.world.run("cleanup", "show", path).text
    ran = told.world.typed("cleanup", "revoke", path, "--key", "asha")
    assert ran.code == 0, ran.text
    assert "revoked" in told.world.run("cleanup", "show", path).text.lower()


@about(mailed)
def test_apply_refuses_another_plan_in_the_folder(told, tmp_path):
    """`apply ID` runs the plan of that id, never whatever lies in the folder of that name."""
    path = forge(told, tmp_path, header(note="another one"))
    store = tmp_path / "other-store"
    folder = store / "campaigns" / told.plan.id
    folder.mkdir(parents=True)
    (folder / "plan.json").write_bytes(path.read_bytes())
    before = len(told.vault.log)
    ran = told.world.begin("cleanup", "apply", told.plan.id, store=store).ended(60)
    assert ran.code in {2, 4}, ran.text
    assert len(told.vault.log) == before
