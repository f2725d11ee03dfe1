"""`rate.json` beside a run or a campaign: what was learned of a limit that the vault does not tell.

Without it every command would begin at the slowest rate again, and a day of short runs never
leaves it.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tokenvault_data.client.pacing.blind_search import KEPT_SECONDS, Learned
from tokenvault_data.private_files import write_private_file

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.client.client import AsyncVault

FILE_NAME: Final = "rate.json"
_LONGEST_BYTES: Final = 4096
_KEEP_EVERY_SECONDS: Final = 10.0


class LearnedRate:
    """The note in one folder, and the client that goes on from it.

    Parameters
    ----------
    folder : Path
        Of the run or the campaign.
    vault : AsyncVault
        Starts from what the note says, where there is one that is no more than a day old.
    """

    def __init__(self, folder: Path, vault: AsyncVault) -> None:
        self._folder, self._vault = folder, vault
        self._kept, self._kept_at = read_learned(folder), time.monotonic()
        if self._kept is not None:
            vault.adopt(self._kept)

    def keep(self) -> None:
        """Write down what the client has learned meanwhile."""
        self._kept_at = time.monotonic()
        learned = self._vault.learned
        if learned is not None and learned != self._kept:
            self._kept = learned
            write_learned(self._folder, learned)

    def keep_if_old(self) -> None:
        """Do so at most every ten seconds."""
        if time.monotonic() - self._kept_at > _KEEP_EVERY_SECONDS:
            self.keep()


def read_learned(folder: Path) -> Learned | None:
    """Return what an earlier session learned; None where it is a day old, damaged or not there."""
    try:
        with (folder / FILE_NAME).open("rb") as file:
            content = json.loads(file.read(_LONGEST_BYTES))
        learned_at = datetime.fromisoformat(content["learned_at"])
        age = (datetime.now(UTC) - learned_at).total_seconds()
        limit = content["limit_per_minute"]
        learned = Learned(
            float(content["rate_per_minute"]),
            None if limit is None else float(limit),
            float(content.get("limit_age_seconds", 0.0)) + (0.0 if limit is None else age),
        )
    except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    return learned if learned.is_sound and 0 <= age <= KEPT_SECONDS else None


def write_learned(folder: Path, learned: Learned) -> None:
    """Keep what was learned, for the next session; it is no loss where that fails."""
    content = {**learned._asdict(), "learned_at": datetime.now(UTC).isoformat()}
    with suppress(OSError):
        write_private_file(folder / FILE_NAME, json.dumps(content).encode(), replace=True)
