"""Customers to write to, narrowed to what was chosen of a radar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.analysis.cards.dates import last_day_within
from tokenvault_data.analysis.expiry import expiring
from tokenvault_data.analysis.filters.filters import where as condition_of
from tokenvault_data.analysis.outreach import customers_at_risk
from tokenvault_data.dataset.tables import result_table
from tokenvault_data.text import counted, long_day
from tokenvault_data.widgets.expiry.text import chosen_words

if TYPE_CHECKING:
    from datetime import date

    from tokenvault_data.analysis.filters.filters import Predicate
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.frames import ArrowStream
    from tokenvault_data.dataset.tables import ResultTable
    from tokenvault_data.widgets.expiry.counts import Chosen

_CARD: Final = ["customer_id", "last_usable_on"]


class OutreachList:
    """Customers whose only usable cards expire, for one day and horizon after another.

    The rows are looked through once for each day and horizon; a choice narrows what was found.
    Not to be asked by several threads at once.

    Parameters
    ----------
    source : Snapshot, or object with ``__arrow_c_stream__``
    where : Predicate, optional
        Only customers whose last usable card is one for which it is true.
    names : BankNames, optional
        Names of banks; those of the package when not given.
    """

    def __init__(
        self, source: ArrowStream, where: Predicate | None, names: BankNames | None
    ) -> None:
        self._source = source
        self._where = where
        self._names = names
        self._found_of: tuple[date, int] | None = None
        self._found: ResultTable | None = None

    def of(self, as_of: date, days: int, chosen: Chosen) -> ResultTable:
        """Return the customers whose last usable card is of a chosen bank and month.

        Returns
        -------
        ResultTable
            Columns of `customers_at_risk`; that lists the customer's card that lasts longest, and
            it is the bank and month of this card that are chosen.
        """
        if self._found is None or self._found_of != (as_of, days):
            self._found = self._all(as_of, days)
            self._found_of = (as_of, days)
        rows = self._found.arrow()
        if chosen.banks:
            rows = rows.filter(pc.is_in(rows["bank"], pa.array(chosen.banks, pa.string())))
        if chosen.months:
            month = pc.strftime(rows["last_usable_on"], format="%Y-%m")
            rows = rows.filter(pc.is_in(month, pa.array(chosen.months, pa.string())))
        verb = "loses its" if len(rows) == 1 else "lose their"
        last = long_day(last_day_within(days, as_of))
        title = f"{counted(len(rows), 'customer')} {verb} last usable card by {last}"
        about = chosen_words(chosen)
        uncertain = len(rows) - rows["certainty"].to_pylist().count("certain")
        judged, _, *others = self._found.notes
        return result_table(
            rows,
            title=f"{title}: {about}" if about else title,
            notes=[
                judged,
                f"For {uncertain:,} of them another card may be usable for longer: see certainty.",
                *others,
            ],
        )

    def _all(self, as_of: date, days: int) -> ResultTable:
        found = customers_at_risk(self._source, days, as_of=as_of, banks=self._names)
        if self._where is None:
            return found
        active = self._where & condition_of(instrument_status="ACTIVE")
        soon = expiring(self._source, days, as_of=as_of, where=active, banks=self._names)
        kept = soon.arrow().select(["customer_id", "expires_on"]).rename_columns(_CARD)
        rows = found.arrow()
        passing = rows.join(kept.group_by(_CARD).aggregate([]), _CARD, join_type="left semi")
        rows = passing.select(rows.column_names).sort_by(
            [("last_usable_on", "ascending"), ("customer_id", "ascending")]
        )
        note = f"Only those whose last usable card is one of which {self._where.sentence()}."
        return result_table(rows, title=found.title, notes=[*found.notes, note])
