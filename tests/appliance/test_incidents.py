"""Incidents on the disk, from what systemd says to the alarm."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from appliance import incidents, spool
from appliance.command import songshan
from appliance.commands.machine_checks import ended_badly
from appliance.config import Config
from appliance.core import incident
from appliance.core.command import Incident as Told
from appliance.core.incident import Ended
from appliance.core.moment import US

UNIT = "songshan-playout@dengfeng-1.service"
NOW_US = 1_800_000_000 * US
HUNG = Ended("watchdog", "killed", "ABRT", "0123")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(home=tmp_path, run=tmp_path / "run", site="dengfeng", name="登封市融媒体中心")


def told(config: Config) -> list[Told]:
    commands = [spool.read(config, name)[0] for name in spool.pending(config)]
    return [each for each in commands if isinstance(each, Told)]


def test_what_failed_is_on_the_disk_and_told_to_the_agent_once(config: Config) -> None:
    """The agent may be the one that failed: what is on the disk is read without it."""
    incidents.keep(config, UNIT, HUNG, NOW_US)
    incidents.keep(config, UNIT, HUNG, NOW_US + US)
    incidents.keep(config, "songshan-agent.service", Ended("exit-code", "exited", "1"), NOW_US + 2 * US)
    found = incidents.newest(config)
    assert [(each.unit, each.times) for each in found] == [("songshan-agent.service", 1), (UNIT, 2)]
    assert [(each.unit, each.result, each.via) for each in told(config)] == [
        (UNIT, "watchdog", "unit"),
        ("songshan-agent.service", "exit-code", "unit"),
    ]


def test_only_so_many_are_kept(config: Config) -> None:
    """A box that fails all night must not fill its disk with telling so."""
    for number in range(incident.KEPT + 5):
        incidents.keep(config, UNIT, HUNG, NOW_US + number * incident.SAME_US)
    found = incidents.newest(config)
    assert len(found) == incident.KEPT
    assert found[0].at_us == NOW_US + (incident.KEPT + 4) * incident.SAME_US


def test_a_file_that_holds_none_is_passed_over(config: Config) -> None:
    """A power cut, an older version, somebody's hand: the others are read."""
    incidents.keep(config, UNIT, HUNG, NOW_US)
    (config.incidents / "00000000000000000001-x.json").write_bytes(b"\xff{")
    assert [each.unit for each in incidents.newest(config)] == [UNIT]


def test_notes_are_read_as_files_and_nothing_else(tmp_path: Path) -> None:
    """Whoever may write there is not trusted with root's or anybody's eyes."""
    (tmp_path / UNIT).write_text("watchdog killed ABRT 0123\n")
    (tmp_path / "passwd").write_text("exit-code")
    os.symlink("/etc/passwd", tmp_path / "songshan-web.service")
    os.mkfifo(tmp_path / "songshan-agent.service")
    read = {unit: ended for _path, unit, ended in incidents.notes(tmp_path)}
    assert read == {UNIT: HUNG, "songshan-agent.service": Ended()}
    assert sorted(os.listdir(tmp_path)) == ["songshan-agent.service", UNIT]


def test_the_doctor_tells_of_the_last_day(config: Config) -> None:
    """Also with the agent and the database gone."""
    assert list(ended_badly(config, NOW_US)) == []
    incidents.keep(config, UNIT, HUNG, NOW_US)
    (check,) = ended_badly(config, NOW_US + 3600 * US)
    assert check.state == "warning" and UNIT in check.found.en and "watchdog" in check.found.en
    assert list(ended_badly(config, NOW_US + 48 * 3600 * US)) == []


def test_the_command_takes_what_systemd_says_in_the_environment(config: Config) -> None:
    """systemd.exec(5): MONITOR_SERVICE_RESULT and the like, for what OnFailure= starts."""
    (config.home / "appliance.toml").write_text('site = "dengfeng"\nname = "登封市融媒体中心"\n')
    environ = {"SONGSHAN_LANG": "en", "MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_CODE": "exited"}
    environ["MONITOR_EXIT_STATUS"] = "3"
    home = ["--home", str(config.home)]
    done = CliRunner().invoke(songshan, [*home, "incident", "failed", UNIT], env=environ)
    assert done.exit_code == 0, done.output
    shown = CliRunner().invoke(songshan, [*home, "incident", "--lines"], env={"SONGSHAN_LANG": "en"})
    assert UNIT in shown.output and "exit status 3" in shown.output
    refused = CliRunner().invoke(songshan, [*home, "incident", "failed", "sshd.service"], env=environ)
    assert refused.exception is not None and len(incidents.newest(config)) == 1
