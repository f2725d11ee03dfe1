"""Foreign text made harmless for a terminal: what would act, or hide, is shown as an escape."""

from __future__ import annotations

import unicodedata
from typing import Final

_JOINERS: Final = "\u200c\u200d"  # change the shape of letters in Indian scripts, and nothing else


def visible(text: str) -> str:
    r"""Return a text that shows as one line and cannot steer a terminal.

    Control characters, escape sequences, line breaks, changes of writing direction and invisible
    characters become escapes such as ``\x1b`` and ``\u202e``; odd spaces become plain ones.

    Parameters
    ----------
    text : str
        From anywhere: an answer of the vault, a file's name, an error.

    Returns
    -------
    str
        Printable; a text that was printable is unchanged.

    Examples
    --------
    >>> print(visible("HDFC\x1b[31m BANK\n"))
    HDFC\x1b[31m BANK\n
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() or sign in _JOINERS else _escaped(sign) for sign in text
    )


def _escaped(sign: str) -> str:
    if unicodedata.category(sign) == "Zs":
        return " "
    return sign.encode("unicode_escape").decode("ascii")
