"""Hold lists: customers and cards that no cleanup deletes, such as disputes, mandates, legal holds.

A list is a text file of customer ids, one a line; a CSV or Parquet file with the column
``customer_id`` holds customers, and with ``instrument_id`` beside it single cards, or the whole
customer where that cell is empty. Lists are in force from four places: the system's folder, the
folder ``holds`` of the store, ``hold-*`` in the folder of a campaign, and files that are named.

Nothing of a list is skipped: a list of which one line cannot be read stops everything, because a
card that its author wanted to keep would be deleted otherwise. Names that begin with a dot, and
others that systems and editors use for themselves, are ignored; see `folders`.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.cleanup.selection.cards import HoldUsed
from tokenvault_data.collection.customer_files import columns_of, rows_of_stream
from tokenvault_data.collection.customer_rows import MISFIT, RejectedRow, is_list_heading
from tokenvault_data.collection.list_judgement import plain_cells
from tokenvault_data.dataset.formula_guard import GUARD
from tokenvault_data.dataset.snapshots import SNAPSHOTS_FOLDER
from tokenvault_data.errors import CustomerListError, RefusedByGuardRail, UsageError
from tokenvault_data.folders import entries, is_clutter
from tokenvault_data.identifiers import RefusedId, judge_id
from tokenvault_data.local_paths import local_path
from tokenvault_data.private_files import write_private_file
from tokenvault_data.text import counted

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from tokenvault_data.dataset.snapshots import Snapshot

SYSTEM_HOLDS: Final = Path("/etc/tokenvault-data/holds")
"""Lists that are in force on the whole machine, whatever the store."""

HOLDS_FOLDER: Final = "holds"
CAMPAIGN_PREFIX: Final = "hold-"
"""How the name of a list begins that a campaign's folder has a copy of."""

_COLUMNS: Final = frozenset({"customer_id", "instrument_id"})


@dataclass(frozen=True, slots=True)
class HoldList:
    """One list, as it was read.

    Attributes
    ----------
    path : Path
    used : HoldUsed
        What a plan says of it.
    of_campaign : bool
        Whether it is a campaign's own copy, which never changes.
    content : bytes
        The file.
    customers : frozenset of str
        Customers of whom nothing is deleted.
    cards : frozenset of (str, str)
        Customer and instrument ids of single cards.
    not_read : tuple of str
        Columns of the file that say nothing about who is on hold.
    """

    path: Path
    used: HoldUsed
    of_campaign: bool
    content: bytes = field(repr=False)
    customers: frozenset[str] = field(repr=False)
    cards: frozenset[tuple[str, str]] = field(repr=False)
    not_read: tuple[str, ...] = ()

    def entries_not_in(self, snapshot: Snapshot) -> int:
        """Count the entries about customers or cards that a snapshot does not know."""
        customers, cards = set(self.customers), set(self.cards)
        if cards:
            for batch in snapshot.iter_batches(["customer_id", "instrument_id"]):
                cards.difference_update(zip(*(c.to_pylist() for c in batch.columns), strict=True))
        for batch in snapshot.outcomes().to_batches(columns=["customer_id"]) if customers else ():
            customers.difference_update(batch.column(0).to_pylist())
        return len(customers) + len(cards)


class Holds:
    """The lists that are in force, as `load_holds` found them.

    Attributes
    ----------
    lists : tuple of HoldList
    customers : frozenset of str
        Customers on any of them.
    cards : frozenset of (str, str)
        Single cards on any of them.
    """

    def __init__(
        self,
        lists: Iterable[HoldList] = (),
        places: Iterable[Path] = (),
        seen: tuple[object, ...] = (),
    ) -> None:
        self.lists = tuple(lists)
        self.customers = frozenset(chain.from_iterable(one.customers for one in self.lists))
        self.cards = frozenset(chain.from_iterable(one.cards for one in self.lists))
        self._places = tuple(places)
        self._seen = seen

    @property
    def used(self) -> tuple[HoldUsed, ...]:
        """What a plan says of the lists, in the order of their names."""
        return tuple(
            sorted((one.used for one in self.lists), key=lambda one: (one.name, one.sha256))
        )

    def covers(self, customer_id: str, instrument_id: str) -> bool:
        """Say whether a card must not be deleted."""
        return customer_id in self.customers or (customer_id, instrument_id) in self.cards

    def changed(self) -> bool:
        """Say whether a list was added, removed or altered since; looks at no content."""
        try:
            return _signature(self._places) != self._seen
        except OSError:
            return True


