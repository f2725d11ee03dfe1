"""The sealed plan: one way to write it, none to change it."""

import hashlib
import json
import os
import stat
from dataclasses import asdict, replace

import pytest
from cleanup_plans import BYTES, PLAN, make_cards, make_plan, resealed, with_card, with_header
from cleanup_vaults import ALL_OPEN, DAY
from hypothesis import given
from hypothesis import strategies as st

from tokenvault_data.cleanup.plan.plan_file import (
    parse_plan,
    plan_bytes,
    read_plan,
    seal_plan,
    write_plan,
)
from tokenvault_data.cleanup.selection import rules
from tokenvault_data.cleanup.selection.cards import BankTotal, ControlCard
from tokenvault_data.errors import PlanDamaged, UsageError


def test_what_a_plan_looks_like():
    """A header, a line a card, and a last line with the digest of all bytes before it."""
    lines = BYTES.splitlines(keepends=True)
    assert len(lines) == 5
    header, last = json.loads(lines[0]), json.loads(lines[-1])
    assert (header["format"], header["format_version"]) == ("tokenvault-plan", 2)
    assert header["rule"] == rules.expired(DAY).to_dict()
    assert json.loads(lines[2]) == asdict(PLAN.cards[1])
    assert last == {"digest": hashlib.sha256(b"".join(lines[:-1])).hexdigest(), "rows": 3}
    assert last["digest"] == PLAN.digest
    assert BYTES.isascii()


def test_id_and_phrase_come_from_the_digest():
    """The phrase names how many, where, and which plan."""
    assert PLAN.id == PLAN.digest[:12]
    assert PLAN.phrase == f"delete 3 production {PLAN.digest[:6]}"


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": "sandbox"},
        {"merchant": None},
        {"api_version": "2026-01-01"},
        {"snapshot_digest": "e" * 64},
        {"rule": rules.expired("2026-11-23")},
        {"limits": replace(ALL_OPEN, rows=999)},
        {
            "expires_at": "2026-11-24T11:00:00+00:00",
            "limits": replace(ALL_OPEN, plan_hours=48.0),
        },
        {"planner": "asha rao"},
        {"note": None},
        {"controls": (ControlCard("customer-8", "instrument-98"),)},
        {"left_out": {}},
        {"cards": make_cards(2)},
    ],
)
def test_the_digest_covers_everything(changes):
    """Any other content is another plan with another digest, and is read back as it was written."""
    other = make_plan(**changes)
    assert other.digest != PLAN.digest
    again = parse_plan(plan_bytes(other))
    assert again == other
    assert plan_bytes(again) == plan_bytes(other)


def test_rules_of_all_kinds_survive():
    """Lists and duplicates are sealed with all they hold."""
    cards = make_cards()
    listed = rules.listed([(card.customer_id, card.instrument_id) for card in cards])
    assert parse_plan(plan_bytes(make_plan(rule=listed))).rule == listed
    doubles = rules.duplicates() & rules.networks("visa")
    kept = tuple(replace(card, keeper=f"kept-{card.number}") for card in cards)
    assert parse_plan(plan_bytes(make_plan(rule=doubles, cards=kept))).rule == doubles


def test_every_cut_is_found():
    """A plan that ends anywhere before its end is damaged, and says so in one sentence."""
    for end in range(len(BYTES)):
        with pytest.raises(PlanDamaged):
            parse_plan(BYTES[:end])


@given(st.integers(0, len(BYTES) - 1), st.integers(1, 255))
def test_every_flipped_byte_is_found(place, mask):
    """Whatever bits of whatever byte are turned over, the plan is damaged."""
    damaged = bytearray(BYTES)
    damaged[place] ^= mask
    with pytest.raises(PlanDamaged) as error:
        parse_plan(bytes(damaged), "plan.json")
    assert str(error.value).startswith("plan.json ")
    assert "\n" not in str(error.value)
    assert "customer-" not in str(error.value)


def test_each_byte_counts():
    """The lowest bit of every single byte is watched."""
    for place in range(len(BYTES)):
        damaged = bytearray(BYTES)
        damaged[place] ^= 1
        with pytest.raises(PlanDamaged):
            parse_plan(bytes(damaged))


@given(st.binary(max_size=60), st.integers(0, len(BYTES)))
def test_nothing_can_be_put_in(extra, place):
    """Bytes put in anywhere are found, also behind the end."""
    if extra:
        with pytest.raises(PlanDamaged):
            parse_plan(BYTES[:place] + extra + BYTES[place:])


