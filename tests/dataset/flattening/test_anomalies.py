import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from tokenvault_data.dataset.flattening import canonical as module
from tokenvault_data.dataset.flattening.canonical import KINDS, AnomalyRows, count_codes


def test_codes_are_joined_in_order_and_counted_once():
    """A row's codes stand in alphabetical order, and counting the column gives them back."""
    found = AnomalyRows()
    found.add("par", "empty", np.array([True, False, True]))
    found.add("card_type", "unknown", pa.array([True, None, False]))
    column = found.column(3, pa.array(["par:type", None, None]))
    assert column.to_pylist() == ["card_type:unknown;par:empty;par:type", None, "par:empty"]
    assert count_codes([column, column.slice(2)]) == Counter(
        {("par", "empty"): 3, ("card_type", "unknown"): 1, ("par", "type"): 1}
    )


def test_no_anomalies_no_texts():
    """A clean batch has a column of nulls."""
    column = AnomalyRows().column(2, pa.nulls(2, pa.string()))
    assert column.to_pylist() == [None, None]
    assert count_codes([column]) == Counter()


def test_every_kind_is_explained():
    """Each kind that the code uses has its sentence, and no sentence is without a use."""
    folder = Path(module.__file__).parent
    sources = "".join(path.read_text() for path in folder.glob("*.py"))
    before, _, after = sources.partition("KINDS: dict[str, str] = {")
    sources = before + after.partition("\n}\n")[2]
    for kind in KINDS:
        assert re.search(rf'[":]{kind}"', sources), kind
    used = set(re.findall(r'(?:issues\.add\(f?"[^"]*:|found\.add\(\S+, ")([a-z_]+)"', sources))
    assert used <= set(KINDS)
    assert len(used) > 5
