"""Cards as DataFrames, a batch of customers at a time, with nothing kept on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from tokenvault_data.collection.customers import CustomerList, read_customers
from tokenvault_data.collection.fan_out import PATIENCE_SECONDS, Customer, Failed, FanOut, Fetched
from tokenvault_data.dataset.flatten import flatten
from tokenvault_data.dataset.frames import to_frame
from tokenvault_data.collection.recorder import received_bodies

if TYPE_CHECKING:
    import pandas as pd

    from tokenvault_data.vault_api.blocking import Vault
    from tokenvault_data.vault_api.client import AsyncVault

BATCH_CUSTOMERS = 500


def iter_frames(
    vault: Vault,
    customers: object,
    *,
    column: str | None = None,
    batch_customers: int = BATCH_CUSTOMERS,
    concurrency: int = 64,
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
        Customers a frame; a customer's cards are never split.
    concurrency : int, optional
        Calls under way at once.

    Yields
    ------
    pandas.DataFrame
        One row for every card, columns as `tokenvault_data.dataset.columns.INSTRUMENTS`, in the
        order of the list. Customers that could not be fetched are in ``frame.attrs["failed"]``, a
        dict from customer id to what happened; they have no rows.

    Raises
    ------
    CustomerListError
        The list cannot be used as given.
    AccessDenied, CertificateRejected, NotSent, CollectionError
        Every further call would fail alike.
    """
    ids = customers if isinstance(customers, CustomerList) else read_customers(customers, column=column)
    numbered = map(Customer, range(len(ids)), (value.as_py() for value in ids.ids))
    while batch := list(islice(numbered, batch_customers)):
        yield _frame(vault, vault.run(_fetch, batch, concurrency))


async def _fetch(
    vault: AsyncVault, batch: list[Customer], concurrency: int
) -> list[Fetched | Failed]:
    results: list[Fetched | Failed] = []

    async def take(result: Fetched | Failed) -> None:
        results.append(result)

    await FanOut(
        vault, iter(batch), take, concurrency=concurrency, patience_seconds=PATIENCE_SECONDS
    ).run()
    return sorted(results, key=lambda result: result.customer.position)


def _frame(vault: Vault, results: Sequence[Fetched | Failed]) -> pd.DataFrame:
    flattened = flatten(received_bodies(results, vault.profile.api_version))
    frame = to_frame(flattened.table)
    failed = {r.customer.customer_id: str(r.error) for r in results if isinstance(r, Failed)}
    frame.attrs["failed"] = failed | flattened.unreadable
    return frame
