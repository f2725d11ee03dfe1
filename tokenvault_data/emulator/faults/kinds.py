"""Every kind of fault there is: its name, what it does, and the value it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# What a fault touches. Of the faults that strike one request, the first of each group counts.
#   down     the connection, before anything is looked at
#   replace  the answer: something else is sent, and the operation is not carried out
#   damage   the answer: the operation is carried out, its answer arrives damaged
#   delete   what a delete does to the vault
#   paging   the way to the next page of a list
#   headers  the limit headers
#   lag      how far a list is behind the vault
Group = Literal["down", "replace", "damage", "delete", "paging", "headers", "lag"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault; `value_meaning` is empty for a kind that takes no value."""

    name: str
    group: Group
    effect: str
    value_meaning: str = ""
    default: str = ""
    choices: tuple[str, ...] = ()


APPLIED_THEN = "applied-then-"
STATUS_KIND = Kind(
    "any status from 200 to 599",
    "replace",
    "answers with that status; =SECONDS adds Retry-After",
    "seconds",
)

KINDS = {
    kind.name: kind
    for kind in (
        Kind("down", "down", "resets the connection of every request"),
        Kind("reset-before", "replace", "resets the connection before the first byte of an answer"),
        Kind("hang", "replace", "never answers"),
        Kind("garbage", "replace", "answers 200 with an HTML page"),
        Kind("empty", "replace", "answers 200 with no body"),
        Kind("huge", "replace", "answers 200 with a body of =MEGABYTES", "megabytes", "10"),
        Kind("huge-chunked", "replace", "the same, its length not announced", "megabytes", "10"),
        Kind("deep", "replace", "answers 200 with arrays nested =LEVELS deep", "levels", "100000"),
        *(
            Kind(f"redirect-{status}", "replace", "redirects to =URL, or to localhost", "url")
            for status in (301, 302, 303, 307, 308)
        ),
        Kind("reset-inside", "damage", "resets the connection in the middle of the body"),
        Kind("truncated", "damage", "announces the whole body, sends half, closes"),
        Kind("cut", "damage", "sends the first half of the JSON as if it were all"),
        Kind("drip", "damage", "sends the body in small pieces over =SECONDS", "seconds", "5"),
        Kind("wrong-id", "damage", "names another instrument and customer than was asked for"),
        Kind("unapplied", "delete", "a delete is answered 200 and does nothing"),
        Kind("late", "delete", "a delete takes effect =SECONDS later", "seconds", "30"),
        Kind("repeating-cursor", "paging", "every page names the first page as its next"),
        Kind("endless-chain", "paging", "every page has a next one, with a fresh cursor"),
        Kind(
            "foreign-link", "paging", "the next page is at another origin, =URL or localhost", "url"
        ),
        Kind(
            "limit-headers",
            "headers",
            "the limit headers are absent or hold nonsense",
            "what is wrong",
            "absent",
            ("absent", "negative", "huge", "malformed", "nan"),
        ),
        Kind(
            "lagging-list", "lag", "a list shows a deleted instrument for =SECONDS", "seconds", "5"
        ),
    )
}


def describe_kinds() -> str:
    """All kinds in one line, for a message to whoever mistyped one."""
    names = ", ".join(KINDS)
    return f"{STATUS_KIND.name}, {names}, and {APPLIED_THEN} before a status or an answer kind"
