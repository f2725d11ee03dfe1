"""The pace of a collection: our share of the limit, and what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets

from tokenvault_data.errors import UsageError
from tokenvault_data.widgets.collect.estimate import Estimate, read_limit
from tokenvault_data.widgets.collect.text import plan_blocks
from tokenvault_data.widgets.parts.card import LABELS, WIDE, blocks_of, card, row
from tokenvault_data.widgets.parts.layout import named
from tokenvault_data.widgets.parts.text import Prose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tokenvault_data.widgets.parts.text import Block


class PlanCard:
    """A choice of pace, and an estimate.

    Parameters
    ----------
    share : float
        The part of the account's limit to use.
    limit_per_minute : int or None
        The limit as the user states it; None to go by what the account says.
    on_change : callable
        Called when another pace was chosen.

    Attributes
    ----------
    box : ipywidgets.Box
    """

    def __init__(
        self, share: float, limit_per_minute: int | None, on_change: Callable[[], None]
    ) -> None:
        self._share = named(
            ipywidgets.BoundedFloatText(
                value=share * 100,
                min=0.1,
                max=100.0,
                step=5.0,
                description="Our share, %",
                style=LABELS,
                layout={"width": "11em"},
            ),
            "share",
        )
        self._limit = named(
            ipywidgets.Text(
                value="" if limit_per_minute is None else f"{limit_per_minute:,}",
                placeholder="as the account says",
                description="Limit a minute",
                continuous_update=False,
                style=LABELS,
                layout=WIDE,
            ),
            "limit",
        )
        self._said = named(Prose(is_live=True), "plan")
        self.box = card("Plan", row(self._share), self._limit, self._said)
        for control in (self._share, self._limit):
            control.observe(lambda _: on_change(), "value")

    @property
    def share(self) -> float:
        """The part of the limit to use."""
        percent: float = self._share.value
        return round(percent / 100, 6)

    @property
    def limit_per_minute(self) -> int | None:
        """The limit as stated; None where none is.

        Raises
        ------
        UsageError
            What was typed is no limit.
        """
        return read_limit(self._limit.value)

    @property
    def stated_per_minute(self) -> int | None:
        """The limit as stated; None also where what was typed is none."""
        try:
            return self.limit_per_minute
        except UsageError:
            return None

    def show(
        self, customers: int | None, told_per_minute: int | None, given_share: float | None
    ) -> None:
        """Reckon with so many customers (None: no list), and the limit as told by the vault.

        A `given_share` is that of the caller's vault, which no pace can be chosen for.
        """
        problem, stated = "", None
        try:
            stated = self.limit_per_minute
        except UsageError as error:
            problem = str(error)
        estimate = None
        if customers is not None:
            share = self.share if given_share is None else given_share
            estimate = Estimate(customers, share, told_per_minute, stated)
        self._said.show(*plan_blocks(estimate, problem))

    def enable(self, *, enabled: bool) -> None:
        """Let another pace be chosen, or none."""
        self._share.disabled = self._limit.disabled = not enabled

    def blocks(self) -> Iterator[Block]:
        """What the card says."""
        yield from blocks_of(self._said)
