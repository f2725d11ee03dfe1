"""Whether a card that was just fetched is still the one that was sealed into a plan.

Nothing here is lenient: what was known and is missing now, what cannot be decided, and what cannot
be read all count as changed, because the card would be deleted otherwise.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from tokenvault_data.analysis.filters.literals import label
from tokenvault_data.dataset.bank_key import bank_key
from tokenvault_data.dataset.derived_dimensions import expires_in, expiry_month_text
from tokenvault_data.dataset.today import day_of
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tokenvault_data.analysis.filters.filters import Predicate
    from tokenvault_data.cleanup.selection.cards import PlannedCard


def usable(status: str | None, expires_on: date | None, day: date) -> bool | None:
    """Decide for one card; None where it may be usable.

    >>> from datetime import date
    >>> usable("ACTIVE", date(2026, 11, 30), date(2026, 11, 30)), usable("ACTIVE", None, date.max)
    (True, None)
    """
    if (status is not None and status != "ACTIVE") or (expires_on is not None and expires_on < day):
        return False
    return None if status is None or expires_on is None else True


def usable_sql(day: date) -> str:
    """Return the same as a DuckDB expression of ``instrument_status`` and ``expires_on``."""
    return f"(instrument_status = 'ACTIVE' AND expires_on >= DATE '{day.isoformat()}')"


IDENTITY: Final = (
    "instrument_uid",
    "par",
    "last_four",
    "expires_on",
    "created_at",
    "afa_reference",
)
"""Columns that tell one card from another; a renewal, or saving it anew, changes one of them."""

_SAYABLE: Final = frozenset({"expires_on", "instrument_status"})


def drift(
    condition: Predicate, planned: PlannedCard, fetched: Mapping[str, object], as_of: date | str
) -> str | None:
    """Return the first difference between a sealed card and the same card fetched again.

    Parameters
    ----------
    condition : Predicate
        Of the rule that selected it; has to be true still.
    planned : PlannedCard
    fetched : mapping of str to object
        The card as the instruments table would hold it.
    as_of : date or str
        The plan's day, from which ``expires_in`` is counted.

    Returns
    -------
    str or None
        In words and without ids; None when nothing that matters has changed.
    """
    changed = _another_card(planned, fetched)
    if changed is None and "bank" in condition.columns:
        changed = _another_bank(planned, fetched)
    if changed is not None:
        return changed
    try:
        holds = condition.holds_for(_with_derived(planned, fetched, day_of(as_of)))
    except UsageError:
        return "the rule cannot be decided on what came back"
    return None if holds else "the rule is not true of the card any more"


def keeper_drift(
    planned: PlannedCard, keeper: Mapping[str, object], as_of: date | str
) -> str | None:
    """Return why the card kept in place of a duplicate, fetched again, is no longer a reason.

    Parameters
    ----------
    planned : PlannedCard
        The duplicate; its ``keeper`` names the other card.
    keeper : mapping of str to object
        That card as the instruments table would hold it.
    as_of : date or str
        The plan's day.

    Returns
    -------
    str or None
        In words and without ids; None when it is still there, of the same account, and usable
        unless the duplicate is not usable either.
    """
    if keeper.get("instrument_id") != planned.keeper or planned.keeper is None:
        return "the answer is about another card than the one to keep"
    if keeper.get("customer_id") != planned.customer_id or (
        keeper.get("customer_id_received") is not None
    ):
        return "the card to keep belongs to another customer now"
    same = (
        getattr(planned, column) is not None and keeper.get(column) == getattr(planned, column)
        for column in ("par", "instrument_uid")
    )
    if not any(same):
        return "the card to keep is of another account now"
    day = day_of(as_of)
    lasts = None if planned.expires_on is None else date.fromisoformat(planned.expires_on)
    status, expires_on = keeper.get("instrument_status"), keeper.get("expires_on")
    kept = usable(_text(status), expires_on if isinstance(expires_on, date) else None, day)
    lost = usable(planned.instrument_status, lasts, day)
    if kept is not True and lost is not False:
        return "the card to keep is not known to be usable"
    return None


def _another_card(planned: PlannedCard, fetched: Mapping[str, object]) -> str | None:
    """Say what tells the fetched card from the planned one."""
    if fetched.get("instrument_id") != planned.instrument_id:
        return "the answer is about another card"
    if fetched.get("customer_id") != planned.customer_id or (
        fetched.get("customer_id_received") is not None
    ):
        return "the card belongs to another customer now"
    for column in IDENTITY:
        sealed, found = getattr(planned, column), _text(fetched.get(column))
        if sealed is not None and found != sealed and not _is_one_moment(sealed, found):
            return _changed(column, sealed, found)
    status = _text(fetched.get("instrument_status"))
    if status != planned.instrument_status:
        return _changed("instrument_status", planned.instrument_status, status)
    return None


def _another_bank(planned: PlannedCard, fetched: Mapping[str, object]) -> str | None:
    """Say that the bank's spelling may mean another bank.

    Spellings of one key have one name, whichever table of names the plan was made with; what any
    other spelling means depends on that table, so it counts as changed.
    """
    sealed, found = planned.card_bank, fetched.get("card_bank")
    if sealed == found:
        return None
    if isinstance(sealed, str) and isinstance(found, str):
        key = bank_key(sealed)
        if key and key == bank_key(found):
            return None
    return _changed("bank", planned.bank, _text(found))


def _with_derived(
    planned: PlannedCard, fetched: Mapping[str, object], day: date
) -> dict[str, object]:
    """Add the derived columns; the bank is the sealed one, since it was found to be the same."""
    expires_on = fetched.get("expires_on")
    known = isinstance(expires_on, date) and not isinstance(expires_on, datetime)
    return {
        **fetched,
        "bank": planned.bank,
        "expiry": expiry_month_text(expires_on) if known else None,  # type: ignore[arg-type]  # known
        "expires_in": expires_in(expires_on, day) if known else None,  # type: ignore[arg-type]  # known
    }


def _is_one_moment(sealed: str, found: str | None) -> bool:
    """Whether both are one instant to the second; versions of the API differ in its fractions."""
    try:
        one, other = datetime.fromisoformat(sealed), datetime.fromisoformat(found or "")
        return one.tzinfo is not None and one.replace(microsecond=0) == other.replace(microsecond=0)
    except (ValueError, TypeError):
        return False


def _text(value: object) -> str | None:
    """Return a cell as a plan holds it."""
    if value is None:
        return None
    return value.isoformat() if isinstance(value, date) else str(value)


def _changed(column: str, sealed: str | None, found: str | None) -> str:
    name = label(column)
    if found is None:
        return f"the card's {name} is missing now"
    if column in _SAYABLE:
        return f"the card's {name} changed from {sealed or 'missing'} to {found}"
    return f"the card's {name} changed"
