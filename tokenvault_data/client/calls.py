"""The four operations of the vault, as the requests they are made of.

Nothing here does I/O. Source of paths, methods and parameters: the Token Vault reference of the
payment gateway (versions 2022-09-01 to 2026-01-01), which documents them alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from tokenvault_data.errors import UnusableAnswer
from tokenvault_data.identifiers import clean_customer_id, clean_instrument_id, quote_id
from tokenvault_data.payment_data import without_payment_data
from tokenvault_data.redaction import Secret
from tokenvault_data.vault_json import NotJson, decode, decode_strictly

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tokenvault_data.client.transport import Answer


FIELDS: Final = (
    "instrument_id",
    "token_requestor_id",
    "card_number",
    "card_expiry_mm",
    "card_expiry_yy",
    "cryptogram",
    "card_display",
)

# Long enough to be found, and taken out, where some other library puts them into a log.
_SCRUBBED: Final = frozenset({"card_number", "cryptogram"})


class Cryptogram:
    """Payment-capable data of one card, good for one payment within minutes.

    It cannot be printed, logged, pickled, copied or turned into a row; `reveal` is the only way to
    its content. Fields as the gateway documents them: see `FIELDS`.

    Parameters
    ----------
    received : mapping
        The JSON object the vault answered with.
    """

    __slots__ = ("_open",)

    def __init__(self, received: Mapping[str, object]) -> None:
        fields = {name: _hidden(name, received.get(name)) for name in FIELDS}
        # Held by a closure, so that tools which walk attributes find a function and not the fields.
        self._open: Callable[[], dict[str, object]] = lambda: dict(fields)

    def reveal(self) -> dict[str, object]:
        """Give the fields in clear, for the payment call and nothing else; None for one missing."""
        return {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in self._open().items()
        }

    def __repr__(self) -> str:
        return "Cryptogram(****)"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __getstate__(self) -> NoReturn:
        self.__reduce_ex__(2)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a cryptogram is not copied, pickled or sent to another process")


def _hidden(name: str, value: object) -> object:
    return Secret(value) if name in _SCRUBBED and isinstance(value, str) else value


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


def read_json(answer: Answer, *, is_strict: bool = False) -> Any:
    """Decode the body of an answer as JSON, whatever its headers say of it.

    Types and encodings are named wrongly as often as not, and compressed bytes are no JSON. Where
    something is to be proven with it, `is_strict`, a damaged value spoils the whole.

    Raises
    ------
    UnusableAnswer
        It is not JSON: a proxy's HTML page, a cut or compressed answer, another encoding.
    """
    try:
        return (decode_strictly if is_strict else decode)(answer.body)
    except NotJson:
        pass
    coding = answer.headers.get("content-encoding", "identity")
    if coding.lower() not in {"", "identity"} or answer.body.startswith(_COMPRESSED):
        raise UnusableAnswer(
            "the answer came compressed, although it was asked for as it is; nothing was taken from"
            " it. If a proxy between here and the vault does so, let it pass answers unchanged",
            status=answer.status,
        )
    size = len(answer.body)
    kind = "an HTML page" if answer.body.lstrip()[:1] == b"<" else f"{size} bytes"
    raise UnusableAnswer(
        f"the vault answered {answer.status} with {kind} instead of JSON; nothing was taken from"
        " it. A proxy between here and the vault may have answered in its place",
        status=answer.status,
    )


_COMPRESSED = b"\x1f\x8b"  # gzip, by far the most frequent


def read_instrument(call: Call, answer: Answer) -> dict[str, Any]:
    """Read an answer that promises one instrument; one page of the documentation shows an array.

    Payment data is removed from it.

    Raises
    ------
    UnusableAnswer
        It holds none, or another than the one asked for.
    """
    kept: dict[str, Any] = without_payment_data(_one_instrument(call, answer))
    return kept


def _one_instrument(call: Call, answer: Answer) -> dict[str, Any]:
    content = read_json(answer)
    if isinstance(content, list) and len(content) == 1:
        content = content[0]
    if not isinstance(content, dict):
        raise UnusableAnswer(
            f"the vault answered {call.operation} without an instrument; nothing was taken from it",
            status=answer.status,
        )
    expected = {"instrument_id": call.instrument_id, "customer_id": call.customer_id}
    if any(content.get(name) not in (None, wanted) for name, wanted in expected.items()):
        raise UnusableAnswer(
            f"the vault answered {call.operation} with another instrument than the one asked for;"
            " nothing was taken from it. Report this to the vault's support",
            status=answer.status,
        )
    return content


def read_cryptogram(call: Call, answer: Answer) -> Cryptogram:
    """Read an answer that promises a cryptogram. Raises as `read_instrument` does."""
    content = _one_instrument(call, answer)
    if not content.get("cryptogram"):
        raise UnusableAnswer(
            "the vault answered without a cryptogram; nothing was taken from it."
            " Check that the card is still active",
            status=answer.status,
        )
    return Cryptogram(content)