@pytest.mark.parametrize(
    ("written", "otherwise"),
    [
        (b'"number":1', b'"number": 1'),
        (b'"par":"P"', b'"par":"\\u0050"'),
        (b'"number":1,', b'"number":1,"number":1,'),
        (b'{"api_version"', b' {"api_version"'),
    ],
)
def test_there_is_one_way_to_write_a_plan(written, otherwise):
    """Bytes that would mean the same in another writing are not the plan that was sealed."""
    assert written in BYTES
    with pytest.raises(PlanDamaged, match="it is not as written"):
        parse_plan(BYTES.replace(written, otherwise, 1))


def test_a_plan_that_was_sealed_anew_is_another_plan():
    """With a digest of its own an edited plan is read, and has another id and phrase."""
    assert resealed(BYTES.splitlines(keepends=True)[:-1]) == BYTES
    other = parse_plan(with_header(environment="sandbox"))
    assert other.digest != PLAN.digest
    assert other.phrase.startswith("delete 3 sandbox ")


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 5},
        {"number": True},
        {"number": 1.0},
        {"customer_id": ".."},
        {"customer_id": None},
        {"instrument_id": "a/b"},
        {"instrument_id": " i1"},
        {"instrument_id": 5},
        {"instrument_id": "instrument-00", "customer_id": "customer-0"},
        {"par": 5},
        {"expires_on": "2025-6-30"},
        {"expires_on": "20250630"},
        {"fetched_at": "2026-11-22T10:00:00"},
        {"fetched_at": None},
        {"keeper": "../x"},
        {"keeper": "instrument-01"},
        {"more": None},
    ],
)
def test_a_card_that_cannot_be_is_refused_whatever_the_digest(changes):
    """Repeated, misnumbered or unaskable cards, and kept cards that go, make no plan."""
    with pytest.raises(PlanDamaged):
        parse_plan(with_card(1, **changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "other"},
        {"format_version": 1},
        {"format_version": 3},
        {"more": 1},
        {"planner": ""},
        {"planner": "two\nlines"},
        {"note": "\x1b[2J"},
        {"environment": None},
        {"merchant": 5},
        {"as_of": "soon"},
        {"created_at": "2026-11-22"},
        {"rule": None},
        {"rule": {"kind": "condition", "condition": {"any": 1}}},
        {"limits": {}},
        {"limits": PLAN.limits.to_dict() | {"rows": True}},
        {"vault_cards": -1},
        {"vault_customers": True},
        {"bank_totals": [{"bank": "HDFC Bank"}]},
        {"bank_totals": [{"bank": "HDFC Bank", "cards": -1}]},
        {"bank_totals": [{"bank": 5, "cards": 1}]},
        {"bank_totals": [{"bank": None, "cards": 1}, {"bank": None, "cards": 1}]},
        {"left_out": []},
        {"left_out": {"spared": "2"}},
        {"canary": []},
        {"canary": [3]},
        {"canary": [1]},
        {"canary": [1, 1]},
        {"canary": [[1]]},
        {"canary": None},
        {"controls": [{"customer_id": "customer-0", "instrument_id": "x"}]},
        {"controls": [{"customer_id": "c7", "instrument_id": ".."}]},
        {"controls": [{"customer_id": "c7"}]},
        {"controls": [5]},
    ],
)
def test_a_header_that_cannot_be_is_refused_whatever_the_digest(changes):
    """A header with something else in it than a plan has makes no plan."""
    with pytest.raises(PlanDamaged):
        parse_plan(with_header(**changes))


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"\n\n", b"{}\n{}\n", b"[]\n[]\n", b"NaN\n{}\n", b"[" * 9999 + b"\n{}\n"],
)
def test_what_is_no_plan_at_all_is_refused(content):
    """Any other file is an error, not a traceback."""
    with pytest.raises(PlanDamaged):
        parse_plan(content)


