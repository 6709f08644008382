"""What a release is made of: the wheel with the units and playbooks that fit it, and libraries as they were tested."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from provisioning.release.wheels import pinned

ROOT = Path(__file__).parents[2]
BESIDE = ("systemd", "ansible")
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".venv", ".git", "build", "tests", "docs", "node_modules", ".*_cache")
BUILD_TIMEOUT_S = 120


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, because building writes into the tree that other tests read just then."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(ROOT, tree / "songshan", ignore=LEFT_OUT, dirs_exist_ok=True)
    (tree / "songshan" / "node_modules").symlink_to(ROOT / "node_modules")
    argv = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tree / "dist")]
    subprocess.run(argv, cwd=tree / "songshan", check=True, capture_output=True, timeout=BUILD_TIMEOUT_S)
    (made,) = (tree / "dist").glob("*.whl")
    return made


def test_a_release_brings_its_units_and_playbooks(wheel: Path) -> None:
    """Units are links into the release that runs: what the wheel lacks is a unit that is gone after an upgrade."""
    expected = {
        f"share/songshan/{path.relative_to(ROOT)}": path.read_bytes()
        for folder in BESIDE
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "share/songshan/systemd/songshan-agent.service" in expected
    with zipfile.ZipFile(wheel) as archive:
        data = [name for name in archive.namelist() if ".data/data/" in name]
        assert {name.partition(".data/data/")[2]: archive.read(name) for name in data} == expected


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-controller.lock"])
def test_what_is_shipped_is_what_was_tested(lock: str) -> None:
    """A library in another version than the tests ran with is one that nobody tried."""
    tested = pinned((ROOT / "requirements-dev.lock").read_text())
    shipped = pinned((ROOT / lock).read_text())
    assert "pip" in shipped
    assert {name: version for name, version in shipped.items() if tested.get(name, version) != version} == {}
