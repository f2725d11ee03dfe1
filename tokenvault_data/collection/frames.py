"""Cards as DataFrames, a batch of customers at a time, with nothing kept on disk."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from tokenvault_data.arguments import check_client
from tokenvault_data.collection.customer_list import CustomerList, read_customers
from tokenvault_data.collection.fan_out import (
    CONCURRENCY,
    PATIENCE_SECONDS,
    Customer,
    Failed,
    FanOut,
    Fetched,
    check_settings,
)
from tokenvault_data.collection.recorder import UNSAVED_CUSTOMERS, received_bodies
from tokenvault_data.dataset.derived_dimensions import with_derived
from tokenvault_data.dataset.flattening.flatten import flatten
from tokenvault_data.dataset.frames import to_frame
from tokenvault_data.dataset.today import today_in_india
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.client.client import AsyncVault

BATCH_CUSTOMERS = 500


def iter_frames(
    vault: Vault,
    customers: object,
    *,
    column: str | None = None,
    batch_customers: int = BATCH_CUSTOMERS,
    concurrency: int = CONCURRENCY,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Iterator[pd.DataFrame]:
    """Fetch customers' cards and give a DataFrame for every batch of customers.

    Parameters
    ----------
    vault : Vault
    customers
        Customer ids, as for `read_customers`.
    column : str, optional
        Where the ids are, in a file of several columns.
    batch_customers : int, optional
        Customers a frame, 1 to 2,000; a customer's cards are never split.
    concurrency : int, optional
        Calls under way at once, 1 to 512.
    patience_seconds : float, optional
        How long an outage of the vault is waited out.

    Returns
    -------
    iterator of pandas.DataFrame
        One row for every card, columns and types as of `Snapshot.to_pandas`, in the order of the
        list. Customers that could not be fetched are in ``frame.attrs["failed"]``, a
        dict from customer id to what happened; they have no rows.

    Raises
    ------
    CustomerListError, UsageError
        The list or a setting cannot be used as given; no request was made.
    AccessDenied, CertificateRejected, VaultError, CollectionError
        From the iterator: it could not go on.
    """
    check_settings(concurrency, patience_seconds)
    if not 1 <= batch_customers <= UNSAVED_CUSTOMERS:
        raise UsageError(
            f"batch_customers is {batch_customers}; it has to be from 1 to {UNSAVED_CUSTOMERS:,}."
            " Nothing was sent"
        )
    check_client(vault)
    listed = (
        customers
        if isinstance(customers, CustomerList)
        else read_customers(customers, column=column)
    )
    return _frames(vault, listed, batch_customers, _Batches(concurrency, patience_seconds))


def _frames(
    vault: Vault, listed: CustomerList, batch_customers: int, batches: _Batches
) -> Iterator[pd.DataFrame]:
    numbered = (Customer(position, customer) for position, customer in enumerate(listed))
    while batch := list(islice(numbered, batch_customers)):
        yield _frame(vault, vault.run(batches.fetch, batch))


class _Batches:
    """Batches of one fan-out, so that what it knows of the vault holds from one to the next."""

    def __init__(self, concurrency: int, patience_seconds: float) -> None:
        self._concurrency = concurrency
        self._patience_seconds = patience_seconds
        self._fan_out: FanOut | None = None
        self._results: list[Fetched | Failed] = []

    async def fetch(self, vault: AsyncVault, batch: Sequence[Customer]) -> list[Fetched | Failed]:
        """Fetch a batch; results in the order of the list."""
        if self._fan_out is None:
            self._fan_out = FanOut(
                vault,
                self._take,
                concurrency=self._concurrency,
                patience_seconds=self._patience_seconds,
            )
        self._results = []
        await self._fan_out.run(batch)
        return sorted(self._results, key=lambda result: result.customer.position)

    async def _take(self, result: Fetched | Failed) -> None:
        self._results.append(result)


def _frame(vault: Vault, results: Sequence[Fetched | Failed]) -> pd.DataFrame:
    flattened = flatten(received_bodies(results, vault.profile.api_version))
    frame = to_frame(with_derived(flattened.table, banks=None, as_of=today_in_india()))
    failed = {r.customer.customer_id: str(r.error) for r in results if isinstance(r, Failed)}
    frame.attrs["failed"] = failed | flattened.unreadable
    return frame
