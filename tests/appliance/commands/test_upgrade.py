"""Whoever upgrades over a line that may break hands it to the unit, and is told its verdict."""

import json
import threading
import time
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from appliance import files, releases
from appliance.command import Box
from appliance.commands.upgrade import upgrade
from appliance.config import Config, render
from appliance.core.errors import Refused, Text
from appliance.core.release import Upgrade, ended, refused
from tests.appliance.boxes import box


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = box(tmp_path / "box")
    files.make_folders(made)
    (made.home / "appliance.toml").write_text(render(made))
    made.releases.mkdir(parents=True)
    releases.keep(made, Upgrade(state="staged", old="1.0", new="1.1"))
    return made


def unit(config: Config, outcome: str) -> None:
    """What songshan-upgrade.service does with the one request that comes."""
    for _look in range(200):
        if found := releases.waiting(config):
            break
        time.sleep(0.05)
    (name, asked), before, now_us = found[0], releases.journal(config), time.time_ns() // 1000
    assert not isinstance(asked, Text)
    if outcome == "refused":
        releases.keep(config, refused(before, asked, Text("重点时段", "not now"), now_us))
        releases.forget(config, name)
        return
    begun = msgspec.structs.replace(before, state="verifying", by=asked.by, reason=asked.reason)
    releases.keep(config, begun)
    releases.forget(config, name)
    time.sleep(0.1)
    why = None if outcome == "committed" else Text("检验未通过", "the gate failed")
    releases.keep(config, ended(begun, outcome, time.time_ns() // 1000, why))  # type: ignore[arg-type]


def apply(config: Config, wait: str) -> Result:
    asked = ["apply", "--reason", "月度升级", "--wait", wait, "--json"]
    return CliRunner().invoke(upgrade, asked, obj=Box(config.home, {}))


@pytest.mark.parametrize("outcome", ["committed", "rolled_back", "refused"])
def test_the_verdict_is_the_units(config: Config, outcome: str) -> None:
    """Committed is yes; back again, or not begun, is no and says why."""
    taker = threading.Thread(target=unit, args=(config, outcome))
    taker.start()
    done = apply(config, "30")
    taker.join()
    if outcome == "committed":
        assert (done.exit_code, json.loads(done.stdout)["state"]) == (0, "committed")
    else:
        assert isinstance(done.exception, Refused)
        assert done.exception.problems[0].en == {"rolled_back": "the gate failed", "refused": "not now"}[outcome]


def test_a_unit_that_does_not_come_is_not_waited_for_for_ever(config: Config) -> None:
    """And what was asked still stands, for when it does."""
    done = apply(config, "1")
    assert isinstance(done.exception, Refused) and "no verdict" in done.exception.problems[0].en
    assert len(releases.waiting(config)) == 1
