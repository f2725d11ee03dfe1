"""The names that `import tokenvault_data` promises."""

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import tokenvault_data
from tokenvault_data import types

NAMES = [
    "Approval",
    "AsyncVault",
    "AuditResult",
    "BankNames",
    "Budget",
    "CampaignStatus",
    "Cryptogram",
    "CustomerCards",
    "CustomerList",
    "Holds",
    "Limits",
    "Manifest",
    "Network",
    "Plan",
    "Predicate",
    "Preflight",
    "Profile",
    "Progress",
    "QualitySettings",
    "ResultTable",
    "RetryPolicy",
    "Rule",
    "SigningKey",
    "Simulation",
    "Snapshot",
    "SnapshotListing",
    "TokenVaultError",
    "Vault",
    "VerificationResult",
    "abort_cleanup",
    "apply_cleanup",
    "approve_plan",
    "audit_cleanup",
    "backtest",
    "breakdown",
    "changes",
    "check_cleanup",
    "collect",
    "compare",
    "connect",
    "connect_async",
    "customer_outlook",
    "customers_at_risk",
    "customers_without_usable_card",
    "duplicates",
    "expired",
    "expired_but_active",
    "expired_for",
    "expiring",
    "expiry_calendar",
    "expiry_outlook",
    "export",
    "forecast",
    "identity",
    "identity_members",
    "iter_frames",
    "list_snapshots",
    "listed",
    "load_bank_names",
    "load_holds",
    "load_profile",
    "load_signing_key",
    "open_snapshot",
    "plan_cleanup",
    "quality",
    "quality_rows",
    "read_customers",
    "read_export",
    "read_plan",
    "recover_cleanup",
    "report",
    "report_cleanup",
    "seal_plan",
    "show_ids",
    "simulate_cleanup",
    "verify_cleanup",
    "where",
]
HEAVY = ["pandas", "pyarrow", "numpy", "httpx", "pyreqwest", "rich", "typer", "asyncio"]


def in_a_fresh_process(code):
    """Run code where nothing of ours was imported yet; it prints JSON."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=Path(tokenvault_data.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ended.stdout)


def test_the_names_are_pinned():
    """A name is added or removed on purpose only, and `dir` shows them all."""
    assert tokenvault_data.__all__ == NAMES
    assert set(NAMES) <= set(dir(tokenvault_data))


def test_an_import_costs_next_to_nothing():
    """`import tokenvault_data` loads no table, no HTTP and no terminal library."""
    code = "import json, sys, tokenvault_data; print(json.dumps(list(sys.modules)))"
    assert not set(HEAVY) & set(in_a_fresh_process(code))


def test_what_asks_no_table_loads_no_pandas():
    """To open a snapshot, or to collect one, takes no second for a library that is not used."""
    code = """
import json, sys
import tokenvault_data.collection.collect, tokenvault_data.dataset.snapshots
print(json.dumps(list(sys.modules)))
"""
    assert "pandas" not in in_a_fresh_process(code)


def test_every_name_is_what_its_home_defines():
    """Each name resolves, to a function or class of that very name."""
    for name in NAMES:
        assert getattr(tokenvault_data, name).__name__ == name


def imported_by(module):
    """Where each name comes from that a module's annotations may use."""
    own = (name for name, value in vars(module).items() if not inspect.ismodule(value))
    homes = dict.fromkeys(own, module.__name__)
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom):
            homes |= {alias.asname or alias.name: node.module for alias in node.names}
        if isinstance(node, ast.ClassDef):
            homes[node.name] = module.__name__
    return homes


def signatures_of(thing):
    """Every annotation, as text, of a function, or of what a class shows."""
    if inspect.isclass(thing):
        for name, value in vars(thing).items():
            inner = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
            if inspect.isfunction(inner) and (name == "__init__" or not name.startswith("_")):
                yield from signatures_of(inner)
    elif inspect.isfunction(thing) and thing.__module__.startswith("tokenvault_data."):
        signature = inspect.signature(thing)
        parameters = [one.annotation for one in signature.parameters.values()]
        for annotation in (*parameters, signature.return_annotation):
            if isinstance(annotation, str):
                yield sys.modules[thing.__module__], annotation


def test_every_type_of_a_signature_can_be_imported():
    """What `tv` takes and gives can be named in annotations: from `tv`, or from its `types`."""
    known, missing, seen = {*tokenvault_data.__all__, *vars(types)}, set(), 0
    for public in tokenvault_data.__all__:
        for module, annotation in signatures_of(getattr(tokenvault_data, public)):
            homes = imported_by(module)
            for node in ast.walk(ast.parse(annotation, mode="eval")):
                name = getattr(node, "id", "_")
                is_private = name.startswith("_") or name == "T"
                if not is_private and homes.get(name, "").startswith("tokenvault_data"):
                    seen += 1
                    missing |= {name} - known
    assert not missing
    assert seen > 100


def test_submodules_do_not_hide_names():
    """Whichever submodules were imported before, in whichever order, every name stays itself."""
    code = """
import importlib, json, pkgutil, random, sys
import tokenvault_data as tv
modules = [found.name for found in pkgutil.walk_packages(tv.__path__, "tokenvault_data.")
           if not found.name.endswith("__main__")]
wrong = []
for seed in range(2):
    for name in [name for name in sys.modules if name.startswith("tokenvault_data")]:
        del sys.modules[name]
    tv = importlib.import_module("tokenvault_data")
    random.Random(seed).shuffle(modules)
    for module in modules:
        importlib.import_module(module)
    wrong += [name for name in tv.__all__ if getattr(getattr(tv, name), "__name__", "") != name]
    wrong += [name for name in tv.__all__ if type(getattr(tv, name)).__name__ == "module"]
print(json.dumps(wrong))
"""
    assert in_a_fresh_process(code) == []


def test_an_unknown_name_is_an_attribute_error():
    """A misspelt name fails as it does on any module, so `hasattr` works."""
    assert not hasattr(tokenvault_data, "colect")


def test_the_version_is_the_projects():
    """`__version__` is what the project metadata says."""
    project = Path(tokenvault_data.__file__).parents[1] / "pyproject.toml"
    assert f'\nversion = "{tokenvault_data.__version__}"\n' in project.read_text(encoding="utf-8")


def test_no_signature_shows_the_environment():
    """`help()` prints defaults: none of them is the environment, where credentials may be."""
    secret = "x" * 40
    code = f"""
import os; os.environ["CASHFREE_CLIENT_SECRET"] = {secret!r}
import importlib, inspect, json, pkgutil, tokenvault_data as tv
shown = []
for found in pkgutil.walk_packages(tv.__path__, "tokenvault_data."):
    if found.name.endswith("__main__"):
        continue
    for name, one in inspect.getmembers(importlib.import_module(found.name), callable):
        try:
            said = str(inspect.signature(one))
        except (TypeError, ValueError):
            continue
        if {secret!r} in said:
            shown.append(f"{{found.name}}.{{name}}")
print(json.dumps(shown))
"""
    assert in_a_fresh_process(code) == []
