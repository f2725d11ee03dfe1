"""Hold lists: read whole or not at all, never overlooked, and never lost between plan and apply."""

import gzip
import hashlib
import os
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cleanup_plans import make_plan
from cleanup_vaults import ALL_OPEN, DAY, NOW, expired_vault, publish_vault, raw_card

from tokenvault_data.cleanup.plan.planning import plan_cleanup
from tokenvault_data.cleanup.plan.simulation import simulate_cleanup
from tokenvault_data.cleanup.selection import exclusions, rules
from tokenvault_data.cleanup.selection.cards import HoldUsed
from tokenvault_data.cleanup.selection.holds import (
    Holds,
    add_hold,
    holds_beside,
    keep_copies,
    load_holds,
    missing,
    read_hold,
)
from tokenvault_data.errors import RefusedByGuardRail, UsageError

EXPIRED = rules.expired(DAY)
PAIRS = b"customer_id,instrument_id\nc1,i1\nc2,\n"


def written(folder, name, content=b"c1\n"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def load(store, **given):
    """The lists in force, on a machine that has none of its own."""
    return load_holds(store, **{"system": store / "none"} | given)


@pytest.mark.parametrize(
    ("name", "content", "customers", "cards"),
    [
        ("list.txt", b"c1\n\n c2 \n", {"c1", "c2"}, set()),
        ("list.txt", b"customer_id\nc1\n", {"c1"}, set()),
        ("list", b"c1\nc1\n", {"c1"}, set()),
        ("list.csv", b"customer_id\nc1\n", {"c1"}, set()),
        ("list.csv", b"c1\nc2\n", {"c1", "c2"}, set()),
        ("list.csv", PAIRS, {"c2"}, {("c1", "i1")}),
        ("list.csv", PAIRS.replace(b",", b";"), {"c2"}, {("c1", "i1")}),
        ("list.csv", PAIRS.decode().encode("utf-16"), {"c2"}, {("c1", "i1")}),
        ("list.csv", b"Customer_ID,reason\nc1,dispute\n", {"c1"}, set()),
        ("list.csv", b"instrument_id,note,customer_id\ni1,x,c1\n", set(), {("c1", "i1")}),
        ("list.csv.gz", gzip.compress(PAIRS, mtime=0), {"c2"}, {("c1", "i1")}),
    ],
)
def test_lists_of_all_kinds(tmp_path, name, content, customers, cards):
    """Text, CSV, gzip: customers, single cards, and the whole customer where none is named."""
    found = read_hold(written(tmp_path, name, content))
    assert (found.customers, found.cards) == (customers, cards)
    digest = hashlib.sha256(content).hexdigest()
    assert found.used == HoldUsed(name, digest, len(customers) + len(cards))


def test_parquet(tmp_path):
    """A table of customers, and one of cards, in which null stands for the whole customer."""
    path = tmp_path / "list.parquet"
    pq.write_table(pa.table({"x": [1, 2], "customer_id": ["c1", "c2"]}), path)
    assert read_hold(path).customers == {"c1", "c2"}
    pq.write_table(pa.table({"customer_id": ["c1", "c2"], "instrument_id": ["i1", None]}), path)
    found = read_hold(path)
    assert (found.customers, found.cards) == ({"c2"}, {("c1", "i1")})


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("list.txt", b"", "it is empty"),
        ("list.txt", b"\n\n", "it is empty"),
        ("list.csv", b"customer_id,instrument_id\n", "it is empty"),
        ("list.txt", b"c1\n../x\n", "line 2 holds '/'"),
        ("list.txt", b"c1\nNaN\nc 2\n", "line 2 .*; so with 1 other line;"),
        ("list.txt", b"c1 # dispute\n", "line 1 has white space"),
        ("list.txt", "c1\nsé\n".encode(), "line 2 .* not ASCII"),
        ("list.csv", b"c1,i1\n", "its first line names no column customer_id"),
        ("list.csv", b"instrument_id\ni1\n", "instrument ids without their customers"),
        ("list.csv", b" \n", "it is empty"),
        ("list.csv", b"alice\nbob\n", "its first line may be an id or a heading"),
        ("list.txt", b"instrument_id\ni1\n", "instrument ids without their customers"),
        ("list.csv", b"customer_id,instrument_id\n,i1\n", "row 2 names no customer"),
        ("list.csv", b"customer_id,instrument_id\nc1,i1,x\n", "row 2 has more or fewer fields"),
        ("list.csv", b"customer_id,instrument_id\nc1,1.2E+11\n", "row 2 "),
        ("list.csv", b'customer_id,instrument_id\nc1,"i1\n', "line 2"),
        ("list.txt", b"[1]", "JSON"),
        ("list.txt", b"\0\0", "zero bytes"),
        ("list.parquet", b"PAR1 and no more", "Parquet"),
        ("list.gz", b"\x1f\x8b\x08", "cut off or damaged"),
        ("list\x07.txt", b"c1\n", "a sign that cannot be shown"),
    ],
)
def test_a_list_that_cannot_be_read_whole_is_refused(tmp_path, name, content, problem):
    """One sentence that names the file and the first bad line, and quotes nobody."""
    path = written(tmp_path / "holds", name, content)
    with pytest.raises(UsageError, match=problem) as error:
        load(tmp_path)
    if name.isprintable():
        assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert "bob" not in str(error.value)


