"""The one door for a path that somebody gives: a file or folder of this machine, never an address.

`pathlib` takes ``s3://bucket/store`` for a relative path, so without this check a store "at S3"
becomes a folder named ``s3:`` beside the notebook, with customers' ids in it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from tokenvault_data.errors import UsageError

# Two letters at least, for `C:/` is a drive; one slash, for pathlib makes one of two. Behind it may
# stand another scheme, as in `jdbc:mysql:`.
_address = re.compile(
    r"\s*(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)(?:::|:[/\\]|:(?=[A-Za-z][A-Za-z0-9+.-]+:))"
    r"|\s*(?P<opaque>arn|az|duckdb|ftp|gs|hdfs|https?|jdbc|mailto|odbc|s3|sftp|snowflake|sqlite):",
    re.IGNORECASE,
).match
_remote_copy = re.compile(r"[^/\\]*[:@][^/\\]*@[^/\\]*:|[^/\\\s]+@[^/\\\s]+:[/~]").match


def local_path(place: str | os.PathLike[str]) -> Path:
    """Return the path of a file or folder on this machine.

    Parameters
    ----------
    place : str or path-like
        What the user gave.

    Returns
    -------
    Path
        `place`; with the home directory in place of a leading ``~``.

    Raises
    ------
    UsageError
        It is an address, such as ``s3://bucket/store`` or ``postgresql://user:…@host/base``. The
        message shows its scheme only, since an address may hold a password. Or it is no path.

    Examples
    --------
    >>> local_path("vault-data").name
    'vault-data'
    """
    if not isinstance(place, str | os.PathLike):
        raise UsageError(
            f"A path is text or a pathlib.Path, and {type(place).__name__} was given; nothing was"
            " done."
        )
    text = os.fspath(place)
    if not isinstance(text, str):
        raise UsageError(
            f"A path was given as {type(text).__name__}; give it as text or as a pathlib.Path."
        )
    found = _address(text)
    if found is None and _remote_copy(text) is None:
        return _as_shells_read(text, Path(place))
    scheme = "ssh" if found is None else (found["scheme"] or found["opaque"]).lower()
    hint = (
        "give the path without the scheme"
        if scheme == "file"
        else "copy the data to this machine and give the path of the copy"
    )
    raise UsageError(
        f"Addresses ({scheme}:…) are not supported here, so nothing was read or written: {hint}; a"
        f" folder that really has this name is given by its whole path, /…/{scheme}:…"
    )


def _as_shells_read(text: str, path: Path) -> Path:
    """Return the path with ``~`` as the home directory, where `text` begins with it.

    Any other that begins so becomes absolute: Arrow would read a home directory out of it, where
    Python does not.
    """
    if not path.parts or not path.parts[0].startswith("~"):
        return path
    is_home = text.startswith("~") and path.parts[0] == "~"
    return path.expanduser() if is_home else path.absolute()
