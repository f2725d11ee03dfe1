"""Names of people who plan and approve: as files are called by them, and whether two are one."""

from __future__ import annotations

import re
import unicodedata

from tokenvault_data.errors import UsageError

_name_of_key = re.compile(r"\w(?:[\w.' -]{0,62}[\w.])?").fullmatch


def clean_name(name: str) -> str:
    """Return a name as keys and approvals hold it, composed and with single spaces.

    Raises
    ------
    UsageError
        It cannot name a file on every system.
    """
    given: object = name
    text = " ".join(unicodedata.normalize("NFC", name).split()) if isinstance(given, str) else ""
    if _name_of_key(text) is None or not text.isprintable():
        raise UsageError(
            "A key was given a name that is empty, too long, or holds signs other than letters, "
            "digits, spaces and _ . ' -; nothing was done; choose another."
        )
    return text


def same_person(one: str, other: str) -> bool:
    """Decide whether two names are one, however they are capitalised, spaced and encoded."""

    def plain(name: str) -> str:
        return " ".join(unicodedata.normalize("NFKC", name).casefold().split())

    return plain(one) == plain(other)
