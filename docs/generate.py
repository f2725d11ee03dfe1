# noqa: INP001  a script beside the pages, not part of a package
"""Write the parts of the pages that the code knows better than any author.

``python docs/generate.py`` brings all pages up to date; a test fails when one is not. Such a part
stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tokenvault_data.dataset.schema import Column

PAGES = Path(__file__).resolve().parent
_PART = re.compile(r"(<!-- generated: (?P<name>[^>]+?) -->\n).*?(<!-- end -->)", re.DOTALL)
_EVERYWHERE = ("--help",)


def up_to_date(page: str) -> str:
    """Return a page with its generated parts made anew."""
    return _PART.sub(lambda part: f"{part[1]}\n{_written(part['name'])}\n{part[3]}", page)


def _written(name: str) -> str:
    kind, _, argument = name.partition(" of ")
    return _WRITERS[kind](argument)


def commands() -> dict[str, Any]:
    """All commands of the real command line, by name; those of a group after its name."""
    from typer.main import get_command

    from tokenvault_data.cli.main import app

    found: dict[str, Any] = {}
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        for inner, one in getattr(command, "commands", {"": command}).items():
            found[f"{name} {inner}".strip()] = one
    return found


def _options(command: str) -> str:
    rows = []
    for parameter in commands()[command].params:
        if parameter.opts[0] in _EVERYWHERE:
            continue
        named = parameter.opts[0].startswith("--")
        shown = " ".join(filter(None, (parameter.opts[0] * named, parameter.metavar)))
        if parameter.required:
            default = "required"
        elif parameter.default is None or parameter.default is False or parameter.default == "":
            default = ""
        else:
            default = f"`{parameter.default}`"
        rows.append((f"`{shown}`", parameter.help, default))
    return _table(("option", "meaning", "default"), rows)


def _columns(table: str) -> str:
    from tokenvault_data.dataset.derived_dimensions import DERIVED_COLUMNS
    from tokenvault_data.dataset.schema import INSTRUMENT_COLUMNS, OUTCOME_COLUMNS

    columns = {
        "instruments": INSTRUMENT_COLUMNS,
        "derived": DERIVED_COLUMNS,
        "outcomes": OUTCOME_COLUMNS,
    }[table]
    rows = [(f"`{column.name}`", _type(column), column.description) for column in columns]
    return _table(("column", "type", "meaning"), rows)


def _type(column: Column) -> str:
    from tokenvault_data.dataset.schema import CATEGORY

    name = "category" if column.type == CATEGORY else str(column.type)
    return name if column.nullable else f"{name}, never null"


def _anomalies(_: str) -> str:
    from tokenvault_data.dataset.flattening.canonical import KINDS

    return _table(("kind", "meaning"), [(f"`{kind}`", words) for kind, words in KINDS.items()])


def _fault_kinds(_: str) -> str:
    from tokenvault_data.emulator.faults.faults import KINDS, STATUS_KIND

    def row(name: str, kind: Any) -> tuple[str, str, str, str]:
        value = ", ".join(kind.choices) or kind.value_meaning
        default = f" (`{kind.default}`)" if kind.default else ""
        return name, kind.effect, f"{value}{default}" if value else "", kind.group

    rows = [row(STATUS_KIND.name, STATUS_KIND)]
    rows += [row(f"`{name}`", kind) for name, kind in KINDS.items()]
    return _table(("kind", "effect", "value (default)", "group"), rows)


def _item_states(_: str) -> str:
    from tokenvault_data.cleanup.journal.states import ITEM_TRANSITIONS

    return _moves(ITEM_TRANSITIONS)


def _item_ends(_: str) -> str:
    from tokenvault_data.cleanup.journal.states import FINAL_MEANINGS

    return _table(("ends as", "what is true"), [(f"`{k}`", v) for k, v in FINAL_MEANINGS.items()])


def _campaign_states(_: str) -> str:
    from tokenvault_data.cleanup.journal.states import CAMPAIGN_TRANSITIONS

    return _moves(CAMPAIGN_TRANSITIONS)


def _moves(transitions: Mapping[str, frozenset[str]]) -> str:
    order = list(transitions)
    rows = [
        (f"`{state}`", ", ".join(f"`{after}`" for after in sorted(to, key=order.index)) or "(ends)")
        for state, to in transitions.items()
    ]
    return _table(("state", "may move to"), rows)


def _answers(_: str) -> str:
    from tokenvault_data.cleanup.engine.responses import TABLE

    def effect(name: str) -> str:
        return "" if name == "none" else f", {name}"

    rows = [
        (
            row.words,
            f"{row.delete.replace('_', ' ')}{effect(row.delete_effect)}",
            f"{row.fetch}{effect(row.fetch_effect)}",
        )
        for row in TABLE.values()
    ]
    return _table(("answer", "to a delete", "to a fetch"), rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


_WRITERS: dict[str, Callable[[str], str]] = {
    "options": _options,
    "columns": _columns,
    "anomalies": _anomalies,
    "fault kinds": _fault_kinds,
    "item states": _item_states,
    "item ends": _item_ends,
    "campaign states": _campaign_states,
    "answers": _answers,
}


if __name__ == "__main__":
    for path in sorted(PAGES.glob("*.md")):
        path.write_text(up_to_date(path.read_text(encoding="utf-8")), encoding="utf-8")