def test_numbers_are_no_ids(tmp_path):
    """A column that was read as numbers has lost what its ids were."""
    pq.write_table(pa.table({"customer_id": [1, 2]}), tmp_path / "list.parquet")
    with pytest.raises(UsageError, match="cannot be used"):
        read_hold(tmp_path / "list.parquet")


def test_a_folder_among_the_lists_is_refused(tmp_path):
    """What lies among the lists and is none is said, not skipped."""
    (tmp_path / "holds" / "old").mkdir(parents=True)
    with pytest.raises(UsageError, match="old cannot be used"):
        load(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_list_that_may_not_be_read_is_refused(tmp_path):
    """Without the right to read it, nothing is deleted."""
    written(tmp_path / "holds", "list.txt").chmod(0)
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path)


def test_all_four_places_are_in_force_together(tmp_path):
    """The machine's, the store's, the campaign's and the named ones; of no other campaign."""
    written(tmp_path / "system", "legal.txt", b"c1\n")
    written(tmp_path / "holds", "disputes.csv", b"customer_id,instrument_id\nc2,i2\n")
    written(tmp_path / "holds", ".disputes.csv.swp", b"\0")
    folder = tmp_path / "campaigns" / "a"
    written(folder, "hold-mine.txt", b"c3\n")
    written(folder, "plan.json", b"{}")
    written(tmp_path / "campaigns" / "b", "hold-other.txt", b"c9\n")
    named = written(tmp_path, "named.txt", b"c4\n")
    holds = load(tmp_path, folder=folder, files=[named], system=tmp_path / "system")
    assert [one.name for one in holds.used] == [
        *("disputes.csv", "legal.txt", "mine.txt", "named.txt")
    ]
    for customer, card, is_held in (
        *(("c1", "x", True), ("c2", "i2", True), ("c2", "i3", False)),
        *(("c3", "x", True), ("c4", "x", True), ("c9", "x", False)),
    ):
        assert holds.covers(customer, card) == is_held


def test_nothing_in_force_holds_nothing(tmp_path):
    """No store, no folder, no list."""
    holds = load(tmp_path)
    assert (holds.used, holds.covers("c", "i"), holds.changed()) == ((), False, False)
    assert not Holds().covers("c", "i")
    assert load_holds(None, system=tmp_path / "none").used == ()


def test_changes_are_noticed(tmp_path):
    """A list that comes, goes, or gets another content, wherever it is."""
    one = written(tmp_path / "holds", "one.txt")
    named = written(tmp_path, "named.txt")
    folder = tmp_path / "campaigns" / "a"
    holds = load(tmp_path, folder=folder, files=[named])
    assert not holds.changed()
    written(tmp_path / "holds", ".temporary")
    written(folder, "journal.sqlite")
    assert not holds.changed()
    changes = (
        lambda: written(tmp_path / "holds", "two.txt"),
        lambda: written(folder, "hold-mine.txt"),
        lambda: one.write_bytes(b"c1\nc2\n"),
        named.unlink,
        one.unlink,
    )
    for change in changes:
        holds = load(tmp_path, folder=folder, files=[named] if named.exists() else [])
        assert not holds.changed()
        change()
        assert holds.changed()


