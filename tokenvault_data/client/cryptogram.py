"""A one-time payment secret, held so that nothing shows it by accident."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from tokenvault_data.redaction import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
