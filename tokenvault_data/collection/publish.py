"""A finished run becomes a snapshot: the parts compacted, hashed, and visible all at once."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from tokenvault_data.collection.list_judgement import unlike
from tokenvault_data.collection.run import Publication
from tokenvault_data.dataset.snapshot_writer import CollectionFacts, SnapshotWriter
from tokenvault_data.dataset.snapshots import Snapshot, open_snapshot
from tokenvault_data.errors import CollectionError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    import pyarrow as pa

    from tokenvault_data.collection.run import Run, RunState


def publish(store: Path, run: Run, vault: str | None = None) -> Snapshot:
    """Publish what a run has, every requested customer with exactly one outcome.

    The parts go once nothing in them is wanted any more: of a partial snapshot they stay, so that
    its failed customers can be tried again alone. What a killed process has published already is
    not published again. `vault` is what an emulated vault has called itself.

    Raises
    ------
    CollectionError
        No customer could be fetched, or the snapshot could not be written; the parts are kept.
    """
    try:
        snapshot = _published_already(store, run) or _publish(store, run, vault)
    except OSError as error:
        raise CollectionError(
            f"the snapshot could not be written ({error.strerror or error}); nothing was published"
            f" and all {run.facts.requested:,} customers are kept in run {run.run_id}."
            " Make room or check the disk, then run the same command again"
        ) from error
    if snapshot.complete:
        run.drop_parts()
    with suppress(OSError):  # unfinished, the run leads to the same snapshot again
        run.finish()
    return snapshot


def _published_already(store: Path, run: Run) -> Snapshot | None:
    for publication in reversed(run.publications):
        if publication.complete or publication.last_part == max(run.part_numbers(), default=0):
            return open_snapshot(store, publication.snapshot_id)
    return None


def _publish(store: Path, run: Run, vault: str | None) -> Snapshot:
    standing = run.standing()
    if standing.failed.all():
        run.finish()
        raise CollectionError(
            f"none of the {run.facts.requested:,} customers could be fetched"
            f" ({_causes(run, standing)}); no snapshot was published."
            f" When that is mended, try them again with --resume {run.run_id}"
        )
    finished_at = run.started_at
    customers = run.customers()
    odd = unlike(customers, np.ones(len(customers), np.bool_))
    with_cards = np.zeros(len(customers), np.bool_)
    with SnapshotWriter(store) as writer:
        for number in run.part_numbers():
            outcomes = _latest_outcomes(run, standing, number)
            finished_at = max(finished_at, _last_instant(outcomes))
            with_cards[_with_cards(outcomes)] = True
            writer.add(run.read_instruments(number), outcomes)
        complete = not standing.failed.any()
        run.note_publishing(Publication(writer.id, standing.last_part, complete))
        facts = CollectionFacts(
            requested=run.facts.requested,
            environment=run.facts.environment,
            api_version=run.facts.api_version,
            started_at=run.started_at,
            finished_at=finished_at,
            merchant=run.facts.merchant,
            notices=(
                *run.facts.list_notices,
                *_of_the_odd(int(odd.sum()), int((odd & with_cards).sum())),
            ),
            vault=vault,
        )
        return writer.publish(facts)


def _latest_outcomes(run: Run, standing: RunState, number: int) -> pa.Table:
    """The outcomes of one part that no later part has replaced."""
    outcomes = run.read_outcomes(number)
    positions = outcomes.column("position").to_numpy()
    return outcomes.filter(standing.part_of[positions] == number)


def _with_cards(outcomes: pa.Table) -> npt.NDArray[np.int64]:
    """Return the positions of customers who have cards."""
    has_cards = outcomes.column("instruments").to_numpy() > 0
    positions: npt.NDArray[np.int64] = outcomes.column("position").to_numpy()[has_cards]
    return positions


def _of_the_odd(count: int, with_cards: int) -> tuple[str, ...]:
    if not count or with_cards:
        return ()
    ids = "1 id that looks" if count == 1 else f"{count:,} ids that look"
    whose = "its customer has" if count == 1 else "none of their customers has"
    no_card = "no card" if count == 1 else "a card"
    return (f"The list holds {ids} unlike the others, and {whose} {no_card}: check the list.",)


def _last_instant(outcomes: pa.Table) -> datetime:
    import pyarrow.compute as pc

    return pc.max(outcomes.column("finished_at")).as_py() or datetime.min.replace(tzinfo=UTC)


def _causes(run: Run, standing: RunState) -> str:
    """Count the causes of all failures, most frequent first."""
    causes: Counter[str] = Counter()
    for number in run.part_numbers():
        causes.update(_latest_outcomes(run, standing, number).column("cause").to_pylist())
    return ", ".join(f"{customers:,} {cause}" for cause, customers in causes.most_common())
