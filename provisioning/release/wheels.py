"""The wheels of a release: ours, built from a copy of the clone, and what it runs on, by the hashes of a lock."""

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from appliance.core.errors import OperatorError, Text, WorldError
from appliance.durable import disk_errors

BUILD_TIMEOUT_S: Final = 600.0
FETCH_TIMEOUT_S: Final = 1800.0
GLIBC: Final = ("2_36", "2_35", "2_34", "2_31", "2_28", "2_26", "2_24", "2_17", "2_12", "2_5")
"""Of Debian 12, and the older ones whose wheels run there."""
_LEFT_OUT: Final = shutil.ignore_patterns(
    ".git", ".venv", "build", "node_modules", "tests", "docs", "__pycache__", ".*_cache"
)
_VERSION: Final = re.compile(r'^version = "[^"]*"$', re.MULTILINE)


def build_ours(root: Path, into: Path, version: str | None) -> None:
    """The wheel of this clone; older ones of ours in the folder go. From a copy: building writes into the tree."""
    with tempfile.TemporaryDirectory() as folder, disk_errors(into):
        tree, made = Path(folder) / "tree", Path(folder) / "made"
        shutil.copytree(root, tree, ignore=_LEFT_OUT)
        if (root / "node_modules").is_dir():
            (tree / "node_modules").symlink_to(root / "node_modules")
        if version is not None:
            project = tree / "pyproject.toml"
            project.write_text(_VERSION.sub(f'version = "{version}"', project.read_text(), count=1))
        argv = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(made)]
        _run(argv, BUILD_TIMEOUT_S, tree)
        into.mkdir(parents=True, exist_ok=True)
        for old in into.glob("songshan_edge-*.whl"):
            old.unlink()
        for wheel in made.glob("*.whl"):
            shutil.copyfile(wheel, into / wheel.name)


def fetch_wheels(lock: Path, into: Path, python: str) -> None:
    """All that a lock names, each by its hash; what the lock does not name goes, but for our own."""
    with disk_errors(into):
        into.mkdir(parents=True, exist_ok=True)
    machine, digits = platform.machine(), python.replace(".", "")
    tags = [f"manylinux_{each}_{machine}" for each in GLIBC] + [f"manylinux2014_{machine}", f"linux_{machine}"]
    fits = [word for tag in tags for word in ("--platform", tag)]
    fits += [word for abi in (f"cp{digits}", "abi3", "none") for word in ("--abi", abi)]
    argv = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--require-hashes",
        "--no-deps",
        "--only-binary",
        ":all:",
    ]
    argv += [
        "--python-version",
        python,
        "--implementation",
        "cp",
        *fits,
        "--find-links",
        str(into),
        "--dest",
        str(into),
    ]
    _run([*argv, "-r", str(lock)], FETCH_TIMEOUT_S, lock.parent)
    _leave_only(lock, into)


def pinned(lock: str) -> dict[str, str]:
    """What a lock names: normalized name and version."""
    found = re.findall(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", lock, re.MULTILINE)
    return {re.sub(r"[-_.]+", "_", name).lower(): version for name, version in found}


def _leave_only(lock: Path, into: Path) -> None:
    names = pinned(lock.read_text())
    for wheel in into.glob("*.whl"):
        name, version = wheel.name.split("-")[:2]
        if name != "songshan_edge" and names.pop(re.sub(r"[-_.]+", "_", name).lower(), None) != version:
            wheel.unlink()
    if names:
        missing = ", ".join(sorted(names))
        raise OperatorError(Text(f"缺少 wheel：{missing}", f"there are no wheels of {missing}"))


def _run(argv: list[str], timeout_s: float, folder: Path) -> None:
    environ = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-1000:]
        raise WorldError(Text(f"{argv[2]}：{said}", f"{argv[2]}: {said}"))