def load_holds(
    store: str | os.PathLike[str] | None,
    *,
    folder: Path | None = None,
    files: Iterable[str | os.PathLike[str]] = (),
    system: Path = SYSTEM_HOLDS,
) -> Holds:
    """Read every list that is in force.

    Parameters
    ----------
    store : path or None
        Its folder ``holds`` is read; None where there is no store.
    folder : Path, optional
        Of a campaign, whose copies ``hold-*`` are read.
    files : iterable of path
        Further lists.
    system : Path
        The system's folder.

    Raises
    ------
    UsageError
        A list cannot be read, contains an invalid id, or is empty.
    """
    named = tuple(local_path(one) for one in files)
    folders = [system] + ([] if store is None else [local_path(store) / HOLDS_FOLDER])
    places = (*folders, *([] if folder is None else [folder / f"{CAMPAIGN_PREFIX}*"]), *named)
    try:
        seen = _signature(places)
        lists = [read_hold(path) for one in folders for path in _lists_in(one)]
        if folder is not None:
            lists += [read_hold(path, of_campaign=True) for path in _copies_in(folder)]
    except OSError as error:
        raise UsageError(
            f"The hold lists in {error.filename} cannot be read ({error.strerror}); nothing was "
            "done; give this user the right to read them."
        ) from None
    lists += [read_hold(path) for path in named]
    return Holds(lists, places, seen)


def holds_beside(snapshot: Snapshot) -> Holds:
    """Read the lists that are in force for the store of a snapshot, and for the machine."""
    is_in_store = snapshot.path.parent.name == SNAPSHOTS_FOLDER
    return load_holds(snapshot.path.parent.parent if is_in_store else None)


