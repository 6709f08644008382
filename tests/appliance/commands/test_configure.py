"""`songshan configure` makes sixteen boxes alike: what is wanted stands in the file, the rest is left as it was."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.commands.configure import Wanted, configured
from appliance.config import ChannelConfig, Config, config_path, load, render
from appliance.core.errors import OperatorError
from tests.appliance.boxes import box


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A box with two channels and a limit that somebody has set by hand."""
    made = box(tmp_path)
    channels = (ChannelConfig("dengfeng-1", "登封综合"), ChannelConfig("dengfeng-2", "登封广播", kind="radio"))
    made = replace(made, channels=channels, limits=replace(made.limits, verify_days=14))
    config_path(tmp_path).write_text(render(made))
    return made


def configure(config: Config, wanted: object, *options: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("songshan")
    argv = [str(program), "--home", str(config.home), "configure", *options, "-"]
    return subprocess.run(argv, input=json.dumps(wanted), capture_output=True, text=True, timeout=60)


def test_what_is_wanted_is_there_the_rest_is_as_it_was_and_again_nothing_changes(config: Config) -> None:
    """Ansible asks each time; a second run that says it changed something would be a false alarm."""
    wanted = {"channels": {"dengfeng-1": {"udp": "239.0.0.1:5000", "udp_bits_per_s": 6_000_000}}}
    told = json.loads(configure(config, wanted, "--dry-run", "--json").stdout)
    assert told["changed"] and load(config.home, {}).channels[0].udp == "", "a dry run writes nothing"
    assert json.loads(configure(config, wanted, "--json").stdout) == told
    after = load(config.home, {})
    assert (after.channels[0].udp, after.channels[0].udp_bits_per_s) == ("239.0.0.1:5000", 6_000_000)
    assert (after.channels[1], after.limits.verify_days) == (config.channels[1], 14)
    assert json.loads(configure(config, wanted, "--json").stdout) == {"changed": False, "changes": []}


def test_null_is_the_default(config: Config) -> None:
    """An output that was taken out of the inventory goes from the box."""
    given = configured(config, Wanted(channels={"dengfeng-1": {"udp": "239.0.0.1:5000"}}, limits={"verify_days": None}))
    assert given.limits.verify_days == 30
    assert configured(given, Wanted(channels={"dengfeng-1": {"udp": None}})).channels == config.channels


def test_all_that_is_wrong_is_said_and_nothing_is_written(config: Config) -> None:
    """A channel that the hub did not give, an option that there is not, a value that no service would take."""
    before = config_path(config.home).read_text()
    with pytest.raises(OperatorError) as raised:
        configured(config, Wanted(channels={"gongyi-1": {}, "dengfeng-1": {"colour": 1}}, limits={"speed": 1}))
    assert len(raised.value.problems) == 3
    for wrong in ({"channels": {"dengfeng-1": {"udp": "here"}}}, {"limits": {"verify_days": "many"}}, {"other": 1}, []):
        refused = configure(config, wrong)
        assert (refused.returncode, "Traceback" in refused.stderr) == (2, False), wrong
    assert config_path(config.home).read_text() == before
