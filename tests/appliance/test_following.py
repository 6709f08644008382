"""The machine's links to units are those of the release that runs, after an upgrade and after the way back."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from appliance import following, releases
from appliance.config import Config
from appliance.core import unit_links
from appliance.core.errors import Text, WorldError
from tests.appliance.boxes import box

TIMER = "[Timer]\n[Install]\nWantedBy=timers.target\n"
SHIPPED = {
    "1.0": {"songshan-agent.service": "", "songshan-old.timer": TIMER},
    "1.1": {
        "songshan-agent.service": "",
        "songshan-users.service": "",
        "songshan-web.service": "",
        "songshan-web.socket": TIMER,
    },
}


class Systemctl:
    """What systemctl has systemd do with links; it refuses a link to a file that is not there, as systemd does."""

    def __init__(self, units: Path) -> None:
        self.units, self.asked = units, list[str]()

    def __call__(self, arguments: Sequence[str]) -> None:
        self.asked.append(" ".join(arguments))
        match list(arguments):
            case ["link", path]:
                if not Path(path).is_file():
                    raise WorldError(Text("没有", "no such unit file"))
                os.symlink(path, self.units / Path(path).name)
            case ["reenable", name]:
                (self.units / name).unlink()
                template = name.partition("@")[0] + "@.service"
                os.symlink((self.units / template).resolve(), self.units / name)
            case ["disable", "--now", name]:
                (self.units / name).unlink()
            case _:
                pass


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = box(tmp_path / "box")
    for version, ships in SHIPPED.items():
        folder = releases.folder_of(made, version) / unit_links.SHARE
        folder.mkdir(parents=True)
        for name, text in ships.items():
            (folder / name).write_text(text)
        (folder / "songshan.sysusers").write_text("u songshan -\n")
    releases.point(made, "current", "1.0")
    return made


@pytest.fixture
def systemctl(config: Config, tmp_path: Path) -> Systemctl:
    """A machine on which the role has linked the units of 1.0, beside some of its own."""
    units = tmp_path / "system"
    units.mkdir()
    (units / "ssh.service").write_text("[Service]\n")
    for name in SHIPPED["1.0"]:
        os.symlink(unit_links.source(str(config.releases), name), units / name)
    return Systemctl(units)


def goes_to(config: Config, systemctl: Systemctl, version: str) -> None:
    following.leave(config, systemctl, systemctl.units, version)
    releases.point(config, "current", version)
    following.enter(config, systemctl, systemctl.units, version)


def ours(systemctl: Systemctl) -> set[str]:
    found = {path.name for path in systemctl.units.iterdir() if path.is_symlink()}
    assert all((systemctl.units / name).exists() for name in found), "no link leads nowhere"
    return found


def test_there_and_back_again(config: Config, systemctl: Systemctl) -> None:
    """What is new is linked and begun before the restart, behind the users and folders that it needs; what is gone is
    stopped while its file is there."""
    goes_to(config, systemctl, "1.1")
    assert ours(systemctl) == set(SHIPPED["1.1"])
    base = f"{config.releases}/current/{unit_links.SHARE}"
    assert systemctl.asked == [
        "disable --now songshan-old.timer",
        f"link {base}/songshan-users.service",
        f"link {base}/songshan-web.service",
        f"link {base}/songshan-web.socket",
        "daemon-reload",
        "start songshan-users.service",
        "stop songshan-web.service",
        "enable --now songshan-web.socket",
    ]
    goes_to(config, systemctl, "1.0")
    assert ours(systemctl) == set(SHIPPED["1.0"])
    assert (systemctl.units / "ssh.service").is_file()


def test_a_senders_link_into_one_release_is_led_into_the_next(config: Config, systemctl: Systemctl) -> None:
    """`systemctl enable songshan-playout@CHANNEL` makes one; its release gone, no boot starts the channel."""
    for version in ("1.0", "1.1"):
        (releases.folder_of(config, version) / unit_links.SHARE / "songshan-playout@.service").write_text("")
    base = str(config.releases)
    os.symlink(unit_links.source(base, "songshan-playout@.service"), systemctl.units / "songshan-playout@.service")
    mine = systemctl.units / "songshan-playout@dengfeng-1.service"
    os.symlink(releases.folder_of(config, "1.0") / unit_links.SHARE / "songshan-playout@.service", mine)
    for version in ("1.1", "1.0"):
        goes_to(config, systemctl, version)
        assert mine.resolve().is_relative_to(releases.folder_of(config, version).resolve())


def test_once_more_changes_nothing(config: Config, systemctl: Systemctl) -> None:
    """Each deed of an upgrade may be done twice."""
    goes_to(config, systemctl, "1.1")
    del systemctl.asked[:]
    goes_to(config, systemctl, "1.1")
    assert systemctl.asked == ["daemon-reload", "start songshan-users.service"]


def test_a_release_from_before_units_came_along_takes_none_away(config: Config, systemctl: Systemctl) -> None:
    """It knows nothing of them; the box would be left without any."""
    releases.folder_of(config, "0.9").mkdir()
    goes_to(config, systemctl, "0.9")
    assert systemctl.asked == ["daemon-reload"]


def test_while_the_machine_boots_nothing_is_waited_for() -> None:
    """systemd starts everything itself; whoever waited for it from within would wait for ever."""
    asked = []
    run = following.while_booting(lambda arguments: asked.append(" ".join(arguments)))
    for arguments in (
        ["stop", "a"],
        ["start", "users"],
        ["daemon-reload"],
        ["enable", "--now", "b"],
        ["disable", "--now", "c"],
        ["restart", "a"],
    ):
        run(arguments)
    assert asked == ["daemon-reload", "enable b", "start --no-block b", "disable c"]
