"""Whether a file system can carry a hub: what holds is told, and what does not is told too, with what was seen."""

import os
from pathlib import Path

import pytest

from provisioning.hub import storage
from provisioning.hub.storage import REPLACEMENTS, check
from tests.provisioning.live import LiveHub


def test_debians_own_file_system_carries_one(quiet_hub: LiveHub) -> None:
    """Tried by two processes; nothing is left behind."""
    before = sorted(quiet_hub.path.iterdir())
    told = quiet_hub.facts("check-storage", str(quiet_hub.path))["findings"]
    assert [finding["what"]["en"] for finding in told if not finding["holds"]] == []
    assert len(told) == 11
    assert sorted(quiet_hub.path.iterdir()) == before


def test_two_folders_that_are_not_one_are_found_out(quiet_hub: LiveHub, tmp_path: Path) -> None:
    """The usual mistake: one gateway has the storage mounted, the other has the bare folder under it."""
    assert "does not answer" in quiet_hub.run("check-storage", str(quiet_hub.path), "--other", str(tmp_path), status=1)


def test_a_rename_that_is_not_atomic_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As some network file systems have it: for a moment there is no file. A gate would take that for no site."""

    def write(path: Path, data: bytes, mode: int = 0o600) -> None:
        path.unlink(missing_ok=True)
        path.write_bytes(data)

    monkeypatch.setattr(storage, "write_atomically", write)
    monkeypatch.setattr(storage, "REPLACEMENTS", 20 * REPLACEMENTS)
    found = next(each for each in check(tmp_path, tmp_path, []) if "rename" in each.what.en)
    assert not found.holds
    assert found.detail.startswith(("error 2", "torn"))


def test_a_lock_that_nobody_respects_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two gateways would write over each other."""
    monkeypatch.setattr(storage.fcntl, "flock", lambda _file, _how: None)
    found = {each.what.en: each.holds for each in check(tmp_path, tmp_path, [])}
    assert found["flock excludes the other"] is False
    assert os.listdir(tmp_path) == []
