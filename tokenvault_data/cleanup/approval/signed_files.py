"""Signed files beside a plan: approvals, revocations and countersignatures.

Each is a single line of JSON that can be mailed. It says what it is about, who signed it with which
key, and holds an Ed25519 signature over all of that. There is one way to write it, and reading
accepts no other.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from tokenvault_data.cleanup.approval.keys import decoded, encoded, fingerprint_of, signature_holds
from tokenvault_data.cleanup.plan.content import canonical
from tokenvault_data.errors import UsageError
from tokenvault_data.folders import named
from tokenvault_data.local_paths import local_path
from tokenvault_data.private_files import write_private_file

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from dataclasses import Field
    from pathlib import Path
    from typing import ClassVar

    from tokenvault_data.cleanup.approval.keys import SigningKey

_LARGEST_BYTES: Final = 65_536
_DIGITS_IN_NAME: Final = 12


class Signed(Protocol):
    """A dataclass of what was signed, and by whom."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def key(self) -> str:
        """The public key, base64."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the key."""

    @property
    def signature(self) -> str:
        """Ed25519 over everything else, base64."""


_T = TypeVar("_T", bound=Signed)


@dataclass(frozen=True, slots=True)
class SignedKind(Generic[_T]):
    """One kind of signed file.

    Attributes
    ----------
    content : type
        Dataclass of its fields.
    noun : str
        What it is called in messages, e.g. ``approval``; its files are named by it as well.
    """

    content: type[_T]
    noun: str

    @property
    def format(self) -> str:
        """Value of ``format``, with which what is signed means nothing else."""
        return f"tokenvault-{self.noun}"

    def signed(self, key: SigningKey, **about: Any) -> _T:
        """Return the content signed by a key; `about` are all fields but those of the key."""
        make: Callable[..., _T] = self.content
        public = encoded(key.public_bytes)
        one = make(key=public, fingerprint=key.fingerprint, signature="", **about)
        return replace(one, signature=encoded(key.private.sign(self.message(one))))

    def message(self, one: _T) -> bytes:
        """Return what the signature is over: everything else."""
        content = {"format": self.format} | asdict(one)
        del content["signature"]
        return canonical(content)

    def line(self, one: _T) -> bytes:
        """Return it as its file holds it."""
        return canonical({"format": self.format} | asdict(one))

    def write(self, one: _T, folder: str | os.PathLike[str]) -> Path:
        """Write it beside its plan; an earlier one of the same key gives way.

        Raises
        ------
        UsageError
            It cannot be written.
        """
        path = local_path(folder) / f"{self.noun}-{one.fingerprint[:_DIGITS_IN_NAME]}.json"
        try:
            write_private_file(path, self.line(one), replace=True)
        except OSError as error:
            raise UsageError(
                f"The {self.noun} cannot be written to {path} ({error.strerror}); it counts for"
                " nothing yet; check the folder and the disk."
            ) from error
        return path

    def paths(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Return all files of this kind in a campaign's folder, in the order of their names."""
        return named(local_path(folder), re.compile(rf"{self.noun}-.*\.json"))

    def read(self, path: str | os.PathLike[str]) -> _T:
        """Read a file; whether its signature holds is another question, see `fault`.

        Raises
        ------
        UsageError
            It cannot be read, or is not, byte for byte, as it is written.
        """
        try:
            with local_path(path).open("rb") as file:
                content = file.read(_LARGEST_BYTES)
        except OSError as error:
            raise UsageError(
                f"There is no {self.noun} that can be read at {path} ({error.strerror}); nothing"
                f" was done; check the file's name and permissions."
            ) from error
        return self.parse(content, local_path(path).name)

    def parse(self, content: bytes, name: str | None = None) -> _T:
        """Read it from the bytes of its file.

        Raises
        ------
        UsageError
            They are not what `line` makes.
        """
        try:
            form = json.loads(content)
            names = [one.name for one in fields(self.content)]
            one = self.content(**{name: form[name] for name in names})
            same = _is_sound(one) and self.line(one) == content
        except (ValueError, TypeError, KeyError, RecursionError):
            same = False
        if not same:
            article = "an" if self.noun[0] in "aeiou" else "a"
            raise UsageError(
                f"{name or f'the {self.noun}'} is not {article} {self.noun} as it was signed; it"
                " counts for nothing; take it from its signer again."
            )
        return one

    def fault(self, one: _T) -> str | None:
        """Say why the signature does not hold, None where it does."""
        try:
            public, signature = decoded(one.key), decoded(one.signature)
        except ValueError:
            return "its signature cannot be read"
        if fingerprint_of(public) != one.fingerprint:
            return "its key is not the one it names"
        if not signature_holds(public, signature, self.message(one)):
            return "its signature is not over what it says"
        return None


def _is_sound(one: Signed) -> bool:
    """Return whether everything is of its type, and can be shown on a terminal."""
    return all(_CHECKS[str(field.type)](getattr(one, field.name)) for field in fields(one))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


_CHECKS: Final[dict[str, Callable[[Any], bool]]] = {
    "str": _is_text,
    "str | None": lambda value: value is None or _is_text(value),
    "int": lambda value: type(value) is int,
    "dict[str, int]": lambda value: (
        isinstance(value, dict)
        and all(_is_text(key) and type(count) is int for key, count in value.items())
    ),
}
