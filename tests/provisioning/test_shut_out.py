"""A box that no line reaches is shut out by the next stick, whosever that is, and let in again by a later one."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from appliance import shut_out
from appliance.config import load
from appliance.core.shut_out import FILE
from appliance.store.facts import look
from provisioning.hub.sites import site_of
from tests.provisioning.live import LiveBox, LiveHub, program


def runs(box: LiveBox, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv, env = [program("songshan"), "--home", str(box.home), *arguments], {**os.environ, "SONGSHAN_LANG": "en"}
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=env)


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


def alarm_of(box: LiveBox, identity: str) -> Any:
    config = load(box.home, {})
    return next((each for each in look(config, config.clock.wall_us()).alarms if each.id == identity), None)


def test_a_stolen_box_is_shut_out_by_any_stick_and_a_mistake_is_undone(
    quiet_hub: LiveHub, tmp_path: Path, stick: Path
) -> None:
    """Its agent stands still, it takes no stick and writes none, and says so; the old stick does not undo anything."""
    hub = quiet_hub
    hub.serve()
    stolen, honest = hub.box("dengfeng", tmp_path / "dengfeng"), hub.box("gongyi", tmp_path / "gongyi")
    hub.end()
    assert runs(stolen, "agent", "--once").returncode == 0
    hub.run("usb", "export", "gongyi", str(stick), "--label")
    older = (stick / FILE).read_bytes()
    hub.run("revoke", "dengfeng")
    hub.run("usb", "shut-out", str(stick))
    newer = (stick / FILE).read_bytes()
    # It is of another county and is refused for that; what it says of this box is heeded all the same.
    refused = runs(stolen, "usb", "import", str(stick))
    assert (refused.returncode, "shut out by its hub" in refused.stderr) == (1, True)
    assert runs(stolen, "agent", "--once").returncode == 4
    assert runs(stolen, "usb", "export", str(stick)).returncode == 1
    assert alarm_of(stolen, "shut-out") is not None and alarm_of(stolen, "agent") is None
    (stick / FILE).write_bytes(older)
    assert "shut out by its hub" in runs(stolen, "usb", "import", str(stick)).stderr
    # An honest box that met the list passes it on.
    (stick / FILE).write_bytes(newer)
    assert runs(honest, "agent", "--once").returncode == 0
    assert runs(honest, "usb", "export", str(stick)).returncode == 0
    (stick / FILE).unlink()
    assert runs(honest, "usb", "export", str(stick)).returncode == 0
    assert (stick / FILE).read_bytes() == newer
    assert not shut_out.is_shut_out(load(honest.home, {}))
    # The mistake is undone by a later word, and by nothing else.
    hub.run("readmit", "dengfeng")
    hub.run("usb", "export", "gongyi", str(stick))
    assert json.loads((stick / FILE).read_bytes()) != json.loads(newer)
    said = runs(stolen, "usb", "import", str(stick)).stderr
    assert "shut out by its hub" not in said and "goes between" in said
    assert runs(stolen, "agent", "--once").returncode == 0
    assert alarm_of(stolen, "shut-out") is None


def test_a_box_that_is_enrolled_anew_is_not_the_one_that_was_revoked(hub: LiveHub, tmp_path: Path) -> None:
    """The site goes on with another key; the one that was stolen stays on the list, whoever asks for it back."""
    box = hub.box("zhengdong", tmp_path / "box")
    key = site_of(hub.folder, "zhengdong").sign_key
    hub.run("revoke", "zhengdong")
    hub.run("enrol", "zhengdong", "--out", str(tmp_path / "new.bundle"), "--pre-approved")
    assert site_of(hub.folder, "zhengdong").shut_out == (key,)
    assert "no box that was revoked" in hub.run("readmit", "zhengdong", status=1)
    # The same machine, its keys not reset: the operator has let that key in again.
    (box.home / "appliance.toml").unlink()
    assert box.join(tmp_path / "new.bundle").returncode == 0
    assert site_of(hub.folder, "zhengdong").shut_out == ()


def test_the_list_is_written_to_no_stick_that_is_not_labelled(hub: LiveHub, stick: Path) -> None:
    """Somebody's holiday pictures are none of our business."""
    (stick / "photo.jpg").touch()
    assert "no stick of this hub" in hub.run("usb", "shut-out", str(stick), status=1)
    assert sorted(path.name for path in stick.iterdir()) == ["photo.jpg"]
