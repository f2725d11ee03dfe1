"""The four boxes of a panel for collecting, as one: what can be chosen, and what they show."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import ipywidgets

from tokenvault_data.errors import UsageError
from tokenvault_data.widgets.collect.account_box import AccountBox
from tokenvault_data.widgets.collect.customers_box import CustomersBox
from tokenvault_data.widgets.collect.estimate import Estimate, read_limit
from tokenvault_data.widgets.collect.job import is_at_work_here
from tokenvault_data.widgets.collect.run_buttons import IDLE, Offer, Phase, RunButtons, labels
from tokenvault_data.widgets.collect.text import plan_blocks
from tokenvault_data.widgets.parts.layout import LABELS, WIDE, blocks_of, card, named, row
from tokenvault_data.widgets.parts.text import ProgressView, Prose, as_html

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tokenvault_data.client.blocking import Vault
    from tokenvault_data.collection.customer_list import CustomerList
    from tokenvault_data.config.loading import Profile
    from tokenvault_data.emulator.settings import EmulatorSettings
    from tokenvault_data.widgets.collect.job import PendingRun
    from tokenvault_data.widgets.parts.text import Block


_SPOKEN_EVERY_SECONDS: Final = 1.0  # the sentence is read out whenever it changes

_HINT: Final = "To start takes an account that can be used, and a list of customers."


class RunBox:
    """Shows how a collection goes.

    Parameters
    ----------
    on_click : mapping of str to callable
        See `RunButtons`.

    Attributes
    ----------
    box : ipywidgets.Box
    """

    def __init__(self, on_click: Mapping[str, Callable[[], None]]) -> None:
        self._buttons = RunButtons(on_click)
        self._progress = named(ProgressView(label="Collection"), "progress-view")
        self._notice = named(Prose(is_live=True), "notice")
        self._outcome = named(Prose(is_live=True), "outcome")
        self._hint = Prose()
        self._spoken_at = float("-inf")
        shown = (self._buttons.box, self._hint, self._progress, self._notice, self._outcome)
        self.box = card("Collection", *shown)

    def offer(self, offer: Offer) -> None:
        """Show the buttons that make sense, or what there has to be before there are any."""
        self._buttons.show(offer)
        nothing = offer.phase in IDLE and not labels(offer)
        self._hint.show(("note", _HINT) if nothing else None)

    def say(self, text: str, *, fraction: float = -1.0, tone: str = "running") -> None:
        """Say how far it is; without a text there is no bar either."""
        self._spoken_at = time.monotonic()
        self._progress.show(text, fraction=fraction, tone=tone)

    def say_again(self, text: str, *, fraction: float) -> None:
        """Say how far it is by now; the bar moves at once, the sentence once a second."""
        if time.monotonic() - self._spoken_at >= _SPOKEN_EVERY_SECONDS:
            self.say(text, fraction=fraction)
        else:
            self._progress.fraction = fraction

    def notify(self, *blocks: Block) -> None:
        """Show these words in place of earlier ones; none takes them away."""
        self._notice.show(*blocks)

    def conclude(self, *blocks: Block) -> None:
        """Show what came of it; none takes that away."""
        self._outcome.show(*blocks)

    def blocks(self) -> Iterator[Block]:
        """What the box says."""
        if self._progress.text:
            yield "text", self._progress.text
        yield from blocks_of(self._notice)
        yield from blocks_of(self._outcome)


class PlanBox:
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
        """What the box says."""
        yield from blocks_of(self._said)


class CollectBoxes:
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
    account : AccountBox
    customers : CustomersBox
    plan : PlanBox
    run : RunBox
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
        self.account = AccountBox(profile, emulator, on_choice)
        self.account.check.on_click(lambda _: check())
        self.customers = CustomersBox(customers, column, on_choice)
        self.plan = PlanBox(share, limit_per_minute, self._show_plan)
        self.run = RunBox(buttons)
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