def read_hold(path: Path, *, of_campaign: bool = False) -> HoldList:
    """Read one list.

    Raises
    ------
    UsageError
        It cannot be read, contains an invalid id, or is empty; the message names the file
        and the first lines.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(
            f"There is no hold list {path}; nothing was done; name a file that is there."
        ) from None
    except OSError as error:
        raise _unusable(path, f"it cannot be read ({error.strerror})") from None
    name = path.name.removeprefix(CAMPAIGN_PREFIX) if of_campaign else path.name
    if not name.isprintable():
        raise _unusable(path, "its name holds a sign that cannot be shown")
    if not content.strip():
        raise _unusable(path, "it is empty")
    try:
        customers, cards, not_read = _entries(path, content)
    except CustomerListError as error:
        raise _unusable(path, str(error).partition(": ")[2].rstrip(".") or str(error)) from None
    if not customers and not cards:
        raise _unusable(path, "it is empty")
    entries = len(customers) + len(cards)
    used = HoldUsed(name, hashlib.sha256(content).hexdigest(), entries)
    return HoldList(
        path, used, of_campaign, content, frozenset(customers), frozenset(cards), not_read
    )


def missing(in_force: Iterable[HoldUsed], holds: Holds) -> list[str]:
    """Return the names of lists that were in force when a plan was made, and are not any more.

    A list that has changed since is in force as it is now; the copy that a campaign keeps has to
    be the same.
    """
    left = list(holds.lists)
    unmatched = []
    for one in in_force:  # those that are as they were first, so that no other takes their place
        same = next((here for here in left if here.used.sha256 == one.sha256), None)
        if same is None:
            unmatched.append(one)
        else:
            left.remove(same)
    gone = []
    for one in unmatched:
        now = next((h for h in left if h.used.name == one.name and not h.of_campaign), None)
        if now is None:
            gone.append(one.name)
        else:
            left.remove(now)
    return gone


def keep_copies(files: Iterable[str | os.PathLike[str]], folder: Path) -> list[Path]:
    """Copy lists that were named into the folder of a campaign, so that applying it sees them.

    Raises
    ------
    UsageError
        Two have one name, one cannot be read, or the copy cannot be written.
    """
    lists = [read_hold(local_path(one)) for one in files]
    twice = [name for name, count in Counter(one.path.name for one in lists).items() if count > 1]
    if twice:
        raise UsageError(
            f"Two hold lists are called {twice[0]}; nothing was planned; give one another name."
        )
    return [
        _written(one, folder / f"{CAMPAIGN_PREFIX}{one.path.name}", replace=False) for one in lists
    ]


def keep_given(files: Iterable[str | os.PathLike[str]], folder: Path) -> None:
    """Keep lists that were named when a plan was applied, for all that is still to come of it.

    Each has its digest in its name: of a list that has changed since, both are in force.

    Raises
    ------
    UsageError
        One cannot be read, or the copy cannot be written.
    """
    for one in map(read_hold, map(Path, files)):
        name = f"{CAMPAIGN_PREFIX}{one.used.sha256[:8]}-{one.path.name}"
        _written(one, folder / name, replace=False)


def add_hold(path: Path, store: str | os.PathLike[str], *, replace: bool = False) -> HoldList:
    """Check a list, and put it into the store, where it is in force from now on.

    Parameters
    ----------
    path : Path
    store : path
    replace : bool
        Whether a list of that name gives way.

    Returns
    -------
    HoldList
        As it is in the store.

    Raises
    ------
    UsageError
        It cannot be read or written.
    RefusedByGuardRail
        Another list of that name is there.
    """
    one = read_hold(path)
    if is_clutter(path.name):
        raise _unusable(path, "its name is one that is ignored, as those that start with a dot")
    return read_hold(_written(one, local_path(store) / HOLDS_FOLDER / path.name, replace=replace))


def _written(one: HoldList, place: Path, *, replace: bool) -> Path:
    try:
        write_private_file(place, one.content, replace=replace)
    except FileExistsError:
        if place.read_bytes() != one.content:
            raise RefusedByGuardRail(
                f"{place} is another list of that name; nothing was written; give yours another "
                "name, or replace that one with --replace."
            ) from None
    except OSError as error:
        raise UsageError(
            f"The hold list cannot be written to {place} ({error.strerror}); nothing was done; "
            "check the folder and the disk."
        ) from error
    return place


def _lists_in(folder: Path) -> list[Path]:
    return entries(folder)


def _copies_in(folder: Path) -> list[Path]:
    return [path for path in _lists_in(folder) if path.name.startswith(CAMPAIGN_PREFIX)]


def _signature(places: Iterable[Path]) -> tuple[object, ...]:
    found: list[object] = []
    for place in places:
        if place.name == f"{CAMPAIGN_PREFIX}*":
            paths = _copies_in(place.parent)
        elif place.is_dir():
            paths = _lists_in(place)
        else:
            paths = [place] if place.exists() else []
        for path in paths:
            status = path.stat()
            found.append((str(path), status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(found)


def _entries(path: Path, content: bytes) -> tuple[set[str], set[tuple[str, str]], tuple[str, ...]]:
    columns = [name.strip() for name in columns_of(io.BytesIO(content), path.name)]
    names = {name.lower() for name in columns}
    not_read = tuple(name for name in columns if name.lower() not in _COLUMNS)
    if names and "customer_id" not in names:
        raise _unusable(path, "its first line names no column customer_id")
    customer_ids, word, first = _column(path, content, "customer_id" if names else None)
    cards: list[Any] = [""] * len(customer_ids)
    if "instrument_id" in names:
        cards, word, first = _column(path, content, "instrument_id")
    customers: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    wrong: list[int] = []
    reason = ""
    for number, pair in enumerate(zip(customer_ids, cards, strict=True), start=first):
        customer, card = ("" if _is_blank(value) else judge_id(value) for value in pair)
        if customer == card == "":
            continue  # an empty line
        refused = next((one for one in (customer, card) if isinstance(one, RefusedId)), None)
        if refused is not None or not customer:
            wrong.append(number)
            reason = reason or _reason(pair, refused)
        elif card:
            pairs.update(product(_readings(str(customer)), _readings(str(card))))
        else:
            customers.update(_readings(str(customer)))
    if wrong:
        others = f"; so with {counted(len(wrong) - 1, f'other {word}')}" * (len(wrong) > 1)
        raise _unusable(path, f"{word} {wrong[0]} {reason}{others}")
    return customers, pairs, not_read


def _readings(text: str) -> tuple[str, ...]:
    """Return the ids that a text may mean: one too many on hold is better than one too few.

    An apostrophe at the beginning is a part of the id, or one that an export put before it.
    """
    bare = text.removeprefix(GUARD)
    return (text,) if bare == text or isinstance(judge_id(bare), RefusedId) else (bare, text)


def _reason(pair: tuple[object, object], refused: RefusedId | None) -> str:
    if any(isinstance(value, RejectedRow) for value in pair):
        return MISFIT.replace("row with", "has")
    return "names no customer" if refused is None else refused.explanation


def _column(path: Path, content: bytes, column: str | None) -> tuple[list[Any], str, int]:
    """Return the cells of a column, of a plain list its lines; what rows are called; the first."""
    with rows_of_stream(io.BytesIO(content), path.name, column) as rows:
        values = list(_values(rows.chunks))
        first = next((str(value).strip() for value in values if not _is_blank(value)), "")
        heading = first if rows.heading is None else rows.heading.strip()
        if column is None and heading.lower() == "instrument_id":
            raise _unusable(path, "it holds instrument ids without their customers")
        # Of a file of one column a heading that is not known might be an id, and would be lost.
        is_table = rows.row_word == "row" and re.search("[0-9@]", heading) is None
        if column is None and is_table and not is_list_heading(heading):
            raise _unusable(
                path, "its first line may be an id or a heading; put customer_id above the ids"
            )
        return plain_cells(values, rows.guards) or values, rows.row_word, rows.first_row


def _values(chunks: Iterator[Any]) -> Iterator[Any]:
    for chunk in chunks:
        yield from chunk if isinstance(chunk, list) else chunk.to_pylist()


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _unusable(path: Path, problem: str) -> UsageError:
    return UsageError(
        f"The hold list {path} cannot be used: {problem}; nothing was done; correct the list, or"
        " remove it if it is no longer needed."
    )
