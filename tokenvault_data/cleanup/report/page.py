"""The completion report as one page: what was planned, what became of it, and what proves it.

It opens from disk without a network or a script, and holds no id in clear.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tokenvault_data.cleanup.audit.replay import moment
from tokenvault_data.cleanup.audit.rules import FINALS, GONE, LEFT
from tokenvault_data.cleanup.journal.states import FINAL_MEANINGS
from tokenvault_data.cleanup.plan.summary import describe, shown_sentence
from tokenvault_data.dataset.manifest import toolkit_version
from tokenvault_data.redaction import mask_id
from tokenvault_data.reports.charts.rendered import missing_part
from tokenvault_data.text import counted, percent

if TYPE_CHECKING:
    from tokenvault_data.cleanup.audit.audit import AuditResult
    from tokenvault_data.cleanup.audit.replay import Replay
    from tokenvault_data.cleanup.plan.plan import Plan

SHOWN_EXCEPTIONS: Final = 200
"""Rows of the table of exceptions; the others are counted, and are in the CSV and Parquet forms."""

_WORDS: Final = {
    "completed": "Completed: every card is gone",
    "completed_with_exceptions": "Completed with exceptions",
    "aborted": "Aborted",
    "halted": "Halted on a fault",
}


class ReportFigure(NamedTuple):
    """One figure of the summary."""

    number: str
    label: str
    detail: str
    is_alarming: bool = False


def completion_page(
    plan: Plan, replay: Replay, result: AuditResult, *, generated_at: datetime | None = None
) -> str:
    """Return the page.

    Parameters
    ----------
    plan : Plan
    replay : Replay
    result : AuditResult
        Of the same campaign.
    generated_at : datetime, optional
        What the page says of when it was written; now when not given.

    Raises
    ------
    UsageError
        The optional part ``report`` is not installed.
    """
    try:
        import jinja2
    except ImportError:
        raise missing_part() from None
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style = (
        resources.files("tokenvault_data.reports.page").joinpath("report.css").read_text("utf-8")
    )
    template = resources.files("tokenvault_data.cleanup.report").joinpath("template.html.j2")
    rows = _exceptions(plan, replay)
    page: str = environment.from_string(template.read_text("utf-8")).render(
        title=f"Cleanup of {counted(len(plan.cards), 'saved card')}",
        about=f"{plan.environment}, plan {plan.id}, {shown_sentence(plan.rule)}",
        state=_state_in_words(replay, result),
        is_journal_lost=_is_journal_lost(replay, result),
        state_reason=replay.reason,
        result=result,
        figures=_figures(plan, replay, result),
        totals=_totals(result),
        exceptions=rows[:SHOWN_EXCEPTIONS],
        exceptions_total=len(rows),
        course=[
            (_instant(one.at), one.detail["to"], one.detail["reason"] or "") for one in replay.moves
        ],
        described=describe(plan),
        people=_people(plan, replay, result),
        facts=_facts(result, generated_at or datetime.now(UTC)),
        style=style,
        style_hash="sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
    return page


def _is_journal_lost(replay: Replay, result: AuditResult) -> bool:
    """Whether something is wrong, and no journal says what was done."""
    return replay.opened_at is None and not result.ok


def _state_in_words(replay: Replay, result: AuditResult) -> str:
    if _is_journal_lost(replay, result):
        return "Not known: the journal is missing or cannot be read"
    return _WORDS.get(result.state, f"Not over: {result.state}")


def _figures(plan: Plan, replay: Replay, result: AuditResult) -> list[ReportFigure]:
    planned = len(plan.cards)
    gone = sum(result.finals.get(final, 0) for final in GONE)
    left = sum(result.finals.get(final, 0) for final in LEFT)
    began, ended = moment(replay.opened_at or ""), moment(replay.last_at or "")
    took = "not begun" if began is None or ended is None else _duration(ended - began)
    found = len(result.findings)
    if _is_journal_lost(replay, result):
        return [
            ReportFigure("Unknown", "cards gone", f"of {planned:,} planned", is_alarming=True),
            ReportFigure(
                "Unknown",
                "requests sent",
                "the journal is missing or cannot be read",
                is_alarming=True,
            ),
            ReportFigure(
                f"{found:,}", "faults found by the audit", _audited(result), is_alarming=True
            ),
        ]
    return [
        ReportFigure(
            f"{gone:,}", "cards gone", f"{percent(gone / planned)} of {planned:,} planned"
        ),
        ReportFigure(
            f"{left + result.open:,}",
            "exceptions",
            f"{left:,} ended otherwise, {result.open:,} still open",
            left + result.open > 0,
        ),
        ReportFigure(took, "from start to end", "with all waiting, holding and pausing"),
        ReportFigure(f"{replay.requests:,}", "requests", f"{replay.deletes:,} of them deletes"),
        ReportFigure(f"{found:,}", "faults found by the audit", _audited(result), found > 0),
    ]


def _audited(result: AuditResult) -> str:
    if not result.ok:
        return "see the proof below"
    if not result.complete:
        return "so far: the campaign is not over"
    if not result.anchors:
        return "nothing outside its files vouches for it"
    return f"vouched for by the {', the '.join(result.anchors)}"


def _totals(result: AuditResult) -> list[tuple[str, str, str, str]]:
    def row(name: str, count: int, meaning: str) -> tuple[str, str, str, str]:
        share = percent(count / result.planned) if result.planned else ""
        return name.replace("_", " "), f"{count:,}", share, meaning

    rows = [row(final, result.finals.get(final, 0), FINAL_MEANINGS[final]) for final in FINALS]
    return [*rows, row("open", result.open, "Its end is not written down yet.")]


def _exceptions(plan: Plan, replay: Replay) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for planned, trail in zip(plan.cards, replay.cards, strict=True):
        if trail.final not in LEFT:
            continue
        last = trail.attempts[-1] if trail.attempts else None
        answer = "" if last is None else f"{last.outcome or 'unknown'} {last.status or ''}".strip()
        rows.append(
            (
                f"{planned.number:,}",
                mask_id(planned.customer_id),
                mask_id(planned.instrument_id),
                planned.bank or "Not known",
                (trail.final or "").replace("_", " "),
                trail.reason or "",
                f"{trail.sends:,}",
                answer.replace("_", " "),
            )
        )
    return rows


def _people(plan: Plan, replay: Replay, result: AuditResult) -> list[tuple[str, str]]:
    given = {(one.approver, one.fingerprint): one for one in result.approvals}
    known = {True: ", key known here", False: ", key NOT known here", None: ""}
    approved = [
        f"{one.approver} on {_instant(one.approved_at)}, key {one.fingerprint[:12]}, signature"
        f" holds{known[one.is_known]}"
        for one in given.values()
    ]
    started = [f"{one.detail['by']} on {_instant(one.at)}" for one in replay.confirmed]
    return [
        ("Planned by", f"{plan.planner} on {_instant(plan.created_at)}"),
        ("Approved by", "; ".join(approved) or "nobody"),
        ("Confirmed by", "; ".join(started) or "nobody"),
    ]


def _facts(result: AuditResult, generated_at: datetime) -> list[tuple[str, str]]:
    return [
        ("Digest of the plan", result.plan_digest or "none"),
        ("Records of the journal", f"{result.records:,}"),
        ("Head of its audit", result.audit_head or "none"),
        ("Digest of the seal", result.seal_digest or "not sealed"),
        ("This page", f"{_instant(generated_at.isoformat())}, tokenvault-data {toolkit_version()}"),
    ]


def _instant(text: Any) -> str:
    at = moment(str(text))
    return str(text) if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _duration(passed: timedelta) -> str:
    seconds = max(0, round(passed.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min"
