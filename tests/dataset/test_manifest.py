import json

import pytest
from dataset_cases import publish

from tokenvault_data.dataset.manifest import read_manifest
from tokenvault_data.errors import SnapshotError


@pytest.fixture
def written(tmp_path):
    snapshot = publish(tmp_path, "fetched", "failed", "empty")
    return snapshot.id, (snapshot.path / "manifest.json").read_bytes()


def test_what_it_says(written):
    """The manifest adds up and names every file."""
    identifier, data = written
    manifest = read_manifest(data, identifier)
    assert manifest.requested == 3
    assert manifest.outcomes == {"fetched": 1, "empty": 1, "failed": 1, "not_attempted": 0}
    assert manifest.failures == {"http_500": 1}
    assert (manifest.instruments, manifest.complete) == (2, False)
    assert [(e.path, e.rows) for e in manifest.files] == [
        ("instruments/part-00000.parquet", 2),
        ("outcomes/part-00000.parquet", 3),
    ]


def test_canonical_json(written):
    """Same content, same bytes: sorted keys, no spaces, one line."""
    identifier, data = written
    assert read_manifest(data, identifier).to_json() == data
    assert (
        data.decode() == json.dumps(json.loads(data), sort_keys=True, separators=(",", ":")) + "\n"
    )


def test_any_changed_value_shows(written):
    """Every value of the manifest is under its digest."""
    identifier, data = written
    content = json.loads(data)
    for key, value in content.items():
        if key in {"format", "schema_version"}:
            continue
        changed = content | {key: f"{value}x"}
        with pytest.raises(SnapshotError, match=f"manifest of snapshot {identifier} is damaged"):
            read_manifest(json.dumps(changed).encode(), identifier)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "delta"}, "not a snapshot of this toolkit"),
        ({"schema_version": 99}, "upgrade the toolkit"),
    ],
)
def test_foreign_and_newer(written, change, words):
    """Another format and a newer version are told apart from damage."""
    identifier, data = written
    with pytest.raises(SnapshotError, match=words):
        read_manifest(json.dumps(json.loads(data) | change).encode(), identifier)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000])
def test_garbage(data):
    """Whatever stands in the file, the answer is one sentence."""
    with pytest.raises(SnapshotError, match="20260101T000000Z-abcdef"):
        read_manifest(data, "20260101T000000Z-abcdef")


def test_a_renamed_folder_is_noticed(written):
    """A copy under another id cannot pass for another snapshot."""
    identifier, data = written
    with pytest.raises(SnapshotError, match=f"holds snapshot {identifier}"):
        read_manifest(data, "other")
