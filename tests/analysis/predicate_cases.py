"""Random tables and conditions, and an evaluator that shares no code with ours."""

import operator
from datetime import UTC, date, datetime

import pyarrow as pa
from hypothesis import strategies as st

from tokenvault_data.analysis.filters.filters import All, AnyOf, Compare, IsIn, Not

ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}

TEXTS = st.one_of(
    st.sampled_from(
        ["HDFC BANK", "O'Hara", 'a"b', "a,b", "(none)", "", " ", "é", "e\u0301", "missing"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)
DATES = st.one_of(
    st.dates(date(2024, 1, 1), date(2024, 1, 5)),
    st.dates(),
)
INSTANTS = st.one_of(
    st.datetimes(datetime(2024, 1, 1), datetime(2024, 1, 1, 0, 0, 3)),  # noqa: DTZ001 - zone below
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001 - zone below
).map(lambda moment: moment.replace(tzinfo=UTC))

# Column: the type it is held in, and its values.
COLUMNS = {
    "card_network": (
        pa.dictionary(pa.int32(), pa.string()),
        st.sampled_from(["visa", "mastercard", "rupay", "amex", "diners"]),
    ),
    "card_bank": (pa.dictionary(pa.int32(), pa.string()), TEXTS),
    "customer_id": (pa.string(), TEXTS),
    "expiry_month": (pa.int8(), st.integers(-3, 14)),
    "list_position": (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "expires_on": (pa.date32(), DATES),
    "created_at": (pa.timestamp("us", "UTC"), INSTANTS),
}


@st.composite
def tables(draw, max_rows=8):
    rows = draw(st.integers(0, max_rows))
    columns = {}
    for name, (arrow_type, values) in COLUMNS.items():
        cells = draw(st.lists(st.none() | values, min_size=rows, max_size=rows))
        cut = draw(st.integers(0, rows))
        columns[name] = pa.chunked_array(
            [pa.array(part, arrow_type) for part in (cells[:cut], cells[cut:])], arrow_type
        )
    return pa.table(columns)


@st.composite
def comparisons(draw):
    column = draw(st.sampled_from(sorted(COLUMNS)))
    values = COLUMNS[column][1]
    if draw(st.booleans()):
        return IsIn(column, tuple(draw(st.lists(st.none() | values, max_size=4))))
    return Compare(column, draw(st.sampled_from(sorted(ORDERS))), draw(values))


def predicates(max_leaves=8):
    return st.recursive(
        comparisons(),
        lambda parts: st.one_of(
            st.lists(parts, max_size=3).map(lambda some: All(tuple(some))),
            st.lists(parts, max_size=3).map(lambda some: AnyOf(tuple(some))),
            parts.map(Not),
        ),
        max_leaves=max_leaves,
    )


def truth(predicate, row):
    """Decide by the definitions of Kleene: None for unknown."""
    match predicate:
        case IsIn(column, values):
            if row[column] is None:
                return True if None in values else None
            return any(row[column] == value for value in values)
        case Compare(column, sign, value):
            return None if row[column] is None else ORDERS[sign](row[column], value)
        case Not(part):
            inner = truth(part, row)
            return None if inner is None else not inner
        case All(parts):
            truths = [truth(part, row) for part in parts]
            return False if False in truths else (None if None in truths else True)
        case AnyOf(parts):
            truths = [truth(part, row) for part in parts]
            return True if True in truths else (None if None in truths else False)
