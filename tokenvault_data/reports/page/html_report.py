"""One HTML file that says what a vault holds, for people who have no Python.

It needs no network, no script and no other file; it holds aggregates only, none of fewer customers
than the smallest cell. What it says is decided in `facts`, `sections` and
`summary`; here it becomes a page.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.dataset.durable_files import check_place, write_whole
from tokenvault_data.dataset.manifest import toolkit_version
from tokenvault_data.local_paths import local_path
from tokenvault_data.reports.charts.rendered import missing_part
from tokenvault_data.reports.disclosure.suppression import SMALLEST_CELL, check_smallest_cell

if TYPE_CHECKING:
    import os
    from datetime import date
    from pathlib import Path

    from tokenvault_data.dataset.bank_names import BankNames
    from tokenvault_data.dataset.frames import ArrowStream

SUFFIXES: Final = (".html", ".htm")
_TITLE: Final = "Saved cards in the vault"


def report(
    source: ArrowStream,
    path: str | os.PathLike[str],
    *,
    against: ArrowStream | None = None,
    as_of: date | datetime | str | None = None,
    title: str | None = None,
    smallest_cell: int = SMALLEST_CELL,
    banks: BankNames | None = None,
) -> Path:
    """Write a report as one HTML file.

    An existing file is replaced, but only by a whole one.

    Parameters
    ----------
    source : Snapshot, or object with ``__arrow_c_stream__``
        The cards.
    path : str or path
        Where to; ``.html``.
    against : the same, optional
        An older snapshot; the report then says what has changed since.
    as_of : date, datetime or str, optional
        The day on which expiry is judged; today in India when not given.
    title : str, optional
        The heading of the report.
    smallest_cell : int
        Customers that a published group has at least.
    banks : BankNames, optional
        Names of banks; those in the package when not given.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UsageError
        Something given cannot be used, or the optional part ``report`` is not installed; nothing
        was written.
    TokenVaultError
        The file cannot be written; what was there before is untouched.
    """
    path = local_path(path)
    check_place(path, SUFFIXES)
    page = report_page(
        source,
        against=against,
        as_of=as_of,
        title=title,
        smallest_cell=smallest_cell,
        banks=banks,
    )
    return write_whole(path, page.encode())


def report_page(
    source: ArrowStream,
    *,
    against: ArrowStream | None = None,
    as_of: date | datetime | str | None = None,
    title: str | None = None,
    smallest_cell: int = SMALLEST_CELL,
    banks: BankNames | None = None,
    generated_at: datetime | None = None,
) -> str:
    """Return the page that `report` writes.

    Parameters
    ----------
    source, against, as_of, title, smallest_cell, banks
        As `report` takes them.
    generated_at : datetime, optional
        What the page says of when it was written; now when not given. Equal arguments give equal
        pages.
    """
    check_smallest_cell(smallest_cell)
    template = _template()
    from tokenvault_data.reports.disclosure.published_quality import VERDICT_WORDS
    from tokenvault_data.reports.labels import one_line
    from tokenvault_data.reports.page import sections, summary
    from tokenvault_data.reports.page.facts import gather

    facts = gather(source, against=against, as_of=as_of, smallest_cell=smallest_cell, banks=banks)
    about = summary.about_line(facts)
    shown = [sections.breakdown_section(facts), sections.expiry_section(facts)]
    changes = sections.changes_section(facts)
    shown += [] if changes is None else [changes]
    style, script = _resource("report.css"), _resource("report.js")
    page: str = template.render(
        title=one_line(title, 120) if title else _TITLE,
        about=about,
        facts=facts,
        key_figures=summary.key_figures(facts),
        hidden_note=summary.hidden_note(facts),
        findings=summary.findings(facts, shown),
        sections=shown,
        checks=summary.check_groups(facts),
        verdict_words=VERDICT_WORDS,
        collection=summary.collection_lines(
            facts, generated_at or datetime.now(UTC), toolkit_version()
        ),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    return page


def _template() -> Any:
    try:
        import jinja2
    except ImportError:
        raise missing_part() from None
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_resource("report_template.html.j2"))


def _resource(name: str) -> str:
    return resources.files("tokenvault_data.reports.page").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    """Return the source expression by which a content security policy allows this text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
