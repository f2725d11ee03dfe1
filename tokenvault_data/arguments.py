"""What a function says of an argument that is of a wholly other kind than it takes."""

from __future__ import annotations

from typing import TypeVar

from tokenvault_data.errors import UsageError

T = TypeVar("T")


def needed(value: object, kind: type[T], wanted: str) -> T:
    """Return `value` where it is of its kind.

    Parameters
    ----------
    value : object
        What was given.
    kind : type
    wanted : str
        What it should be and how to get it, e.g. ``"A client, as `tv.connect` gives it,"``.

    Raises
    ------
    UsageError
        It is something else.

    Examples
    --------
    >>> needed("vault-data", str, "Text")
    'vault-data'
    """
    if not isinstance(value, kind):
        raise UsageError(
            f"{wanted} is needed, and {type(value).__name__} was given; nothing was done."
        )
    return value


def check_client(vault: object) -> None:
    """Raise `UsageError` unless this is a client; the name of a profile is none."""
    if not hasattr(vault, "run"):
        raise UsageError(
            f"A client is needed, as tv.connect(...) gives it, and {type(vault).__name__} was"
            " given; nothing was sent."
        )
