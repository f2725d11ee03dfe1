"""Which cards a cleanup is about, as a panel offers it: a few choices, or a rule handed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.cleanup.plan.summary import names_somebody
from tokenvault_data.cleanup.selection import rules
from tokenvault_data.cleanup.selection.rules import Rule, as_rule
from tokenvault_data.dataset.today import day_of, today_in_india
from tokenvault_data.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from tokenvault_data.analysis.filters.filters import Predicate

CHOICES: Final = {
    "expired_for": "Expired for at least so many days",
    "expired_on": "Expired as of a day",
    "inactive": "Status is INACTIVE",
    "duplicates": "Duplicates, keeping the newest",
    "given": "The rule handed in",
}
"""What can be chosen, and how a panel calls it."""

DEFAULT_DAYS: Final = 180


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """What is chosen.

    Attributes
    ----------
    kind : str
        One of `CHOICES`.
    days : int
        Of ``expired_for``.
    day : date or None
        Of ``expired_on``; None is today in India.
    given : Rule or None
        Of ``given``, which can only be chosen where there is one.
    """

    kind: str = "expired_for"
    days: int = DEFAULT_DAYS
    day: date | None = None
    given: Rule | None = None

    @property
    def as_of(self) -> date | None:
        """The day on which cards are to be judged usable; None is today in India."""
        return self.day if self.kind == "expired_on" else None

    def rule(self) -> Rule:
        """Return the rule as of now.

        Raises
        ------
        UsageError
            A value is missing or out of range.
        """
        if self.kind == "expired_for":
            return rules.expired_for(self.days, today_in_india())
        if self.kind == "expired_on":
            return rules.expired(self.day or today_in_india())
        if self.kind == "inactive":
            return rules.inactive()
        if self.kind == "duplicates":
            return rules.duplicates()
        if self.given is None:
            raise UsageError("No rule was handed in; nothing was selected; choose another one.")
        return self.given

    def to_dict(self) -> dict[str, Any] | None:
        """Return the choice as data that `as_choice` reads; None for a rule that names somebody."""
        if self.kind == "given" and self.given is not None:
            if names_somebody(self.given):
                return None
            return {"choice": self.kind, "rule": self.given.to_dict()}
        form: dict[str, Any] = {"choice": self.kind}
        if self.kind == "expired_for":
            form["days"] = self.days
        if self.kind == "expired_on":
            form["day"] = None if self.day is None else self.day.isoformat()
        return form


def as_choice(rule: Rule | Predicate | Mapping[str, Any] | None) -> RuleChoice:
    """Read what a panel is given as its rule.

    Parameters
    ----------
    rule : Rule, Predicate or mapping, optional
        A rule or condition, what `Rule.to_dict` makes of one, or what `RuleChoice.to_dict` makes.

    Raises
    ------
    UsageError
        It is none of them.
    """
    if rule is None:
        return RuleChoice()
    if not isinstance(rule, dict):
        return RuleChoice("given", given=as_rule(rule))  # type: ignore[arg-type]  # checked there
    if "choice" not in rule:
        return RuleChoice("given", given=Rule.from_dict(rule))
    kind, more = rule["choice"], {name: value for name, value in rule.items() if name != "choice"}
    wanted = {"expired_for": {"days"}, "expired_on": {"day"}, "given": {"rule"}}.get(kind, set())
    if kind not in CHOICES or set(more) != wanted:
        raise UsageError(
            "The rule is not written as a panel writes one; nothing was selected; give a rule, or"
            " a choice such as {'choice': 'expired_for', 'days': 180}."
        )
    if kind == "given":
        return RuleChoice(kind, given=Rule.from_dict(more["rule"]))
    if kind == "expired_on":
        return RuleChoice(kind, day=None if more["day"] is None else day_of(more["day"]))
    made = RuleChoice(kind, **more)
    made.rule()  # so that a wrong number of days is told now
    return made
