"""What has expired, what will and when, and whom to ask for a new card: a panel over a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tokenvault_data.analysis.cards.card_view import read_where
from tokenvault_data.analysis.cards.dates import last_day_within
from tokenvault_data.analysis.cube.cube import cube_of
from tokenvault_data.analysis.expiry import expiring
from tokenvault_data.analysis.filters.filters import where as condition_of
from tokenvault_data.analysis.outreach import customers_at_risk
from tokenvault_data.dataset.snapshots import Snapshot
from tokenvault_data.dataset.tables import result_table
from tokenvault_data.dataset.today import day_of
from tokenvault_data.reports.labels import month_name
from tokenvault_data.text import counted, long_day
from tokenvault_data.widgets.expiry import text as outlook
from tokenvault_data.widgets.expiry.counts import Chosen, ExpiryCounts
from tokenvault_data.widgets.expiry.page import (
    CALENDAR_TITLE,
    FORECAST_TITLE,
    ExpiryControls,
    expiry_figures,
    forecast_blocks,
    history_of,
)
from tokenvault_data.widgets.expiry.text import chosen_words
from tokenvault_data.widgets.parts.bars import Bars, HeatMap
from tokenvault_data.widgets.parts.layout import Panel, in_a_sentence, named
from tokenvault_data.widgets.parts.static_html import rows_html
from tokenvault_data.widgets.parts.tables import PAGE_ROWS, ListPane
from tokenvault_data.widgets.parts.text import Prose, as_html, partial_blocks
from tokenvault_data.widgets.parts.threads import Clicks, Latest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from tokenvault_data.analysis.cards.card_view import Where
    from tokenvault_data.analysis.cards.dates import Within
    from tokenvault_data.analysis.filters.filters import Predicate
    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.frames import ArrowStream
    from tokenvault_data.dataset.tables import ResultTable
    from tokenvault_data.widgets.expiry.counts import Headline
    from tokenvault_data.widgets.parts.text import Block


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


LISTED: Final = (
    *("customer_id", "last_usable_on", "days_left", "cards_expiring"),
    *("card_network", "bank", "last_four", "certainty"),
)


class ExpiryRadar(Panel):
    """Expiry of the cards of a snapshot, on any day, at any horizon, by month and bank.

    All figures are counted from the cube of the snapshot. The list of customers is made beside the
    kernel, and so is the forecast, where earlier snapshots are at hand.

    Parameters
    ----------
    snapshot : Snapshot, or object with ``__arrow_c_stream__``
    as_of : date, datetime or str, optional
        The day expiry is judged on; today in India when not given.
    within : str, int or timedelta
        How far ahead: ``"90D"`` or 90 for days, ``"3M"`` for calendar months.
    where : Predicate, dict, str or list of str, optional
        Only cards for which this is true; of columns that a breakdown can be made by.
    chosen : mapping, optional
        Lists of banks (``bank``, None for cards whose bank is not known) and of months (``expiry``,
        ``YYYY-MM``) that are chosen to begin with.
    history : sequence of Snapshot, optional
        What the forecast learns from; the earlier snapshots of the store when not given, and none
        makes no forecast.
    banks : BankNames, optional
        Names of banks; those of the package when not given.
    export_to : str
        Name of the file that is proposed for the list.

    Raises
    ------
    UsageError
        A parameter cannot be read.

    Examples
    --------
    ::

        radar = ExpiryRadar(tv.open_snapshot("vault-data"), within="60D")
        radar                                             # as the last line of a cell
        radar.choose(banks=["HDFC Bank"], months=["2027-01"])  # what a click on a cell does
        radar.wait()
        radar.outreach                                    # the customers to write to
    """

    def __init__(
        self,
        snapshot: ArrowStream,
        *,
        as_of: date | datetime | str | None = None,
        within: Within = "90D",
        where: Where = None,
        chosen: Mapping[str, Sequence[str | None]] | None = None,
        history: Sequence[Snapshot] | None = None,
        banks: BankNames | None = None,
        export_to: str = "outreach.csv",
    ) -> None:
        super().__init__("expiry-radar")
        self._as_of = None if as_of is None else day_of(as_of)
        self._day = day_of(self._as_of)
        self._within = within
        self._days = outlook.days_of(within, self._day)
        self._where = read_where(where)
        self._chosen = outlook.read_chosen(chosen)
        self._snapshot = snapshot
        self._history = history
        self._names = banks
        self._cube = cube_of(snapshot)
        self._counts = self._counted()
        self._list = OutreachList(snapshot, self._where, banks)
        self._clicks = Clicks(lambda error: self._said.show(("warning", in_a_sentence(error))))
        self._foreseen: list[Block] = []
        self._foreseeing: Latest[tuple[date, int]] = Latest(self._foresee, self._cannot_foresee)
        self._build(export_to)
        self._show()
        self._ask()
        self._ask_forecast()

    @property
    def state(self) -> dict[str, Any]:
        """``as_of`` (None for today), ``within``, ``where`` and ``chosen``, as plain data."""
        with self._clicks.lock:
            return {
                "as_of": None if self._as_of is None else self._as_of.isoformat(),
                "within": outlook.within_data(self._within),
                "where": None if self._where is None else self._where.to_dict(),
                "chosen": outlook.chosen_data(self._chosen),
            }

    @property
    def as_of(self) -> date:
        """The day expiry is judged on."""
        return self._day

    @property
    def within(self) -> Within:
        """How far ahead it looks, as it was given or picked."""
        return self._within

    @property
    def headline(self) -> Headline:
        """The figures that are shown, of the chosen cards."""
        with self._clicks.lock:
            return self._counts.headline(self._day, self._days, self._chosen)

    @property
    def outreach(self) -> ResultTable | None:
        """The customers whose last usable card is a chosen one; None until they are found."""
        return self.list.table

    def choose(self, *, banks: Sequence[str | None] = (), months: Sequence[str] = ()) -> None:
        """Choose cards by bank and month of expiry, as clicks do; all when none is named.

        Raises
        ------
        UsageError
            A bank or a month is none.
        """
        with self._clicks.lock:
            self._chosen = outlook.read_chosen({"bank": banks, "expiry": months})
            self._show()
            self._ask()

    def judge(
        self, as_of: date | datetime | str | None = None, *, within: Within | None = None
    ) -> None:
        """Judge expiry on another day (None for today), or look as far ahead as said.

        Raises
        ------
        UsageError
            The day or the horizon cannot be read; nothing was changed.
        """
        with self._clicks.lock:
            wanted = self._within if within is None else within
            day = day_of(as_of)
            days = outlook.days_of(wanted, day)
            self._as_of = None if as_of is None else day
            self._day, self._within, self._days = day, wanted, days
            if self._where is not None and "expires_in" in self._where.columns:
                self._counts = self._counted()
            self._show()
            self._ask()
            self._ask_forecast()

    def wait(self, timeout_seconds: float | None = 60) -> bool:
        """Wait until list, forecast and export have caught up; say whether they have."""
        return self.list.join(timeout_seconds) and self._foreseeing.wait(timeout_seconds)

    def static_html(self) -> str:
        """Return figures, calendar, heat map, forecast, and the first masked rows of the list."""
        with self._clicks.lock:
            return "".join(
                (
                    as_html(self._headline_blocks()),
                    expiry_figures(self._counts, self._day, self._days, self._chosen),
                    as_html(self._foreseen),
                    rows_html(self.list.table, LISTED, PAGE_ROWS),
                    as_html(self._choice_blocks()),
                )
            )

    # The page.

    def _build(self, export_to: str) -> None:
        self.controls = ExpiryControls(
            on_day=self._clicks.guarded(self.judge),
            on_days=self._clicks.guarded(lambda days: self.judge(self._as_of, within=f"{days}D")),
            on_clear=lambda: self._clicks.guarded(lambda _: self.choose())(None),
        )
        self._figures = named(Prose(is_live=True), "headline")
        self.calendar = named(Bars(title=CALENDAR_TITLE, form="columns"), "calendar")
        self.map = named(HeatMap(corner="Bank"), "map")
        self.list = ListPane(
            "outreach",
            columns=LISTED,
            path=export_to,
            unit="customer",
            empty="No customer's last usable card is among the chosen ones.",
        )
        self._forecast = named(Prose(is_live=True), "forecast")
        self._code = named(Prose(), "choice")
        self._said = named(Prose(is_live=True), "said")
        self.calendar.observe(self._clicks.guarded(self._on_calendar), "chosen")
        self.map.observe(self._clicks.guarded(self._on_map), "chosen")
        self.children = (
            self._figures,
            self.controls,
            self._said,
            self.calendar,
            self.map,
            self._forecast,
            self.list,
            self._code,
        )

    def _headline_blocks(self) -> list[Block]:
        found = self._counts.headline(self._day, self._days, self._chosen)
        blocks = outlook.headline_blocks(
            found, as_of=self._day, days=self._days, where=self._where, chosen=self._chosen
        )
        return [*blocks, *partial_blocks(self._snapshot)]

    def _choice_blocks(self) -> list[Block]:
        return outlook.choice_blocks(
            self._chosen, as_of=self._day, within=self._within, where=self._where
        )

    def _show(self) -> None:
        """Show what was counted; nothing that is set here counts as a click."""
        with self._clicks.setting():
            self.controls.show(self._day, self._days, is_chosen=bool(self._chosen))
            self._show_calendar()
            self._show_map()
        self._figures.show(*self._headline_blocks())
        self._code.show(*self._choice_blocks())
        self._said.show()

    def _show_calendar(self) -> None:
        first, months = outlook.calendar_span(self._day)
        self._months = outlook.months_from(first, months)
        with self.calendar.hold_sync():
            self.calendar.labels = [month_name(month) for month in self._months]
            self.calendar.counts = self._counts.calendar(first, months, self._chosen)
            self.calendar.total = self._counts.headline(
                self._day, self._days, Chosen(banks=self._chosen.banks)
            ).cards
            self.calendar.past = outlook.MONTHS_BACK
            self.calendar.chosen = _places(self._months, self._chosen.months)
            self.calendar.note = outlook.calendar_note(self._counts, self._day, self._chosen)

    def _show_map(self) -> None:
        first, months, inside = outlook.map_span(self._day, self._days)
        grid = self._counts.grid(first, months)
        counts = grid.counts.tolist()
        totals = grid.counts.sum(axis=0).tolist() if counts else [0] * months
        kept = outlook.MOST_BANKS
        rows = [outlook.bank_name(bank) for bank in grid.banks[:kept]]
        if len(grid.banks) > kept:
            rows.append(f"{len(grid.banks) - kept:,} other banks")
            counts = [*counts[:kept], grid.counts[kept:].sum(axis=0).tolist()]
        self._map_banks, self._map_months = grid.banks[:kept], grid.months
        with self.map.hold_sync():
            self.map.title = outlook.map_title(months)
            self.map.rows, self.map.columns = rows, [month_name(one) for one in grid.months]
            self.map.shorts, self.map.counts = self.map.columns, counts
            self.map.totals, self.map.choosable = totals, len(self._map_banks)
            self.map.border = inside if inside < months else 0
            self.map.border_label = outlook.border_label(self._days)
            self.map.chosen = {
                "rows": _places(self._map_banks, self._chosen.banks),
                "columns": _places(self._map_months, self._chosen.months),
            }

    def _ask(self) -> None:
        day, days, chosen = self._day, self._days, self._chosen
        self.list.ask(
            lambda: self._list.of(day, days, chosen), caption="Looking for customers to write to"
        )

    def _ask_forecast(self) -> None:
        is_possible = isinstance(self._snapshot, Snapshot) and (
            self._history is None or len(self._history) > 0
        )
        if is_possible:
            self._foreseeing.ask((self._day, self._days))

    def _foresee(self, asked: tuple[date, int]) -> None:
        """Forecast once the list is there, which somebody waits for."""
        self.list.join()
        if self._foreseeing.is_overtaken:
            return
        if self._history is None:
            assert isinstance(self._snapshot, Snapshot)  # noqa: S101  else nothing was asked
            self._history = history_of(self._snapshot)
        day, days = asked
        self._show_forecast(
            forecast_blocks(
                self._history, as_of=day, days=days, is_narrowed=self._where is not None
            )
        )

    def _cannot_foresee(self, error: Exception) -> None:
        self._show_forecast([("subheading", FORECAST_TITLE), ("note", in_a_sentence(error))])

    def _show_forecast(self, blocks: list[Block]) -> None:
        self._foreseen = blocks
        self._forecast.show(*blocks)

    def _counted(self) -> ExpiryCounts:
        return ExpiryCounts(self._cube, self._where, as_of=self._day, names=self._names)

    # What is clicked.

    def _on_calendar(self, change: Mapping[str, Any]) -> None:
        self.choose(banks=self._chosen.banks, months=[self._months[at] for at in change["new"]])

    def _on_map(self, change: Mapping[str, Any]) -> None:
        rows, columns = change["new"]["rows"], change["new"]["columns"]
        self.choose(
            banks=[self._map_banks[at] for at in rows],
            months=[self._map_months[at] for at in columns],
        )


def _places(values: Sequence[str | None], chosen: Sequence[str | None]) -> list[int]:
    return [place for place, value in enumerate(values) if value in chosen]
