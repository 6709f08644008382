"""A hub that comes back from the file that `songshan-hub backup` wrote: nothing is lost, and it is all or nothing."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.core.errors import Corrupt, SongshanError
from provisioning.hub import backup
from provisioning.hub.folder import HubFolder
from provisioning.hub.verify import check
from tests.sync.pair import SITE, World, world


@pytest.fixture
def pair(tmp_path: Path) -> World:
    return world(tmp_path, SITE, "zhongmu")


def restore(pair: World, file: Path) -> None:
    """Lose the disk; the assets come from elsewhere, the rest from the file."""
    pair.hub.cut()
    shutil.rmtree(pair.hub.path)
    backup.put_back(pair.hub.folder, file)


def test_what_the_hub_and_a_box_said_since_is_there_again(pair: World, tmp_path: Path) -> None:
    """Last night's file and the boxes have everything between them (ADR 14)."""
    file = tmp_path / "hub.tar.gz"
    with pair.box() as box:
        pair.hub.order(SITE, "a")
        box.say("1")
        box.talk()
        manifest = backup.write(pair.hub.folder, file)
        assert manifest.heads[f"{SITE}/control"] == "1:1"
        pair.hub.order(SITE, "b")
        box.say("2")
        box.talk()
        restore(pair, file)
        assert pair.hub.keys(f"{SITE}/control") == ["a"]
        pair.hub.order(SITE, "c")
        box.talk()
        assert sorted(pair.hub.keys(f"{SITE}/control")) == ["a", "b", "c"]
        assert box.orders() == ["a", "b", "c"]
        assert {"1", "2"} <= set(pair.hub.keys(f"{SITE}/report"))
    assert check(pair.hub.folder, True).problems == ()


def test_a_backup_is_the_hub_without_what_can_be_made_again(pair: World, tmp_path: Path) -> None:
    """The keys above all, with the modes that ssh wants; nobody else may read the file."""
    file = tmp_path / "hub.tar.gz"
    pair.hub.order(SITE, "a")
    list(pair.hub.journals.stream(f"{SITE}/control").records())
    backup.write(pair.hub.folder, file)
    assert file.stat().st_mode & 0o777 == 0o600
    before = {path: path.read_bytes() for path in pair.hub.folder.sign_key.parent.iterdir()}
    restore(pair, file)
    assert {path: path.read_bytes() for path in before} == before
    assert {path.stat().st_mode & 0o077 for path in before} == {0}
    assert pair.hub.folder.authorized_keys.read_text().count("ssh-ed25519") >= 2
    assert all(pair.hub.folder.site(site).readable.is_dir() for site in (SITE, "zhongmu"))


@pytest.mark.parametrize("what", ["flipped", "cut", "other"])
def test_a_damaged_backup_changes_nothing(pair: World, tmp_path: Path, what: str) -> None:
    """Better the old hub than half of a new one."""
    file = tmp_path / "hub.tar.gz"
    pair.hub.order(SITE, "a")
    backup.write(pair.hub.folder, file)
    data = bytearray(file.read_bytes())
    pair.hub.order(SITE, "b")
    if what == "flipped":
        data[len(data) // 2] ^= 1
    file.write_bytes({"flipped": data, "cut": data[: len(data) // 2], "other": b"not a backup"}[what])
    with pytest.raises(Corrupt):
        backup.put_back(pair.hub.folder, file)
    assert pair.hub.keys(f"{SITE}/control") == ["a", "b"]


def test_a_backup_of_a_damaged_hub_is_refused(pair: World, tmp_path: Path) -> None:
    """A copy of damage, kept in the place of the last good one, would be found out when it is needed."""
    pair.hub.order(SITE, "a")
    records = pair.hub.folder.stream(f"{SITE}/control") / "1.records"
    records.write_bytes(records.read_bytes().replace(b"a", b"b", 1))
    with pytest.raises(SongshanError):
        backup.write(pair.hub.folder, tmp_path / "hub.tar.gz")
    assert list(tmp_path.glob("*.tar.gz")) == []


class Killed(BaseException):
    """The process is gone."""


def killed_at(number: int) -> Callable[..., None]:
    """os.rename, until it is called for the n-th time."""
    real, calls = os.rename, [0]

    def rename(*arguments: object, **named: object) -> None:
        calls[0] += 1
        if calls[0] > number:
            raise Killed
        real(*arguments, **named)  # type: ignore[arg-type]

    return rename


def test_a_restore_that_was_broken_off_ends_when_it_is_given_again(
    pair: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a hub that stands; wherever it was cut off, in the middle it is the one or none, never a mixture."""
    file = tmp_path / "hub.tar.gz"
    pair.hub.order(SITE, "a")
    backup.write(pair.hub.folder, file)
    (pair.hub.folder.site(SITE).path / "status.json").write_text("{}")
    pair.hub.order(SITE, "b")
    later = pair.hub.back_up()
    for number in range(100):
        pair.hub.come_back(later)
        with monkeypatch.context() as patched:
            patched.setattr(os, "rename", killed_at(number))
            try:
                backup.put_back(pair.hub.folder, file)
                break
            except Killed:
                pass
        backup.put_back(pair.hub.folder, file)
        assert pair.hub.keys(f"{SITE}/control") == ["a"]
        assert HubFolder(pair.hub.path / "before-restore", pair.hub.clock).sign_key.exists()
        assert not (pair.hub.folder.site(SITE).path / "status.json").exists()
    assert number > 10
