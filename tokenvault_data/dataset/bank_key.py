"""What a bank's name comes down to when writing habits are taken away."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

_LEGAL_FORMS: Final = (
    ("ltd",),
    ("limited",),
    ("plc",),
    ("corp",),
    ("corporation",),
    ("inc",),
    ("na",),
    ("n", "a"),
)
_SMALL_WORDS: Final = frozenset({"of", "and", "the"})
_LONGEST_NAME: Final = 300

# N.A. or P.L.C.: letters each behind its own dot are one word.
_dotted_initials = re.compile(r"\b(?:[^\W\d_]\.){2,}|\b(?:[^\W\d_]\.)+[^\W\d_]\b")
_bracket_at_the_end = re.compile(r"^(.*\S)\s*[(\[]([^()\[\]]*)[)\]]\W*$", re.DOTALL)
_bracket_at_the_front = re.compile(r"^\W*[(\[]([^()\[\]]*)[)\]]\s*(\S.*)$", re.DOTALL)


@lru_cache(maxsize=65_536)
def bank_key(spelling: str) -> str:
    """Return the key of a spelling; spellings of one key are taken for one bank.

    Compatibility forms and capitals are folded (Unicode NFKC, casefold), ``&`` is read as "and",
    punctuation becomes single spaces (dotted initials one word), and from the ends go the article,
    legal forms (Ltd, Limited, plc, Corp, Corporation, Inc, N.A.) and a bracket that only
    abbreviates the name it stands beside. Any other bracket may tell one bank from another, so its
    words stay. Nothing is taken away that would leave nothing; a spelling without letters and
    digits has the empty key.

    >>> bank_key("The Federal Bank Ltd."), bank_key("STATE BANK OF INDIA (SBI)")
    ('federal bank', 'state bank of india')
    >>> bank_key("Standard Chartered Bank (HK) Limited")
    'standard chartered bank hk'
    """
    text = _folded(spelling)
    # Text of any length may come as a name; what no bank is called is not searched for brackets.
    while len(text) <= _LONGEST_NAME:
        shorter = _without_abbreviation(text)
        if shorter == text:
            break
        text = shorter
    words = _words(text)
    return " ".join(words[_article(words) : _ends(words)[-1]])


def _folded(text: str) -> str:
    # One round is not always enough: folding capitals can make a form that composes anew.
    while True:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        if folded == text:
            return folded
        text = folded


def _words(text: str) -> list[str]:
    text = _dotted_initials.sub(lambda match: match[0].replace(".", ""), text)
    return "".join(_sign(sign) for sign in text.replace("&", " and ")).split()


def _sign(sign: str) -> str:
    category = unicodedata.category(sign)
    if category[0] in "LMN":  # letters, the marks that Indian scripts write vowels with, digits
        return sign
    return "" if category == "Cf" else " "  # invisible signs part no words


def _article(words: list[str]) -> int:
    """Return how many words in front are articles; one word is always left."""
    count = 0
    while count < len(words) - 1 and words[count] == "the":
        count += 1
    return count


def _ends(words: list[str]) -> list[int]:
    """Return where the name may end: behind all words, and before each legal form at its end."""
    first = _article(words)
    ends = [len(words)]
    while True:
        last = ends[-1]
        lengths = (
            len(form) for form in _LEGAL_FORMS if tuple(words[last - len(form) : last]) == form
        )
        shorter = last - next(lengths, 0)
        if not first < shorter < last:
            return ends
        ends.append(shorter)


def _without_abbreviation(text: str) -> str:
    at_the_end = _bracket_at_the_end.match(_without_legal_form(text))
    if at_the_end is not None and _abbreviates(at_the_end[2], at_the_end[1]):
        return at_the_end[1]
    at_the_front = _bracket_at_the_front.match(text)
    if at_the_front is not None and _abbreviates(at_the_front[1], at_the_front[2]):
        return at_the_front[2]
    return text


def _without_legal_form(text: str) -> str:
    """Return the text up to its last bracket when only legal forms stand behind that."""
    last = max(text.rfind(")"), text.rfind("]")) + 1
    behind = ["", *_words(text[last:])]  # the empty word may be all that is left
    return text[:last] if last and _ends(behind)[-1] == 1 else text


def _abbreviates(short: str, name: str) -> bool:
    letters = "".join(_words(short))
    words = _words(name)
    names = [words[_article(words) : end] for end in _ends(words)] + [words]
    return letters != "" and letters in {
        "".join(word[0] for word in one if keep_small or word not in _SMALL_WORDS)
        for one in names
        for keep_small in (True, False)
    }
