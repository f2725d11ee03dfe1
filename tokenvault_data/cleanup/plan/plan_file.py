"""The sealed plan: which cards will be deleted, under which limits, and the digest over all of it.

A plan is text, one JSON object a line, so that it can be mailed, read and compared: the header, a
line for every card, and a last line with the SHA-256 digest of all bytes before it. There is one
way to write a given plan, and reading accepts no other, so a plan of which a single byte was
changed, added or lost is not a plan any more. On disk it is written so that a power cut leaves all
of it or nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

from tokenvault_data.arguments import needed
from tokenvault_data.cleanup.plan.content import (
    FORMAT,
    FORMAT_VERSION,
    HEADER_FIELDS,
    last_line,
    plan_bytes,
    plan_lines,
)
from tokenvault_data.cleanup.plan.plan import Plan
from tokenvault_data.cleanup.selection.cards import (
    CARD_FIELDS,
    BankTotal,
    ControlCard,
    HoldUsed,
    PlannedCard,
)
from tokenvault_data.cleanup.selection.limits import Limits
from tokenvault_data.cleanup.selection.rules import Rule
from tokenvault_data.dataset.durable_files import fsync_directory
from tokenvault_data.errors import PlanDamaged, UsageError
from tokenvault_data.folders import named
from tokenvault_data.local_paths import local_path
from tokenvault_data.private_files import write_private_file

if TYPE_CHECKING:
    import os
    from pathlib import Path

__all__ = [
    "CAMPAIGNS_FOLDER",
    "PLAN_NAME",
    "BankTotal",
    "ControlCard",
    "HoldUsed",
    "Plan",
    "PlannedCard",
    "parse_plan",
    "plan_bytes",
    "read_plan",
    "seal_plan",
    "write_plan",
]

PLAN_NAME: Final = "plan.json"
CAMPAIGNS_FOLDER: Final = "campaigns"
_ID: Final = re.compile(r"[0-9a-f]+")

# Few distinct values, which a plan of a million cards holds once each.
_SHARED: Final = ("card_network", "card_bank", "bank", "card_type", "instrument_status")
_SHARED_TOO: Final = ("expires_on", "fetched_at")


def seal_plan(plan: Plan, store: str | os.PathLike[str]) -> Path:
    """Write a plan durably into the folder of its campaign, where only its owner can read it.

    Returns
    -------
    pathlib.Path
        ``STORE/campaigns/<plan id>/plan.json``.

    Raises
    ------
    UsageError
        The file cannot be written, or is there and holds something else.
    """
    needed(plan, Plan, "A plan, as tv.plan_cleanup(...) makes it,")
    return write_plan(plan, local_path(store) / CAMPAIGNS_FOLDER / plan.id)


def write_plan(plan: Plan, place: str | os.PathLike[str]) -> Path:
    """Write a plan durably; one that is there already stays as it is.

    Parameters
    ----------
    plan : Plan
    place : path
        A name that ends in ``.json``, or a folder, for ``plan.json`` in it.

    Raises
    ------
    UsageError
        The file cannot be written, or is there and holds something else.
    """
    path = _file_at(local_path(place), must_exist=False)
    content = plan_bytes(plan)
    try:
        try:
            write_private_file(path, content, replace=False)
        except FileExistsError:
            if path.read_bytes() != content:
                raise UsageError(
                    f"{path} is there already and holds another plan; nothing was written; choose "
                    "another name."
                ) from None
        for folder in (path.parent, path.parent.parent):
            fsync_directory(folder)
    except OSError as error:
        raise UsageError(
            f"The plan cannot be written to {path} ({error.strerror}); nothing was deleted; check "
            "the folder and the disk."
        ) from error
    return path


def read_plan(path: str | os.PathLike[str]) -> Plan:
    """Read a plan, and make sure that it is, byte for byte, the one that was sealed.

    Parameters
    ----------
    path : path
        The file, or the folder of a campaign.

    Raises
    ------
    UsageError
        There is no such file, or it cannot be read.
    PlanDamaged
        It is not what was sealed; the message names the first line that is wrong.
    """
    file = _file_at(local_path(path), must_exist=True)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(
            f"There is no plan that can be read at {file} ({error.strerror}); nothing was done; "
            "give the file of a plan, or the folder of a campaign."
        ) from error
    return parse_plan(content, file.name)


def parse_plan(content: bytes, name: str = "the plan") -> Plan:
    """Read a plan from the bytes of its file.

    Raises
    ------
    PlanDamaged
        They are not what `plan_bytes` makes.
    """
    if not content.endswith(b"\n") or content.count(b"\n") < 2:
        _damaged(name, content.count(b"\n") + 1, "the file does not end with a whole line")
    closing_at = content.rfind(b"\n", 0, len(content) - 1) + 1
    lines = io.BytesIO(content)  # a view of it: the plan may be of a million cards
    header = _object(lines.readline(), name, 1)
    shared: dict[str, str] = {}
    cards: list[PlannedCard] = []
    while lines.tell() < closing_at:
        number = len(cards) + 2
        cards.append(_card(_object(lines.readline(), name, number), shared, name, number))
    try:
        plan = _plan(header, cards)
    except PlanDamaged as error:
        _damaged(name, 0, str(error).partition(": ")[2].partition(";")[0])
    except (
        UsageError,
        TypeError,
        KeyError,
        ArithmeticError,
        ValueError,
        AttributeError,
        RecursionError,
    ):
        _damaged(name, 1, "it is no header of a plan that this toolkit reads")
    sealed = memoryview(content)[:closing_at]
    if content[closing_at:] != last_line(plan) or (
        hashlib.sha256(sealed).hexdigest() != plan.digest
    ):
        _damaged(name, *_first_difference(content, plan))
    return plan


def plan_folders(store: Path) -> list[Path]:
    """Return the folders of a store's campaigns that hold a plan, sorted by name.

    Copies that synchronisation makes of a folder have names that are no id, and are left out.
    """
    return [
        folder for folder in named(store / CAMPAIGNS_FOLDER, _ID) if (folder / PLAN_NAME).exists()
    ]


def _first_difference(content: bytes, plan: Plan) -> tuple[int, str]:
    """Return the number of the first line that is not as a plan of that content is written."""
    number = 0
    for number, (line, wanted) in enumerate(zip(io.BytesIO(content), plan_lines(plan)), start=1):  # noqa: B905  the last line is not sealed
        if line != wanted:
            return number, "it is not as written"
    return number + 1, "the digest is of other content"


def _file_at(place: Path, *, must_exist: bool) -> Path:
    is_folder = place.is_dir() if must_exist else place.suffix != ".json"
    return place / PLAN_NAME if is_folder else place


def _object(line: bytes, name: str, number: int) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        _damaged(name, number, "it is no JSON")
    if not isinstance(content, dict):
        _damaged(name, number, "it is no JSON object")
    return content


def _card(content: dict[str, Any], shared: dict[str, str], name: str, number: int) -> PlannedCard:
    if content.keys() != set(CARD_FIELDS):
        _damaged(name, number, "it is no line of a card")
    for column in (*_SHARED, *_SHARED_TOO):
        value = content[column]
        if isinstance(value, str):
            content[column] = shared.setdefault(value, value)
    return PlannedCard(**content)


def _plan(header: dict[str, Any], cards: list[PlannedCard]) -> Plan:
    if header.pop("format") != FORMAT or header.pop("format_version") != FORMAT_VERSION:
        raise ValueError("another format")
    if header.keys() != set(HEADER_FIELDS):
        raise KeyError("fields")
    return Plan(
        **header
        | {
            "rule": Rule.from_dict(header["rule"]),
            "limits": Limits.from_dict(header["limits"]),
            "windows": tuple(header["windows"]),
            "holds": tuple(HoldUsed(**one) for one in header["holds"]),
            "bank_totals": tuple(BankTotal(**one) for one in header["bank_totals"]),
            "controls": tuple(ControlCard(**one) for one in header["controls"]),
            "canary": tuple(header["canary"]),
            "cards": tuple(cards),
        }
    )


def _damaged(name: str, number: int, problem: str) -> NoReturn:
    place = f" at line {number}: {problem}" if number else f": {problem}"
    raise PlanDamaged(
        f"{name} is not a plan as it was sealed{place}; nothing was sent; take the plan from its "
        "planner again, or make a new one."
    ) from None