def plan_of(holds):
    return make_plan(holds=holds.used)


def test_a_list_that_is_missing_at_apply_is_named(tmp_path):
    """Taken away: missing. Changed in its folder: in force as it is now. Moved: found again."""
    path = written(tmp_path / "holds", "one.txt")
    plan = plan_of(load(tmp_path))
    assert missing(plan.holds, load(tmp_path)) == []
    path.write_bytes(b"c1\nc2\n")
    assert missing(plan.holds, load(tmp_path)) == []
    path.write_bytes(b"c1\n")
    path.rename(path.with_name("renamed.txt"))
    assert missing(plan.holds, load(tmp_path)) == []
    (tmp_path / "holds" / "renamed.txt").unlink()
    assert missing(plan.holds, load(tmp_path)) == ["one.txt"]
    written(tmp_path / "holds", "other.txt", b"c7\n")
    assert missing(plan.holds, load(tmp_path)) == ["one.txt"]


def test_one_list_does_not_stand_for_two(tmp_path):
    """Two lists of one name, the machine's and the store's: both have to be there."""
    written(tmp_path / "system", "legal.txt", b"c1\n")
    mine = written(tmp_path / "holds", "legal.txt", b"c2\n")
    system = {"system": tmp_path / "system"}
    plan = plan_of(load(tmp_path, **system))
    mine.write_bytes(b"c3\n")
    assert missing(plan.holds, load(tmp_path, **system)) == []
    mine.unlink()
    assert missing(plan.holds, load(tmp_path, **system)) == ["legal.txt"]


def test_a_campaigns_copy_has_to_stay_as_it_was(tmp_path):
    """A named list is copied to the campaign; that copy is the plan's, and is not edited."""
    named = written(tmp_path / "from", "mine.csv", PAIRS)
    plan = plan_of(load(tmp_path, files=[named]))
    folder = tmp_path / "campaigns" / plan.id
    (copy,) = keep_copies([named], folder)
    assert keep_copies([named], folder) == [copy]
    assert copy == folder / "hold-mine.csv"
    named.unlink()
    assert missing(plan.holds, load(tmp_path, folder=folder)) == []
    copy.chmod(0o600)
    copy.write_bytes(b"c9\n")
    assert missing(plan.holds, load(tmp_path, folder=folder)) == ["mine.csv"]
    copy.unlink()
    assert missing(plan.holds, load(tmp_path, folder=folder)) == ["mine.csv"]


def test_two_named_lists_have_two_names(tmp_path):
    """One copy would take the place of the other."""
    one, two = written(tmp_path / "a", "list.txt"), written(tmp_path / "b", "list.txt", b"c2\n")
    with pytest.raises(UsageError, match=r"Two hold lists are called list\.txt"):
        keep_copies([one, two], tmp_path / "campaign")
    assert not (tmp_path / "campaign").exists()


def test_a_list_is_put_into_the_store_once_it_was_read(tmp_path):
    """Checked first; another of its name is kept unless it is to be replaced."""
    store, path = tmp_path / "store", written(tmp_path, "list.txt")
    added = add_hold(path, store)
    assert added.path == store / "holds" / "list.txt"
    assert add_hold(path, store).used == added.used
    path.write_bytes(b"c1\nc2\n")
    with pytest.raises(RefusedByGuardRail, match="--replace"):
        add_hold(path, store)
    assert load(store).customers == {"c1"}
    assert add_hold(path, store, replace=True).used.entries == 2
    assert load(store).customers == {"c1", "c2"}
    path.write_bytes(b"..\n")
    for wrong in (path, written(tmp_path, ".hidden"), tmp_path / "none.txt"):
        with pytest.raises(UsageError):
            add_hold(wrong, store, replace=True)
    assert load(store).customers == {"c1", "c2"}


def planned(snapshot, rule=EXPIRED, **given):
    return plan_cleanup(snapshot, rule, limits=ALL_OPEN, planner="Asha", now=NOW, **given)


