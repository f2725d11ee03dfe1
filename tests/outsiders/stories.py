"""Stories that tests of several files ask about, and how to read what came of a campaign."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from campaign_files import read_journal, read_plan
from checker import read_evidence
from small_vault import shop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from checker import Evidence
    from conftest import Stage
    from driver import Plan, Ran


def about(story: Callable[..., SimpleNamespace], *arguments: object) -> pytest.MarkDecorator:
    """Mark a test with the story that it asks about."""
    return pytest.mark.story.with_args(story, *arguments)


def short_and_long(cases: Iterable[Any], short: int) -> list[Any]:
    """Keep the first cases in the short form, and the others for the long one."""
    chosen = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [
        pytest.param(*case, marks=pytest.mark.chaos if number >= short else ())
        for number, case in enumerate(chosen)
    ]


def finals(plan: Plan) -> dict[str, str]:
    """Give how each planned card has ended, by the journal."""
    rows = read_plan(plan.path).rows
    return {
        rows[number]["instrument_id"]: final
        for number, final in read_journal(plan.journal).finals.items()
    }


def evidence_of(told: SimpleNamespace, *plans: Plan, **more: Any) -> Evidence:
    """Read all that can be known of a story's campaigns; of `told.plan` where none is named."""
    return read_evidence(
        told.vault,
        [plan.folder for plan in plans or (told.plan,)],
        settings=told.world.config,
        store=told.world.store,
        from_request=told.world.collected,
        **more,
    )


def quick(story: Callable[..., SimpleNamespace]) -> Callable[..., SimpleNamespace]:
    """Mark a story as one that no test has to wait for."""
    story.quick = True  # type: ignore[attr-defined]
    return story


def seal_digest(ran: Ran) -> str:
    """Read the digest of the seal from an audit's JSON."""
    return str(json.loads(ran.out)["seal_digest"])


def two_plans(stage: Stage) -> SimpleNamespace:
    """Carry out two approved plans of one snapshot: every visa, then every mastercard."""
    vault = stage.vault(shop(8))
    world = stage.world(vault)
    public_key = world.keygen("asha")["public_key"]
    world.trust(public_key)
    visa = world.plan("--where", "card_network=visa")
    mastercard = world.plan("--where", "card_network=mastercard")
    approved = [world.approve(plan.id, "asha") for plan in (visa, mastercard)]
    ended = [world.carry_out(visa), world.carry_out(mastercard)]
    return SimpleNamespace(
        vault=vault, world=world, visa=visa, mastercard=mastercard, approved=approved, ended=ended
    )
