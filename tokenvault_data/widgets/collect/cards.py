"""The four cards of a panel for collecting, as one: what can be chosen, and what they show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from tokenvault_data.widgets.collect.account_card import AccountCard
from tokenvault_data.widgets.collect.customers_card import CustomersCard
from tokenvault_data.widgets.collect.job import is_at_work_here
from tokenvault_data.widgets.collect.plan_card import PlanCard
from tokenvault_data.widgets.collect.run_buttons import IDLE, Offer, Phase
from tokenvault_data.widgets.collect.run_card import RunCard
from tokenvault_data.widgets.parts.layout import named
from tokenvault_data.widgets.parts.text import as_html

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.collection.customer_list import CustomerList
    from tokenvault_data.config.loading import Profile
    from tokenvault_data.emulator.settings import EmulatorSettings
    from tokenvault_data.widgets.collect.pending_run import PendingRun
    from tokenvault_data.widgets.parts.text import Block


class CollectCards:
    """Account, customers, plan, and the collection under way.

    Parameters
    ----------
    profile, customers, column, share, limit_per_minute, emulator
        As for `CollectPanel`.
    on_choice : callable
        Called when another account or list was chosen.
    on_click : mapping of str to callable
        What each button does: ``check``, and those of `RunButtons`.

    Attributes
    ----------
    account : AccountCard
    customers : CustomersCard
    plan : PlanCard
    run : RunCard
    boxes : tuple of ipywidgets.Box
        For the page.
    """

    def __init__(
        self,
        profile: str | Profile | Vault,
        customers: object,
        *,
        column: str | None,
        share: float,
        limit_per_minute: int | None,
        emulator: EmulatorSettings | None,
        on_choice: Callable[[], None],
        on_click: Mapping[str, Callable[[], None]],
    ) -> None:
        buttons = dict(on_click)
        check = buttons.pop("check")
        self._pending: PendingRun | None = None
        self.account = AccountCard(profile, emulator, on_choice)
        self.account.check.on_click(lambda _: check())
        self.customers = CustomersCard(customers, column, on_choice)
        self.plan = PlanCard(share, limit_per_minute, self._show_plan)
        self.run = RunCard(buttons)
        choices = (self.account.box, self.customers.box, self.plan.box)
        self.boxes = (named(ipywidgets.Box(choices), "grid"), self.run.box)

    @property
    def list_read(self) -> CustomerList | None:
        """The customers as they were read; None without a list."""
        return self.customers.customers

    def vault(self) -> Vault:
        """Give a vault of the account, at the pace that was chosen.

        Raises
        ------
        UsageError
            There is no account that can be used, or the limit as typed is none.
        """
        return self.account.vault(self.plan.share, self.plan.limit_per_minute)

    def learn(self, told_per_minute: int | None) -> None:
        """Take note of the limit that the vault has told, or tells not."""
        if self.account.learn(told_per_minute):
            self._show_plan()

    def enter(self, phase: Phase, pending: PendingRun | None, *, retryable: int) -> None:
        """Let be chosen and clicked what makes sense in a phase, and reckon with what is left."""
        self._pending = pending
        can_choose = phase in IDLE or phase == "elsewhere"
        self.account.enable(choice=can_choose, check=phase in IDLE)
        self.customers.enable(enabled=can_choose)
        self.plan.enable(enabled=phase in IDLE and self.account.given_share is None)
        self.run.offer(
            Offer(
                phase,
                has_list=self.list_read is not None and self.account.access is not None,
                left=None if pending is None else pending.glance.left,
                is_same_list=pending is not None and pending.is_of(self.list_read),
                failed=retryable,
                can_pause_elsewhere=pending is not None and is_at_work_here(pending.glance.run_id),
            )
        )
        self._show_plan()

    @property
    def chosen(self) -> dict[str, Any]:
        """What was chosen, as `CollectPanel` takes it."""
        return {
            "profile": self.account.profile_name,
            "customers": self.customers.path,
            "column": self.customers.column,
            "share": self.plan.share,
            "limit_per_minute": self.plan.stated_per_minute,
        }

    def static_html(self) -> str:
        """Return what is shown now as HTML without script."""
        said: dict[str, Iterator[Block]] = {
            "Account": self.account.blocks(),
            "Customers": self.customers.blocks(),
            "Plan": self.plan.blocks(),
            "Collection": self.run.blocks(),
        }
        return "".join(
            as_html([("subheading", heading), *blocks]) for heading, blocks in said.items()
        )

    def _show_plan(self) -> None:
        customers, pending = self.list_read, self._pending
        count = None if customers is None else len(customers)
        is_ours = pending is not None and not pending.glance.is_worked_on
        if pending is not None and is_ours and pending.is_of(customers):
            count = pending.glance.left
        self.plan.show(count, self.account.told_per_minute, self.account.given_share)
