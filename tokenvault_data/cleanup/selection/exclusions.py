"""Why a card that a rule selects is not planned, worded to follow a number of cards."""

from __future__ import annotations

from typing import Final

NO_ID: Final = "without an instrument id"
BAD_ID: Final = "with an id that no request can be made of"
FOREIGN: Final = "listed with another customer's id"
CONTESTED: Final = "listed several times with contradicting values"
NO_KEEPER: Final = "duplicates of a card that is not kept itself"
SPARED: Final = "spared as their customer's last usable card"
HELD: Final = "on hold"
NOT_FOUND: Final = "listed and not in the snapshot"

LEFT_OUT: Final = (NO_ID, BAD_ID, FOREIGN, CONTESTED, NO_KEEPER, NOT_FOUND, HELD, SPARED)
"""Why selected cards are left out, in the order in which reports say so; each card has one."""