def test_cards_on_hold_are_not_planned_and_counted(tmp_path):
    """Held by customer or by card, they are left out, and the plan names the list."""
    snapshot = publish_vault(tmp_path, expired_vault(4))
    path = written(
        tmp_path, "x.csv", b"customer_id,instrument_id\ncust_0000,\ncust_0001,old-0001\n"
    )
    holds = load(tmp_path, files=[path])
    made = planned(snapshot, holds=holds)
    assert {card.customer_id for card in made.cards} == {"cust_0002", "cust_0003"}
    assert made.left_out == {exclusions.HELD: 2}
    assert made.holds == holds.used
    found = simulate_cleanup(snapshot, EXPIRED, ALL_OPEN, now=NOW, holds=holds)
    assert (found.cards, dict(found.left_out)) == (2, {exclusions.HELD: 2})
    assert any("Left out: 2 on hold." in text for text in found.findings)
    every = replace(holds.lists[0], customers=frozenset(f"cust_{n:04d}" for n in range(4)))
    with pytest.raises(UsageError, match="4 on hold"):
        planned(snapshot, holds=Holds([every]))


def test_a_held_card_counts_as_kept(tmp_path):
    """A card that stays because it is on hold is the one its customer can pay with."""
    cards = [raw_card("a", network="rupay"), raw_card("b", "2030-01", network="rupay")]
    snapshot = publish_vault(tmp_path, {"c1": cards, "c2": [raw_card("x")]})
    rupay = rules.networks("rupay")
    alone = planned(snapshot, rupay)
    assert [card.instrument_id for card in alone.cards] == ["a"]
    assert alone.left_out == {exclusions.SPARED: 1}
    path = written(tmp_path, "x.csv", b"customer_id,instrument_id\nc1,a\n")
    held = planned(snapshot, rupay, holds=load(tmp_path, files=[path]))
    assert [card.instrument_id for card in held.cards] == ["b"]
    assert held.left_out == {exclusions.HELD: 1}


def test_a_held_duplicate_stays_and_can_be_the_one_to_keep(tmp_path):
    """Of three cards of one account the newest is kept, the held one stays, the third goes."""
    cards = [
        raw_card("old", "2027-01", par="P"),
        raw_card("mid", "2028-01", par="P"),
        raw_card("new", "2029-01", par="P"),
    ]
    snapshot = publish_vault(tmp_path, {"c1": cards, "c2": [raw_card("x")]})
    for card, goes in (("mid", ["old"]), ("new", ["mid", "old"])):
        path = written(tmp_path, "x.csv", f"customer_id,instrument_id\nc1,{card}\n".encode())
        made = planned(snapshot, rules.duplicates(), holds=load(tmp_path, files=[path]))
        assert [card.instrument_id for card in made.cards] == goes
        assert {card.keeper for card in made.cards} == {"new"}


def test_python_does_not_forget_the_lists_of_the_store(tmp_path):
    """A plan made without a word about holds leaves out what the snapshot's store holds."""
    snapshot = publish_vault(tmp_path, expired_vault(4))
    written(tmp_path / "holds", "legal.txt", b"cust_0003\n")
    assert holds_beside(snapshot).customers >= {"cust_0003"}
    made = planned(snapshot)
    assert len(made.cards) == 3
    assert [one.name for one in made.holds] == ["legal.txt"]
    assert simulate_cleanup(snapshot, EXPIRED, ALL_OPEN, now=NOW).cards == 3


def test_an_id_behind_an_apostrophe_is_on_hold_in_both_readings(tmp_path):
    """One too many on hold is better than one too few; our own file has one reading."""
    path = tmp_path / "held.txt"
    path.write_text("customer_id\n'+919876\ncust_1\n")
    assert read_hold(path).customers == {"+919876", "'+919876", "cust_1"}
    path = tmp_path / "ours.csv"
    path.write_text('"customer_id","cards_expiring"\n"\'+919876",1\n"cust_1",1\n')
    assert read_hold(path).customers == {"+919876", "cust_1"}
    assert read_hold(path).used.entries == 2


@pytest.mark.parametrize("name", ["Thumbs.db", "~$disputes.xlsx", "._disputes.csv", "x.csv~"])
def test_files_of_other_programs_are_no_hold_lists(tmp_path, name):
    """What a file manager leaves in the folder of lists stops nothing."""
    folder = tmp_path / "holds"
    folder.mkdir()
    (folder / name).write_bytes(b"\0\5\x16\7")
    (folder / "disputes.csv").write_text("customer_id\ncust_1\n")
    assert load_holds(tmp_path, system=tmp_path / "none").customers == {"cust_1"}
