"""The plan of a cleanup, as people meet it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokenvault_data.cleanup.plan import summary
from tokenvault_data.cleanup.plan.content import PlanContent

if TYPE_CHECKING:
    from tokenvault_data.dataset.tables import ResultTable


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Plan(PlanContent):
    """A cleanup, frozen: made by `plan_cleanup`, read by `read_plan`.

    Its attributes are those of `PlanContent`; its text is what an approver reads.
    """

    def counts(self, by: str) -> ResultTable:
        """Return the planned cards by ``card_network``, ``bank`` or another column of the cards.

        Returns
        -------
        ResultTable
            The column, ``cards``, ``customers`` and ``share``; months where it is ``expires_on``.
        """
        return summary.counts(self, by)

    def sample(self, cards: int = 10) -> ResultTable:
        """Return some cards of the plan, spread evenly over it; a screen shows ids masked."""
        return summary.sample(self, cards)

    def __repr__(self) -> str:
        return f"<Plan {self.id}: {summary.headline(self)}>"

    def __str__(self) -> str:
        return summary.plan_text(self)
