import pandas as pd
import pyarrow as pa
from dataset_cases import body, card, cards_table, outcomes

from tokenvault_data.dataset.columns import CATEGORIES, INSTRUMENTS
from tokenvault_data.dataset.flatten import flatten
from tokenvault_data.dataset.frames import to_frame


def test_dtypes():
    """Low-cardinality columns are categories, everything else is backed by Arrow."""
    frame = to_frame(cards_table())
    for field in INSTRUMENTS:
        dtype = frame[field.name].dtype
        if field.name in CATEGORIES:
            assert isinstance(dtype, pd.CategoricalDtype), field.name
        else:
            assert dtype == pd.ArrowDtype(field.type), field.name


def test_values_survive():
    """Nulls, dates and instants are those of the table."""
    table = cards_table()
    frame = to_frame(table)
    assert pa.Table.from_pandas(frame, preserve_index=False).to_pylist() == table.to_pylist()


def test_batches_can_be_concatenated():
    """Frames of different batches keep their closed vocabularies when put together."""
    frames = [
        to_frame(flatten([body([card(card_network=name)])]).table) for name in ("VISA", "rupay")
    ]
    together = pd.concat(frames)["card_network"]
    assert isinstance(together.dtype, pd.CategoricalDtype)
    assert together.value_counts().loc[["visa", "rupay"]].tolist() == [1, 1]


def test_columns_batches_and_outcomes():
    """Part of the columns, a record batch, and the other table convert as well."""
    batch = cards_table().select(["customer_id", "card_network"]).to_batches()[0]
    assert to_frame(batch).columns.tolist() == ["customer_id", "card_network"]
    frame = to_frame(outcomes("empty", "failed"))
    assert frame["outcome"].cat.categories.tolist() == [
        "fetched",
        "empty",
        "failed",
        "not_attempted",
    ]
