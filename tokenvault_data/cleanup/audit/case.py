"""What the parts of an audit work on together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tokenvault_data.cleanup.approval.approvers import Trust
    from tokenvault_data.cleanup.audit.findings import Findings
    from tokenvault_data.cleanup.audit.replay import Replay
    from tokenvault_data.cleanup.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class Case:
    """One campaign under audit.

    Attributes
    ----------
    folder : Path
    plan : Plan
    replay : Replay
        Takes the records; of all of them once the journal was read.
    trust : Trust
    findings : Findings
        Gets what should not be.
    notes : list of str
        Gets what is no fault, and should be known.
    """

    folder: Path
    plan: Plan
    replay: Replay
    trust: Trust
    findings: Findings
    notes: list[str] = field(default_factory=list)
