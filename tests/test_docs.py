"""README, pages and docstrings say what the code does."""

import doctest
import importlib
import importlib.util
import pkgutil
import re
from pathlib import Path

import pytest

import tokenvault_data
from tokenvault_data.cli import exit_codes
from tokenvault_data.config.loading import list_profiles
from tokenvault_data.config.profile import KEYS
from tokenvault_data.emulator.dialects import DIALECTS
from tokenvault_data.emulator.faults.faults import read_faults
from tokenvault_data.emulator.routing import OPERATIONS
from tokenvault_data.emulator.server import Emulator
from tokenvault_data.emulator.settings import EmulatorSettings

ROOT = Path(tokenvault_data.__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(page.name for page in DOCS.glob("*.md"))


def page(name):
    return (DOCS / name).read_text(encoding="utf-8")


def generator():
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", PAGES)
def test_generated_parts_are_up_to_date(name):
    """Options, columns and fault kinds are those of the code; else: python docs/generate.py."""
    assert generator().up_to_date(page(name)) == page(name)


def test_every_command_has_a_section():
    """The page on the command line has a section with options for each command, and no others."""
    commands = set(generator().commands())
    sections = re.findall(r"^## tokenvault (\w+(?: \w+)?)$", page("commands.md"), re.MULTILINE)
    assert sorted(sections) == sorted(commands)
    for command in commands:
        section = page("commands.md").split(f"## tokenvault {command}\n")[1].split("\n## ")[0]
        assert f"<!-- generated: options of {command} -->" in section


def test_exit_codes_are_documented():
    """Page and README name each exit code."""
    codes = {value for name, value in vars(exit_codes).items() if name.isupper() and name[0] != "_"}
    documented = re.findall(r"^\| (\d+) \|", page("commands.md"), re.MULTILINE)
    assert {int(code) for code in documented} == codes
    readme = (ROOT / "README.md").read_text(encoding="utf-8").split("**Exit codes**")[1]
    assert {
        int(code) for code in re.findall(r"\b(\d+) [a-z]", readme.split("`--json`")[0])
    } == codes


def test_both_tables_and_all_kinds_have_a_place():
    """The generated parts that must be there are there."""
    assert "<!-- generated: columns of instruments -->" in page("columns.md")
    assert "<!-- generated: columns of outcomes -->" in page("columns.md")
    assert "<!-- generated: fault kinds -->" in page("emulator.md")
    assert "<!-- generated: options of emulator -->" in page("emulator.md")


def test_fault_examples_can_be_read():
    """Every fault in the page's examples is one that the emulator understands."""
    section = page("emulator.md").split("| example | meaning |")[1].split("\n\n")[0]
    examples = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    assert len(examples) == 8
    for example in examples:
        assert len(read_faults(example)) == 1
    for operation in OPERATIONS:
        assert f"`{operation}`" in page("emulator.md")


def test_dialects_are_documented():
    """The page's table of dialects has each version, its years and its months."""
    for dialect in DIALECTS.values():
        (line,) = re.findall(rf"^\| {dialect.version} \|.*$", page("emulator.md"), re.MULTILINE)
        network, card_type, created_at, year, month = line.strip("| ").split(" | ")[1:]
        assert network == ("`VISA`" if dialect.upper_case_network else "`visa`")
        assert card_type == ("`DEBIT_CARD`" if dialect.upper_case_type else "`debit_card`")
        assert ("+05:30" in created_at) == (dialect.created_at == "india")
        assert ("+00:00" in created_at) == (dialect.created_at == "utc")
        assert year == ("`2028`" if dialect.four_digit_year else "`23`")
        assert month == ("`05`" if dialect.padded_month else "`5`")


def test_every_variable_and_setting_of_profiles_is_documented():
    """Variables that the code reads, and settings that the file may have, are on the page."""
    sources = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("tokenvault_data", "tokenvault_data/config")
        for path in (ROOT / folder).glob("*.py")
    )
    read = set(re.findall(r'"((?:CASHFREE|TOKENVAULT)_[A-Z_]*[A-Z])"', sources))
    assert {"CASHFREE_CLIENT_ID", "TOKENVAULT_BASE_URL", "TOKENVAULT_CONFIG"} <= read
    assert set(re.findall(r"`((?:CASHFREE|TOKENVAULT)_[A-Z_]+)`", page("profiles.md"))) == read
    documented = re.findall(r"^\| `([a-z_]+)` \|", page("profiles.md"), re.MULTILINE)
    assert sorted(documented) == sorted(KEYS)


def test_the_example_of_a_profile_file_is_one(tmp_path):
    """The file shown on the page is accepted as it stands."""
    (example,) = re.findall(r"```toml\n(.*?)```", page("profiles.md"), re.DOTALL)
    file = tmp_path / "profiles.toml"
    file.write_text(example, encoding="utf-8")
    file.chmod(0o600)
    known = list_profiles(environ={}, config_dir=tmp_path)
    assert known == {"shop": "production", "agency": "sandbox", "local": "emulator"}


def test_files_that_the_architecture_names_are_there():
    """Each file of its table exists, and each package of its roads."""
    text, package = page("architecture.md"), ROOT / "tokenvault_data"
    named = re.findall(r"`([a-z_]+(?:/[a-z_]+)*/(?:[a-z_]+\.(?:py|css))?)`", text)
    assert len(named) > 20
    assert [name for name in named if not (package / name).exists()] == []


def test_links_lead_somewhere():
    """Every relative link of README and pages leads to a file that is there."""
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            assert target.startswith("http") or (path.parent / target).is_file(), (path, target)


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    """The examples, one after the other, do what they say against an emulator."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len(blocks) == 3
    monkeypatch.chdir(tmp_path)
    (tmp_path / "customers.csv").write_text("customer_id\ncust_0000001\ncust_0000002\n")
    names = {}
    with Emulator(EmulatorSettings(customers=10)) as emulator:
        monkeypatch.setenv("TOKENVAULT_BASE_URL", emulator.base_url)
        for block in blocks:
            exec(compile(block, "README.md", "exec"), names)
    assert len(names["cards"]) == names["snapshot"].manifest.instruments
    assert names["snapshot"].manifest.requested == 2


def modules_with_examples():
    walked = pkgutil.walk_packages(tokenvault_data.__path__, "tokenvault_data.")
    paths = {found.name: ROOT / f"{found.name.replace('.', '/')}.py" for found in walked}
    paths["tokenvault_data"] = ROOT / "tokenvault_data" / "__init__.py"
    return sorted(
        name for name, path in paths.items() if path.is_file() and ">>> " in path.read_text("utf-8")
    )


@pytest.mark.parametrize("name", modules_with_examples())
def test_docstring_examples_run(name, tmp_path, monkeypatch):
    """What a docstring shows is what happens."""
    monkeypatch.chdir(tmp_path)
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert results.failed == 0
