"""Which columns of a query's answer are made of ids, told from the query."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from tokenvault_data.dataset.masked_ids import holds_text, is_identifying
from tokenvault_data.dataset.readers import open_duckdb
from tokenvault_data.dataset.schema import INSTRUMENTS, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

_IDS: Final = frozenset(
    name for schema in (INSTRUMENTS, OUTCOMES) for name in schema.names if is_identifying(name)
)
_WORD = re.compile(r"\w+")


def made_of_ids(query: str, answer: pa.Schema) -> list[str]:
    """Return the columns of text in an answer that are, or may be, made of ids.

    A name given to anything in which an id occurs is one of ids wherever the query uses it, so
    that too much is masked rather than too little.

    Parameters
    ----------
    query : str
        One SELECT.
    answer : pyarrow.Schema
        Its columns.
    """
    texts = [field.name for field in answer if holds_text(field.type)]
    with open_duckdb({}) as parser:
        (tree_text,) = parser.execute("SELECT json_serialize_sql(?)", [query]).fetchall()[0]
    tree = json.loads(tree_text)
    nodes = list(_nodes(tree))
    if tree.get("error") or any(map(_renames_unseen, nodes)):
        return texts
    items = [item for node in nodes for item in node.get("select_list", ())]
    named = [
        (_name(item), {name for one in _nodes(item) for name in _refers(one)}) for item in items
    ]
    ids = set(_IDS)
    while found := {name for name, names in named if name and names & ids} - ids:
        ids |= found
    return [name for name in texts if ids & {*_WORD.findall(name.casefold()), name.casefold()}]


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(part)


def _renames_unseen(node: dict[str, Any]) -> bool:
    """Say whether columns get names here otherwise than behind AS."""
    kind = node.get("type")
    aliases = node.get("column_name_alias") or node.get("aliases")
    unseen = {"SET_OPERATION_NODE", "PIVOT", "RECURSIVE_CTE_NODE", "SHOW_REF"}  # SUMMARIZE, too
    return bool(aliases) or kind in unseen


def _name(item: dict[str, Any]) -> str:
    return str(item.get("alias") or (item.get("column_names") or [""])[-1]).casefold()


def _refers(node: dict[str, Any]) -> list[str]:
    return [str(name).casefold() for name in node.get("column_names", ())]