def test_missing_header_fields_are_found():
    """Each field of the header has to be there."""
    lines = BYTES.splitlines(keepends=True)[:-1]
    for name in json.loads(lines[0]):
        header = json.loads(lines[0])
        del header[name]
        short = json.dumps(header, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        with pytest.raises(PlanDamaged):
            parse_plan(resealed([short, *lines[1:]]))


def test_a_plan_without_cards_is_none():
    """There is no canary among no cards."""
    with pytest.raises(PlanDamaged):
        make_plan(cards=())


def test_plans_on_disk(tmp_path):
    """A plan is sealed into its campaign's folder, for its owner alone."""
    path = seal_plan(PLAN, tmp_path)
    assert path == tmp_path / "campaigns" / PLAN.id / "plan.json"
    assert path.read_bytes() == BYTES
    assert read_plan(path) == read_plan(path.parent) == PLAN
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert seal_plan(PLAN, tmp_path) == path
    assert [one.name for one in path.parent.iterdir()] == ["plan.json"]


def test_a_plan_is_never_written_over(tmp_path):
    """A file that holds something else stays as it is."""
    path = write_plan(PLAN, tmp_path / "mine.json")
    assert path == tmp_path / "mine.json"
    with pytest.raises(UsageError, match="another plan"):
        write_plan(make_plan(note="other"), path)
    assert read_plan(path) == PLAN


def test_what_cannot_be_read_or_written_is_said(tmp_path):
    """A missing plan, and a folder that is a file, are errors of whoever named them."""
    with pytest.raises(UsageError, match="no plan"):
        read_plan(tmp_path / "none.json")
    with pytest.raises(UsageError, match="no plan"):
        read_plan(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot be written"):
        write_plan(PLAN, tmp_path / "file" / "plan.json")


def test_a_damaged_file_names_itself(tmp_path):
    """The message says which file, and where it is wrong."""
    path = write_plan(PLAN, tmp_path)
    path.chmod(0o600)
    path.write_bytes(BYTES.replace(b'"number":1', b'"number":9'))
    with pytest.raises(PlanDamaged, match=r"^plan.json is not a plan as it was sealed"):
        read_plan(path)
    path.write_bytes(BYTES.replace(b'"number":1', b'"number"91'))
    with pytest.raises(PlanDamaged, match="line 3: it is no JSON"):
        read_plan(path)


def test_a_plan_does_not_change():
    """What a plan holds cannot be exchanged behind its digest."""
    with pytest.raises(AttributeError):
        PLAN.planner = "x"
    with pytest.raises(TypeError):
        PLAN.left_out["spared"] = 0


def test_the_sample_is_spread_and_masked():
    """A sample is cards at even distances with whole ids in the data and masked ones on screens."""
    plan = make_plan(cards=make_cards(40))
    sample = plan.sample(4)
    assert sample["number"].tolist() == [0, 10, 20, 30]
    assert sample["customer_id"].tolist()[0] == "customer-0"
    assert len(plan.sample(100)) == 40
    assert len(plan.sample(0)) == 0
    for shown in (repr(sample), sample._repr_html_()):
        assert "customer-0" not in shown
        assert "instrument-10" not in shown
        assert "2025-06-30" in shown
    with pytest.raises(UsageError):
        plan.sample(-1)


def test_counts_add_up():
    """Cards by a column add up to the plan; expiry is counted by month; missing is a row."""
    cards = make_cards(4)
    cards = (*cards[:3], replace(cards[3], bank=None, expires_on=None))
    totals = (BankTotal("HDFC Bank", 50), BankTotal(None, 1))
    plan = make_plan(cards=cards, rule=rules.networks("visa"), bank_totals=totals)
    banks = plan.counts("bank")
    assert banks["cards"].tolist() == [3, 1]
    assert banks["customers"].tolist() == [2, 1]
    assert banks["share"].tolist() == [0.75, 0.25]
    assert banks["bank"].isna().tolist() == [False, True]
    assert plan.counts("expires_on")["expiry"].fillna("?").tolist() == ["2025-06", "?"]
    with pytest.raises(UsageError, match="no column"):
        plan.counts("nonsense")


def test_the_text_of_a_plan():
    """Shown, a plan says who, what, where, until when, the caps, what to type, and no id."""
    text = str(PLAN)
    assert text.startswith("Delete 3 cards of 2 customers in production (3")
    assert " of the vault): expires before 22 November 2026." in text
    for part in (
        PLAN.phrase,
        "Asha Rao on 2026-11-22 11:00 UTC",
        "2026-11-23 11:00 UTC",
        "2 spared",
        "1,000 cards; 100% of the vault",
        "kept: it is never deleted",
        "HDFC Bank",
    ):
        assert part in text
    for shown in (text, repr(PLAN), repr(PLAN.cards), repr(PLAN.controls)):
        assert "customer-" not in shown
        assert "instrument-0" not in shown
    loud = make_plan(limits=replace(ALL_OPEN, keep_last_usable=False))
    assert "WARNING: A customer's last usable card is NOT kept" in str(loud)
