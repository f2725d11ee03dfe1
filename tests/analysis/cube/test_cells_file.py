from __future__ import annotations

import json
import os
import shutil

import pyarrow.parquet as pq
import pytest
from analysis_cases import card, publish

from tokenvault_data.analysis.cards.source import open_source
from tokenvault_data.analysis.cube.building import build_cells
from tokenvault_data.analysis.cube.cells import cube_folder, keep_cells, read_cells
from tokenvault_data.analysis.cube.cube import cube_of
from tokenvault_data.dataset.snapshots import open_snapshot

_VAULT = {
    "c0": [card("i0"), card("i1", card_network="amex", card_bank_name='=1+"1"\n🏦')],
    "c1": [card("i2", expiry_month=None)],
}


@pytest.fixture
def snapshot(tmp_path):
    return publish(tmp_path / "store", _VAULT)


def _rewrite(path, *, metadata=None, columns=None):
    table = pq.read_table(path)
    for name, values in (columns or {}).items():
        table = table.set_column(table.schema.get_field_index(name), name, [values])
    if metadata is not None:
        facts = json.loads(table.schema.metadata[b"tokenvault_cube"]) | metadata
        table = table.replace_schema_metadata({b"tokenvault_cube": json.dumps(facts)})
    pq.write_table(table, path)


def _flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(bytes(data))


DAMAGES = {
    "cut off": lambda f: os.truncate(f / "cells.parquet", 200),
    "emptied": lambda f: (f / "spread.parquet").write_bytes(b""),
    "a byte flipped in a page": lambda f: _flip(f / "cells.parquet", 40),
    "one file gone": lambda f: (f / "spread.parquet").unlink(),
    "all files gone": lambda f: [path.unlink() for path in f.iterdir()],
    "another format": lambda f: _rewrite(f / "cells.parquet", metadata={"format": 0}),
    "another digest": lambda f: _rewrite(f / "cells.parquet", metadata={"digest": "0" * 64}),
    "a dimension less": lambda f: _rewrite(f / "cells.parquet", metadata={"values": {}}),
    "values of no use": lambda f: _rewrite(f / "cells.parquet", metadata={"values": 3}),
    "other customers": lambda f: _rewrite(f / "cells.parquet", metadata={"customers": 9}),
    "a card too many": lambda f: _rewrite(f / "cells.parquet", columns={"cards": [1, 1, 2]}),
    "a code of no value": lambda f: _rewrite(f / "cells.parquet", columns={"card_bank": [9, 1, 1]}),
    "numbers missing": lambda f: _rewrite(f / "cells.parquet", columns={"cards": [1, 1, None]}),
    "a pair of no cell": lambda f: _rewrite(f / "spread.parquet", columns={"cell": [0, 7]}),
    "a negative cell": lambda f: _rewrite(f / "spread.parquet", columns={"cell": [0, -7]}),
    "no metadata": lambda f: pq.write_table(
        pq.read_table(f / "cells.parquet").replace_schema_metadata(None), f / "cells.parquet"
    ),
    "a folder in place of a file": lambda f: (
        (f / "cells.parquet").unlink(),
        (f / "cells.parquet").mkdir(),
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_cube_is_counted_again(snapshot, damage):
    """A kept cube that is not whole is not believed, and a good one takes its place."""
    right = cube_of(snapshot).counts(["card_network", "bank", "expiry"])
    DAMAGES[damage](cube_folder(snapshot))
    assert read_cells(snapshot) is None
    assert cube_of(snapshot).counts(["card_network", "bank", "expiry"]) == right
    assert read_cells(snapshot) is not None


def test_kept_beside_the_snapshots(snapshot, tmp_path):
    """The cube is in `cubes` of the store by id, digest and version, and nothing else is left."""
    cube_of(snapshot)
    folder = tmp_path / "store" / "cubes" / f"{snapshot.id}-{snapshot.digest[:16]}-v1"
    assert sorted(path.name for path in folder.iterdir()) == ["cells.parquet", "spread.parquet"]
    assert list(folder.parent.iterdir()) == [folder]
    assert [path.name for path in (tmp_path / "store" / "snapshots").iterdir()] == [snapshot.id]
    assert open_snapshot(tmp_path / "store").id == snapshot.id


def test_snapshot_outside_of_a_store(snapshot, tmp_path):
    """The cube of a snapshot that was copied somewhere is kept beside the copy."""
    copy = tmp_path / "elsewhere" / snapshot.id
    shutil.copytree(snapshot.path, copy)
    cube_of(open_snapshot(copy))
    assert [path.name for path in (tmp_path / "elsewhere").iterdir() if path != copy] == ["cubes"]


def test_cube_of_another_snapshot(snapshot, tmp_path):
    """A cube that lies under the name of another snapshot is not believed."""
    other = publish(tmp_path / "store", {"c0": [card("i0")] * 3})
    cube_of(snapshot)
    shutil.copytree(cube_folder(snapshot), cube_folder(other))
    assert read_cells(other) is None
    assert cube_of(other).counts([]).to_pylist() == [{"cards": 3, "customers": 1}]


def test_no_ids_are_kept(snapshot):
    """No customer id and no instrument id stands in what is kept."""
    cube_of(snapshot)
    tables = [pq.read_table(path) for path in cube_folder(snapshot).iterdir()]
    assert not [n for table in tables for n in table.schema.names if n.endswith("_id")]
    texts = b"".join(b"".join((table.schema.metadata or {}).values()) for table in tables)
    assert not [name for name in (b'"c0"', b'"c1"', b'"i0"') if name in texts]


def test_store_that_cannot_be_written(snapshot, tmp_path):
    """Where nothing can be written the counts are right all the same, and nothing is left."""
    (tmp_path / "store" / "cubes").write_text("in the way")
    for _ in range(2):
        assert cube_of(snapshot).counts([]).to_pylist() == [{"cards": 3, "customers": 2}]
    assert not keep_cells(snapshot, build_cells(open_source(snapshot)))
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == ["cubes", "snapshots"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write everywhere"
)
def test_store_without_permission(snapshot, tmp_path):
    """A store without the permission to write is no error."""
    (tmp_path / "store").chmod(0o500)
    try:
        assert cube_of(snapshot).cards == 3
    finally:
        (tmp_path / "store").chmod(0o700)
