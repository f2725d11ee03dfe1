"""Arrow tables as pandas frames: Arrow-backed columns, categories where values are few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tokenvault_data.dataset.columns import OUTCOME_NAMES
from tokenvault_data.dataset.vocabulary import CLOSED

if TYPE_CHECKING:
    import pandas as pd

_CLOSED = CLOSED | {"outcome": OUTCOME_NAMES}


def to_frame(table: pa.Table | pa.RecordBatch) -> pd.DataFrame:
    """Turn a table into a DataFrame.

    Parameters
    ----------
    table : pyarrow.Table or pyarrow.RecordBatch
        Any columns of the pinned schemas.

    Returns
    -------
    pandas.DataFrame
        ``pandas.ArrowDtype`` columns with a RangeIndex; low-cardinality columns are pandas
        categoricals. Columns of closed vocabulary always have all of its values as categories,
        in the same order, so that frames of several batches can be concatenated.
    """
    import pandas as pd

    def dtype_of(arrow_type: pa.DataType) -> Any:
        return None if pa.types.is_dictionary(arrow_type) else pd.ArrowDtype(arrow_type)

    whole = pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table
    frame: pd.DataFrame = whole.unify_dictionaries().to_pandas(types_mapper=dtype_of)
    for name in frame.columns.intersection(list(_CLOSED)):
        frame[name] = frame[name].cat.set_categories(list(_CLOSED[name]))
    return frame
