"""A box out of a bare machine by a stick alone, with its cable to the hub pulled; then the cable comes back.

Nothing of the operator's machine is used but to write the stick and to look. The stick is a disk that is put in while
the machine runs; a power cut in the middle of the installation is part of it.
"""

import subprocess
import time
from pathlib import Path

from tests.machines.machine import NotInTime
from tests.machines.pair import BUNDLE, CHANNEL, HUB_ADDRESS, SITE, UDP
from tests.machines.places import BUILD, PATIENCE
from tests.machines.scenarios.make import is_linked
from tests.machines.shell import CommandFailed
from tests.machines.trial import Trial

INSTALL_S_MAX = 3000
SETTLE_S = 60
"""Into the installation the power goes."""
LINK_S_MAX = 600
_THERE = "/var/tmp/stick"
_STICK_BYTES = 1024**3
_VARS = f"""
songshan_channels: [{{id: {CHANNEL}, name: 登封综合, udp: "{UDP}", udp_from: 10.45.0.2}}]
songshan_hub_address: {HUB_ADDRESS}
common_console: false
"""


def play(trial: Trial) -> None:
    trial.as_made()
    box = trial.pair.box
    box.install()
    trial.switch_on()
    image, fingerprint = write_stick(trial)
    box.link("line", up=False)
    trial.figures["refused_s"] = refused(trial, image)
    began = time.monotonic()
    put_in(trial, image)
    cut_off(trial, fingerprint)
    put_in(trial, image)
    installed = time.monotonic()
    said = box.shell.run(f"sh /mnt/install.sh {fingerprint}", timeout_s=INSTALL_S_MAX * PATIENCE).out
    trial.figures["install_s"] = round(time.monotonic() - installed)
    assert "on the air, with the slate" in said, said[-2000:]
    trial.figures["stick_to_on_air_s"] = round(trial.on_air(began), 1)
    assert box.shell.run("test -e /etc/songshan/join.bundle", check=False).status == 0, "the claim is gone"
    box.link("line", up=True)
    up = time.monotonic()
    trial.until("the hub has a session with it", lambda: is_linked(trial), LINK_S_MAX, every_s=5)
    trial.figures["line_to_session_s"] = round(time.monotonic() - up, 1)
    assert box.shell.run("test -e /etc/songshan/join.bundle", check=False).status == 1, "the claim lies there still"
    trial.figures["air_lost_s"] = round(trial.modulator.lost_s(up), 1)
    assert trial.figures["air_lost_s"] == 0, "the air was lost when it joined"
    again(trial)


def again(trial: Trial) -> None:
    """On the next boot nothing is done about joining; it is on the air, and the hub has it."""
    box = trial.pair.box
    box.shut_down()
    trial.switch_on()
    trial.on_air(box.powered_at)
    state = box.shell.run("systemctl show --property=ConditionResult,ActiveState songshan-first-boot.service").out
    assert "ConditionResult=no" in state and "ActiveState=inactive" in state, state
    trial.until("the hub has a session with it", lambda: is_linked(trial), LINK_S_MAX, every_s=5)


def write_stick(trial: Trial) -> tuple[Path, str]:
    """By the hub, for a site whose former box is shut out; the image of it, and the fingerprint that the hub shows."""
    pair, shell = trial.pair, trial.pair.hub.shell
    shell.run(f"rm -rf {_THERE} && mkdir -p -m 711 {_THERE}/parts {_THERE}/usb && chown -R songshan-hub: {_THERE}")
    for name in ("wheels", "controller", "ansible", "debs"):
        shell.put(BUNDLE / name, f"{_THERE}/parts/")
    shell.run(f"chown -R songshan-hub: {_THERE}")
    pair.hub_command("bundle", f"{_THERE}/parts", "--suite", "bookworm", "--out", f"{_THERE}/songshan.bundle")
    pair.hub_command("revoke", SITE)
    told = ("--name", "登封市融媒体中心", "--channel", f"{CHANNEL}=登封综合", "--pre-approved")
    pair.hub_command("enrol", SITE, *told, "--out", f"{_THERE}/join.bundle")
    shell.write(f"{_THERE}/vars.yml", _VARS)
    given = ("--bundle", f"{_THERE}/songshan.bundle", "--join", f"{_THERE}/join.bundle", "--vars", f"{_THERE}/vars.yml")
    said = pair.hub_command("install-stick", f"{_THERE}/usb", *given).out
    folder, image = BUILD / "stick", BUILD / "stick.img"
    for command in (["rm", "-rf", folder, image], ["mkdir", "-p", folder]):
        subprocess.run(command, check=True, timeout=60)
    shell.get(f"{_THERE}/usb", folder)
    with image.open("wb") as disk:
        disk.truncate(_STICK_BYTES)
    argv = ["mkfs.ext4", "-q", "-F", "-d", str(folder / "usb"), str(image)]
    subprocess.run(argv, check=True, timeout=300, capture_output=True)
    return image, next(word for word in said.split() if word.startswith("SHA256:"))


def put_in(trial: Trial, image: Path) -> None:
    """The stick is in, and mounted as a technician does it."""
    box = trial.pair.box
    box.plug(image, "stick")
    found = "for each in $(seq 50); do [ -e /dev/vdb ] && break; sleep 0.2; done; mount -o ro /dev/vdb /mnt"
    box.shell.run(found)


def refused(trial: Trial, image: Path) -> float:
    """With another fingerprint nothing is installed, and it says so at once. Seconds."""
    box = trial.pair.box
    put_in(trial, image)
    began = time.monotonic()
    done = box.shell.run("sh /mnt/install.sh SHA256:another", check=False)
    assert (done.status, "not the one that was given" in done.err) == (1, True), done.err
    assert box.shell.run("test -e /opt/songshan", check=False).status == 1
    box.shell.run("umount /mnt")
    box.unplug("stick")
    return round(time.monotonic() - began, 1)


def cut_off(trial: Trial, fingerprint: str) -> None:
    """The power goes in the middle of the packages; the stick stays in the socket of the machine that is gone."""
    box = trial.pair.box
    try:
        box.shell.run(f"sh /mnt/install.sh {fingerprint}", check=False, timeout_s=SETTLE_S * PATIENCE)
    except CommandFailed:
        box.power_cut()
    else:
        raise NotInTime("the installation ended before the power could go")
    trial.switch_on()
    box.link("line", up=False)
