"""`songshan-hub rollout`, as the playbook calls it, on a hub whose counties tell of themselves."""

import fcntl
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from appliance.config import ChannelConfig
from appliance.core.errors import Refused
from provisioning.hub.folder import HubFolder, HubSettings, render_settings
from provisioning.hub.rollout import rollout
from provisioning.hub.sites import Site, write_site
from provisioning.hub.status import write_status

SITES = ("dengfeng", "gongyi", "xinmi")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubFolder]:
    """Three counties on 1.0, all on the line."""
    folder = HubFolder(tmp_path / "hub")
    for path in (folder.path, folder.sites):
        path.mkdir(parents=True)
    folder.settings_file.write_text(render_settings(HubSettings(id="songshan", host="h", port=22, user="u")))
    held = []
    for site in SITES:
        channels = (ChannelConfig(f"{site}-1", site),)
        write_site(folder, Site(site, site, "Asia/Shanghai", channels, "approved", "2026-11-24T06:00:00Z"))
        tells(folder, site, "1.0")
        held.append(folder.site(site).session.open("ab"))
        fcntl.flock(held[-1], fcntl.LOCK_EX)
    yield folder
    for session in held:
        session.close()


def tells(folder: HubFolder, site: str, release: str, **more: Any) -> None:
    on_air = [{"channel": f"{site}-1", "planned": True}]
    write_status(folder.site(site), {"release": {"current": release}, "on_air": on_air, **more}, folder.now_us())


def call(folder: HubFolder, *arguments: str) -> Result:
    return CliRunner().invoke(rollout, arguments, obj=folder)


def begin(folder: HubFolder, *sites: str, unreachable: tuple[str, ...] = ()) -> dict[str, Any]:
    named = [option for site in sites for option in ("--site", site)]
    named += [option for site in unreachable for option in ("--unreachable", site)]
    done = call(folder, "begin", "1.1", *named, "--reason", "月度升级", "--json")
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_a_release_goes_to_all_and_who_was_away_is_taken_by_the_next_run(hub: HubFolder) -> None:
    """And a run after that changes nothing, to the byte."""
    first = begin(hub, "dengfeng", "gongyi", unreachable=("xinmi",))
    assert (first["waves"], first["order"], first["pending"]) == (
        [["dengfeng"], ["gongyi"]], ["dengfeng", "gongyi"], ["xinmi"],
    )  # fmt: skip
    for site in ("dengfeng", "gongyi"):
        assert call(hub, "note", "1.1", site, "done").exit_code == 0
        tells(hub, site, "1.1")
        assert call(hub, "gate", "1.1", "--within", "0").exit_code == 0
    assert begin(hub, *SITES)["waves"] == [["xinmi"]]
    call(hub, "note", "1.1", "xinmi", "done")
    tells(hub, "xinmi", "1.1")
    assert call(hub, "gate", "1.1", "--within", "0").exit_code == 0
    begin(hub, *SITES)
    kept = (hub.path / "rollouts/1.1.json").read_bytes()
    assert begin(hub, *SITES)["changed"] is False
    assert (hub.path / "rollouts/1.1.json").read_bytes() == kept
    told = json.loads(call(hub, "status", "1.1", "--json").stdout)["rollouts"][0]
    assert {each["state"] for each in told["outcomes"].values()} == {"done"} and told["stopped"] is None


def test_a_gate_that_says_no_stops_the_release_until_somebody_says_again(hub: HubFolder) -> None:
    """A box two towns away has lost its output since."""
    begin(hub, "dengfeng", "gongyi")
    call(hub, "note", "1.1", "dengfeng", "done")
    tells(hub, "dengfeng", "1.1")
    tells(hub, "xinmi", "1.0", alarms=[{"id": "output:xinmi-1", "severity": "red"}])
    said = call(hub, "gate", "1.1", "--within", "0")
    assert isinstance(said.exception, Refused) and "output:xinmi-1" in said.exception.problems[0].en
    again = call(hub, "begin", "1.1", "--site", "gongyi", "--reason", "x")
    assert isinstance(again.exception, Refused) and "xinmi" in again.exception.problems[0].en
    assert call(hub, "begin", "1.1", "--site", "gongyi", "--reason", "x", "--again").exit_code == 0


def test_the_gate_waits_for_a_box_to_be_heard(hub: HubFolder) -> None:
    """It is away for a while when its agent is started anew."""
    begin(hub, "dengfeng")
    call(hub, "note", "1.1", "dengfeng", "done")
    said = call(hub, "gate", "1.1", "--within", "0.1")
    assert isinstance(said.exception, Refused) and "not been heard" in said.exception.problems[0].en


def test_a_version_is_no_path(hub: HubFolder) -> None:
    """It names a file."""
    assert call(hub, "begin", "../1.1", "--reason", "x").exception is not None
    assert call(hub, "note", "2.0", "dengfeng", "done").exception is not None
    assert not (hub.path / "rollouts").exists()
