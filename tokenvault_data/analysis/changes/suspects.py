"""Rows that may be a change, put aside until they are decided, a range of customers at a time.

While they are few they are one part, in memory. More are divided by ranges of customers, each in a
temporary file. So however many there are, one part of them is in memory, and what is sorted within
each part is sorted over all.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from tokenvault_data.dataset.readers import map_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import duckdb

SIDES: Final = ("old", "new")

_BATCH_ROWS: Final = 1 << 17
_NOT_KEPT: Final = ("row_hash", "part")


class Suspects:
    """The suspect rows of both lists.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
    name : str
        The rows of a part are in the views ``old_NAME`` and ``new_NAME``.
    folder : pathlib.Path
        Where files are made, which are not removed.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str, folder: Path) -> None:
        self._connection = connection
        self._name = name
        self._bounds: Sequence[str] = ()
        self._in_memory: dict[str, pa.Table] = {}
        self._folder = folder

    def divide(self, bounds: Sequence[str]) -> None:
        """Forget all rows; of those to come another part begins at each of these customers."""
        self._bounds = bounds
        self._in_memory.clear()

    def fetch(self, side: str, query: str) -> int:
        """Read the suspects of a side.

        Parameters
        ----------
        side : str
        query : str
            Has the columns ``customer_id``, and ``row_hash``, which is not kept.

        Returns
        -------
        int
            A sum of ``row_hash``, right modulo 2**64.
        """
        reached = "".join(f" + (customer_id >= {_quoted(one)})::UTINYINT" for one in self._bounds)
        relation = self._connection.sql(f"SELECT *, 0::UTINYINT{reached} AS part FROM ({query})")  # noqa: S608  names are ours
        reader = relation.to_arrow_reader(_BATCH_ROWS)
        schema = pa.schema([field for field in reader.schema if field.name not in _NOT_KEPT])
        total = 0
        with contextlib.ExitStack() as stack:
            kept: list[pa.RecordBatch] = []
            files = [
                stack.enter_context(pa.ipc.new_file(path, schema)) for path in self._paths(side)
            ]
            for batch in reader:
                total += int(batch["row_hash"].to_numpy().sum(dtype=np.uint64))
                rows, part = batch.select(schema.names), batch["part"].to_numpy()
                if not files:
                    kept.append(rows)
                    continue
                rows = rows.take(pa.array(np.argsort(part, kind="stable")))
                ends = np.cumsum(np.bincount(part, minlength=len(files))).tolist()
                for file, start, end in zip(files, [0, *ends], ends, strict=False):
                    file.write_batch(rows.slice(start, end - start))
        if not files:
            self._in_memory[side] = pa.Table.from_batches(kept, schema)
        return total

    def parts(self) -> Iterator[None]:
        """Put the rows of one part after another into the views; in the end they are gone."""
        for place in range(len(self._bounds) + 1):
            with contextlib.ExitStack() as stack:
                for side in SIDES:
                    rows = self._in_memory.pop(side, None)
                    if rows is None:
                        path = self._paths(side)[place]
                        file = stack.enter_context(map_file(path))
                        rows = pa.ipc.open_file(file).read_all()
                    self._connection.register(f"{side}_{self._name}", rows)
                yield
                for side in SIDES:
                    self._connection.unregister(f"{side}_{self._name}")

    def _paths(self, side: str) -> list[Path]:
        """Return where the parts of a side are; empty for the only one, which is in memory."""
        places = range(len(self._bounds) + 1) if self._bounds else ()
        return [self._folder / f"{side}-{self._name}-{place}.arrow" for place in places]


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
