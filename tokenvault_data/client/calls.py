"""The four operations of the vault, as the requests they are made of.

Nothing here does I/O. Source of paths, methods and parameters: the Token Vault reference of the
payment gateway (versions 2022-09-01 to 2026-01-01), which documents them alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tokenvault_data.identifiers import clean_customer_id, clean_instrument_id, quote_id

_STATUSES = frozenset({200})
_LIST_STATUSES = frozenset({200, 204})

Name = Literal["list", "fetch", "delete", "cryptogram"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it will be made.

    Attributes
    ----------
    operation : {'list', 'fetch', 'delete', 'cryptogram'}
    method : str
        HTTP method.
    target : str
        Path and query below the base URL, ids percent-encoded whole.
    customer_id, instrument_id : str
        The cleaned ids; `instrument_id` is empty for a list.
    """

    operation: Name
    method: Literal["GET", "DELETE"]
    target: str
    customer_id: str
    instrument_id: str = ""

    @property
    def answered_with(self) -> frozenset[int]:
        """Statuses of answers that are read: a list of nothing may come without content."""
        return _LIST_STATUSES if self.operation == "list" else _STATUSES


def list_call(customer_id: str) -> Call:
    """Describe the list of one customer's saved cards.

    Raises
    ------
    IdentifierError
        The id cannot be one that was saved in a vault; no request was made.
    """
    customer = clean_customer_id(customer_id)
    return Call("list", "GET", f"{_customer_path(customer)}?instrument_type=card", customer)


def fetch_call(customer_id: str, instrument_id: str) -> Call:
    """Describe the fetch of one saved card. Raises `IdentifierError` as `list_call` does."""
    return _instrument_call("fetch", "GET", customer_id, instrument_id)


def delete_call(customer_id: str, instrument_id: str) -> Call:
    """Describe the deletion of one saved card. Raises `IdentifierError` as `list_call` does."""
    return _instrument_call("delete", "DELETE", customer_id, instrument_id)


def cryptogram_call(customer_id: str, instrument_id: str) -> Call:
    """Describe the fetch of a cryptogram. Raises `IdentifierError` as `list_call` does."""
    return _instrument_call("cryptogram", "GET", customer_id, instrument_id, suffix="/cryptogram")


def _customer_path(customer: str) -> str:
    return f"/customers/{quote_id(customer)}/instruments"


def _instrument_call(
    operation: Name,
    method: Literal["GET", "DELETE"],
    customer_id: str,
    instrument_id: str,
    suffix: str = "",
) -> Call:
    customer, instrument = clean_customer_id(customer_id), clean_instrument_id(instrument_id)
    target = f"{_customer_path(customer)}/{quote_id(instrument)}{suffix}"
    return Call(operation, method, target, customer, instrument)
