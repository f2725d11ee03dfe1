"""What a store holds of an account that is not over: to go on with, or under way elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tokenvault_data.collection.customer_list import CustomerList
from tokenvault_data.collection.run_progress import Onlooker, unfinished_runs
from tokenvault_data.errors import CollectionError

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.collection.run_progress import Glance
    from tokenvault_data.config.loading import Profile


class PendingRun(NamedTuple):
    """An unfinished run, as it was seen last.

    Attributes
    ----------
    onlooker : Onlooker
    glance : Glance
    """

    onlooker: Onlooker
    glance: Glance

    def look_again(self) -> PendingRun:
        """See how far it is by now. Raises `CollectionError` when its folder was damaged."""
        return PendingRun(self.onlooker, self.onlooker.look())

    def is_of(self, customers: CustomerList | None) -> bool:
        """Whether it collects this list."""
        facts = self.onlooker.run.facts
        return customers is not None and facts.customers_digest == customers.digest

    @property
    def before(self) -> tuple[int, int]:
        """Cards and failures it has so far, which a session that goes on adds to."""
        return self.glance.cards, self.glance.failed

    def customers(self) -> CustomerList:
        """The list it collects. Raises `CollectionError` when its folder was damaged."""
        return CustomerList(
            self.onlooker.run.customers(), source=f"the list of run {self.glance.run_id}"
        )


def find_pending(
    store: Path, profile: Profile, customers: CustomerList | None
) -> PendingRun | None:
    """Find the run that matters most to whoever has this list.

    One that somebody works on comes first, then one of the same list, then the newest.
    """
    found: list[PendingRun] = []
    for run in unfinished_runs(store, profile):
        matters = not found or run.is_worked_on()
        if not matters and not _is_of(run.facts.customers_digest, customers):
            continue
        onlooker = Onlooker(run)
        try:
            pending = PendingRun(onlooker, onlooker.look())
        except CollectionError:  # going on with it by name says what is wrong
            continue
        if pending.glance.is_worked_on:
            return pending
        found.append(pending)
    same = (pending for pending in found if pending.is_of(customers))
    return next(same, found[0] if found else None)


def _is_of(digest: str, customers: CustomerList | None) -> bool:
    return customers is not None and customers.digest == digest
