"""House rules that import contracts cannot express: what the pure parts call, how files are named, what is banned."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("appliance", "edge_agent", "tui", "provisioning")
PURE = (
    *sorted(ROOT.glob("appliance/core/*.py")),
    *sorted(ROOT.glob("edge_agent/core/*.py")),
    *sorted(ROOT.glob("provisioning/fleet/core/*.py")),
    *sorted(ROOT.glob("tui/view/*.py")),
    ROOT / "provisioning/hub/waves.py",
    *(ROOT / f"tui/{name}.py" for name in ("rows", "look", "cells", "keys", "terminal")),
)
BANNED_NAMES = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py"}
BANNED_SUFFIXES = ("Manager", "Handler", "Service", "Helper", "Processor")
IMPURE_CALLS = {"open", "print", "input", "eval", "exec", "__import__"}
IMPURE_ATTRIBUTES = {
    "now",
    "today",
    "utcnow",
    "time",
    "monotonic",
    "urandom",
    "token_bytes",
    "token_hex",
    "uuid4",
    "random",
}
LINES_MAX = 400


def sources() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT)))
def test_pure_parts_neither_read_the_clock_nor_touch_the_world(path: Path) -> None:
    """Decisions must be functions of their arguments, or no simulation of them is worth anything."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    named = [call.func.id for call in calls if isinstance(call.func, ast.Name) and call.func.id in IMPURE_CALLS]
    reached = [
        ast.unparse(call.func)
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in IMPURE_ATTRIBUTES
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in {"datetime", "date", "time", "os", "secrets", "uuid", "random"}
    ]
    assert named + reached == []


def test_files_and_classes_are_named_after_things_of_the_field() -> None:
    """A name that says nothing is where a house begins to rot."""
    bad_files = [path for path in sources() if path.name in BANNED_NAMES]
    bad_classes = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and node.name.endswith(BANNED_SUFFIXES)
    ]
    assert (bad_files, bad_classes) == ([], [])


def test_no_module_has_grown_past_reading() -> None:
    """A module is one idea; past this many lines it holds two."""
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources()
        if (lines := len(path.read_text().splitlines())) > LINES_MAX
    }
    assert long == {}


def test_every_module_says_what_it_is() -> None:
    """A newcomer reads the first line of a file before any other."""
    silent = [
        str(path.relative_to(ROOT))
        for path in sources()
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_importing_a_module_has_no_effect_and_works_alone() -> None:
    """Work at import time cannot be tested, timed or undone."""
    for package in PACKAGES:
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def test_no_shell_and_no_unseen_host_key_anywhere() -> None:
    """A string given to a shell, or a host key taken on trust, is how a county's box is lost."""
    bad = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in sources()
        for word in ("shell=True", "AutoAddPolicy", "WarningPolicy", "os.system", "StrictHostKeyChecking=no")
        if word in path.read_text()
    ]
    assert bad == []


@pytest.mark.parametrize("module", ["os", "sqlite3", "secrets"])
def test_what_the_simulator_replaces_is_called_by_the_name_of_its_module(module: str) -> None:
    """`from os import rename` would keep the kernel's own and write around the simulated disk (ADR 17)."""
    imported = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module == module
    ]
    assert imported == []
