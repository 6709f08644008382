"""Sealed backups of the boxes at the hub: what cannot be one is not kept, and the newest never goes."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.config import ChannelConfig
from appliance.core import seal
from appliance.core.errors import Corrupt, OperatorError, Refused
from appliance.core.moment import to_text
from provisioning.hub.backups import backups
from provisioning.hub.folder import HubFolder, HubSettings, render_settings
from provisioning.hub.sites import Site, write_site

SEED, SALT = bytes(seal.SEED_BYTES), bytes(seal.SALT_BYTES)
HOUR_US = 3_600_000_000


@pytest.fixture
def hub(tmp_path: Path) -> HubFolder:
    folder = HubFolder(tmp_path / "hub")
    folder.sites.mkdir(parents=True)
    folder.settings_file.write_text(render_settings(HubSettings(id="songshan", host="h", port=22, user="u")))
    channels = (ChannelConfig("dengfeng-1", "登封综合"),)
    write_site(folder, Site("dengfeng", "登封", "Asia/Shanghai", channels, "approved", "2026-11-24T06:00:00Z"))
    return folder


def sealed(folder: Path, name: str, site: str = "dengfeng", at_us: int = 0) -> Path:
    header = seal.header_of(site, to_text(at_us), "1.0", SEED, SALT)
    path = folder / name
    path.write_bytes(header + seal.Sealing(header, SEED, SALT).seal("钥匙".encode() * 100, is_last=True))
    return path


def call(hub: HubFolder, *arguments: str | Path) -> Result:
    return CliRunner().invoke(backups, [str(each) for each in arguments], obj=hub)


def names(hub: HubFolder) -> list[str]:
    return sorted(path.name for path in (hub.path / "backups/dengfeng").iterdir())


def test_backups_are_kept_for_so_many_nights_and_a_second_time_nothing_changes(hub: HubFolder, tmp_path: Path) -> None:
    """The oldest goes when a newer one has been looked at."""
    nights = [f"dengfeng-2026112{night}T023000Z.backup" for night in range(4)]
    for name in nights:
        told = call(hub, "take", "dengfeng", sealed(tmp_path, name), "--keep", "3", "--json")
        assert json.loads(told.stdout)["changed"] is True
    assert names(hub) == nights[1:]
    told = call(hub, "take", "dengfeng", tmp_path / nights[3], "--keep", "3", "--json")
    assert json.loads(told.stdout) == {
        "path": str(hub.path / "backups/dengfeng" / nights[3]),
        "changed": False,
        "let_go": 0,
    }
    assert call(hub, "newest", "dengfeng").stdout.strip().endswith(nights[3])


@pytest.mark.parametrize("fault", ["another site's", "no backup", "cut off", "changed on its way"])
def test_what_cannot_be_one_is_not_kept(hub: HubFolder, tmp_path: Path, fault: str) -> None:
    """Else the last good one would go for it, and nobody knew until the day it is needed."""
    name = "dengfeng-20261124T023000Z.backup"
    path = sealed(tmp_path, name, site="gongyi" if fault == "another site's" else "dengfeng")
    if fault == "no backup":
        path.write_bytes(b"x" * 5000)
    if fault == "cut off":
        data = path.read_bytes()
        path.write_bytes(data[: data.rindex(b"}\n") + 2 + 7])
    sum_of_box = ["--sha256", "0" * 64] if fault == "changed on its way" else []
    done = call(hub, "take", "dengfeng", path, *sum_of_box)
    assert isinstance(done.exception, Corrupt | Refused)
    assert names(hub) == []


def test_a_name_leads_nowhere_else(hub: HubFolder, tmp_path: Path) -> None:
    """It comes from the box."""
    for name in ("gongyi-20261124T023000Z.backup", "dengfeng.backup"):
        assert isinstance(call(hub, "take", "dengfeng", sealed(tmp_path, name)).exception, OperatorError)
    path = sealed(tmp_path, "dengfeng-20261124T023000Z.backup")
    assert isinstance(call(hub, "take", "nanyang", path).exception, Refused)


def test_a_county_whose_backup_is_too_old_or_missing_is_named(hub: HubFolder, tmp_path: Path) -> None:
    """By the age that the backup itself tells, not by when it was copied."""
    assert isinstance(call(hub, "list").exception, Refused)
    old = sealed(tmp_path, "dengfeng-20261124T023000Z.backup", at_us=hub.now_us() - 51 * HOUR_US)
    call(hub, "take", "dengfeng", old)
    told = call(hub, "list", "--json")
    assert isinstance(told.exception, Refused) and json.loads(told.stdout)["late"] == ["dengfeng"]
    call(hub, "take", "dengfeng", sealed(tmp_path, "dengfeng-20261125T023000Z.backup", at_us=hub.now_us() - HOUR_US))
    told = call(hub, "list", "--json")
    assert told.exit_code == 0 and json.loads(told.stdout)["sites"][0]["count"] == 2
