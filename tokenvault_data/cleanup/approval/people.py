"""Names of people who plan and approve: what a name may be, and whether two names are one person.

Everything that compares people calls `same_person`: keys, trust, approvals and the audit. Names
that only look alike count as one person, so that nobody approves their own plan by a look-alike.
"""

from __future__ import annotations

import unicodedata
from itertools import chain
from typing import Final

from tokenvault_data.errors import UsageError

_LONGEST: Final = 64
_SIGNS: Final = "_.' -"
_JAPANESE: Final = frozenset({"CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"})
# Letters and marks that show nothing; what is of a category C* is refused anyway.
_BLANK: Final = frozenset(
    map(
        chr,
        chain(
            (0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0),
            range(0x180B, 0x1810),
            range(0xFE00, 0xFE10),
            range(0xE0100, 0xE01F0),
        ),
    )
)

# By the Latin letter they look like, after case folding: Cyrillic, Greek, Armenian, odd Latin.
_LOOKS_LIKE: Final = {
    "a": "\u0430\u03b1\u0251",
    "b": "\u0432\u044c\u03b2\u0299",
    "c": "\u0441\u03f2",
    "d": "\u0501\u0111",
    "e": "\u0435\u03b5",
    "g": "\u050d\u0261\u0262\u0581",
    "h": "\u043d\u04bb\u029c\u0127\u0570",
    "j": "\u0458\u03f3",
    "k": "\u043a\u03ba",
    "l": "\u04cf\u0456\u03b9\u0131\u026a\u029f\u0142i1",
    "m": "\u043c",
    "n": "\u043f\u03b7\u0274\u0578",
    "o": "\u043e\u03bf\u03c3\u00f8\u05850",
    "p": "\u0440\u03c1",
    "q": "\u051b\u0566",
    "r": "\u0433\u0280",
    "s": "\u0455",
    "t": "\u0442\u03c4",
    "u": "\u03bc\u03c5\u057d",
    "v": "\u0475\u03bd",
    "w": "\u051d\u03c9",
    "x": "\u0445\u03c7",
    "y": "\u0443\u04af\u03b3\u028f",
    "z": "\u03b6",
}
_SMALL: Final = {ord(sign): letter for letter, signs in _LOOKS_LIKE.items() for sign in signs}
# Those whose capital looks like another letter than the small one.
_CAPITAL: Final = _SMALL | {0x3B7: "h", 0x3BC: "m", 0x3BD: "n", 0x3C5: "y"}


def clean_name(name: str) -> str:
    """Return a name as keys and approvals hold it, composed and with single spaces.

    Raises
    ------
    UsageError
        It is empty or longer than 64 signs, mixes scripts, holds invisible signs, or cannot name a
        file on every system.
    """
    given: object = name
    text = " ".join(unicodedata.normalize("NFKC", name).split()) if isinstance(given, str) else ""
    if not 0 < len(text) <= _LONGEST or not _is_written(text):
        raise UsageError(
            "A name is empty, longer than 64 signs, or holds signs other than letters, digits,"
            " spaces and _ . ' -; nothing was done; choose another."
        )
    scripts = {script for sign in text if (script := _script(sign)) is not None}
    if len(scripts) > 1:
        raise UsageError(
            "A name mixes letters of several scripts, some of which may only look like others;"
            " nothing was done; write it in one script."
        )
    return text


def same_person(one: str, other: str) -> bool:
    """Return whether two names are, or look like, one.

    Case, spaces, punctuation, accents and encodings make no difference, and neither do letters and
    digits that look alike.
    """
    return bool(_looks(one) & _looks(other))


def _looks(name: str) -> set[str]:
    """Return how a name looks in plain Latin letters: its small ones, and its capitals."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    signs = [sign for sign in folded if not _is_accent(sign) and sign not in _BLANK]
    letters = [sign for sign in signs if sign.isalnum() or unicodedata.category(sign)[0] == "M"]
    shown = [sign for sign in signs if unicodedata.category(sign)[0] not in "CZ"]
    return {
        "".join(letters or shown).translate(table).replace("rn", "m").replace("vv", "w")
        for table in (_SMALL, _CAPITAL)
    }


def _is_written(text: str) -> bool:
    """Return whether a text is made of letters, digits and some signs, all of which show."""
    shown = (
        sign in _SIGNS or (unicodedata.category(sign)[0] in "LM" or sign.isdecimal())
        for sign in text
        if sign not in _BLANK
    )
    ends = text[-1].isalnum() or text[-1] in "_." or unicodedata.category(text[-1])[0] == "M"
    begins = text[0].isalnum() or text[0] == "_"
    return all(shown) and begins and ends and _BLANK.isdisjoint(text)


def _script(sign: str) -> str | None:
    """Return what a letter's name in Unicode begins with, None where it goes with any script."""
    if sign in _SIGNS or _is_accent(sign) or "0" <= sign <= "9":
        return None
    script = unicodedata.name(sign, sign).partition(" ")[0]
    return "Japanese" if script in _JAPANESE else script


def _is_accent(sign: str) -> bool:
    return unicodedata.name(sign, "").startswith("COMBINING ")
