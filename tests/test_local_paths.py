"""A path is one of this machine, or it is refused."""

import ast
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tokenvault_data
from tokenvault_data.errors import UsageError
from tokenvault_data.local_paths import local_path

PACKAGE = Path(tokenvault_data.__file__).parent
SCHEMES = ("s3", "s3a", "gs", "az", "abfss", "https", "http", "hdfs", "file", "postgresql", "ftp")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("make", [str, Path, str.upper, lambda text: f" {text}"])
def test_an_address_is_refused_without_what_it_holds(scheme, make):
    """Whatever the scheme, also after pathlib has taken a slash away; a password is not shown."""
    with pytest.raises(UsageError) as caught:
        local_path(make(f"{scheme}://user:sesame@host.example/bucket/store"))
    assert f"({scheme}:" in str(caught.value)
    for private in ("sesame", "user", "host.example", "bucket"):
        assert private not in str(caught.value).lower()


@pytest.mark.parametrize(
    "address",
    [
        *("postgresql+psycopg://u:sesame@h/db", "github::sesame", "s3:/sesame", "az:sesame/x"),
        *("jdbc:postgresql://u:sesame@h/db", "jdbc:sqlserver:sesame", "arn:aws:s3:::b/sesame"),
        *("u:sesame@host:/p/x.csv", "sesame@host:/p/x.csv", "snowflake:sesame", "sftp:sesame"),
    ],
)
@pytest.mark.parametrize("make", [str, Path])
def test_odd_addresses_are_refused_too(address, make):
    """Dialects, chained and opaque addresses, copies over ssh, and one that lost a slash."""
    with pytest.raises(UsageError) as caught:
        local_path(make(address))
    assert "sesame" not in str(caught.value)


def test_bytes_are_no_path():
    """One sentence in place of a TypeError."""
    with pytest.raises(UsageError, match="bytes"):
        local_path(b"vault-data")


@pytest.mark.parametrize(
    "path",
    [
        "vault-data",
        "/tmp/a:b",
        "C:/data",
        "C:\\data",
        "./s3:/x",
        "a/s3://b",
        "10:30",
        "x:",
        "a@b.csv",
        "2026-12-01T10:30:00/x",
        "me@home/x:y",
    ],
)
def test_a_path_is_a_path(path):
    """Colons elsewhere, and drives, are no addresses."""
    assert local_path(path) == Path(path)


@given(st.text(st.characters(exclude_characters="\0:", exclude_categories=["Cs"])))
def test_what_has_no_colon_passes_unchanged(text):
    """Nothing is tidied up, but a tilde that leads."""
    assume(not Path(text).parts or not Path(text).parts[0].startswith("~"))
    assert local_path(text) == Path(text)


def test_no_function_takes_a_path_around_the_door():
    """Wherever a path may be given as text, it is `local_path` that makes a path of it."""
    around = []
    for file in PACKAGE.rglob("*.py"):
        if "emulator" in file.parts or file.name == "local_paths.py":
            continue  # the emulator imports nothing of ours
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            given_as_text = {
                one.arg
                for one in (*function.args.args, *function.args.kwonlyargs)
                if one.annotation and {"PathLike", "Path"} & _names(one.annotation)
                if "str" in _names(one.annotation)
            }
            if not given_as_text:
                continue
            around += [
                f"{file.name}: {ast.unparse(call)}"
                for call in ast.walk(function)
                if isinstance(call, ast.Call)
                and isinstance(call.func, ast.Name)
                and call.func.id == "Path"
                and call.args
                and given_as_text & _names(call.args[0])
            ]
    assert around == []


def _names(tree):
    return {
        node.id if isinstance(node, ast.Name) else node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
    }


def test_a_tilde_is_the_home_directory_for_everyone(tmp_path, monkeypatch):
    """As in a shell and in pandas; a folder that is really called so is not taken for a home."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert local_path("~/store") == local_path(Path("~/store")) == tmp_path / "home" / "store"
    assert local_path("./~/store") == tmp_path / "~" / "store"
    assert local_path("~$list.csv") == tmp_path / "~$list.csv"
    assert local_path("store/~") == Path("store/~")
