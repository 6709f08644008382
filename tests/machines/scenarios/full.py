"""Somebody fills the disk to the last byte: the air goes on, it is said, and all is well when there is room again."""

import time

from tests.machines.scenarios.make import is_linked
from tests.machines.trial import Trial

FULL_S = 60
TOLD_S_MAX = 300
WELL_S_MAX = 600
_LEFT_BYTES = 1024 * 1024


def play(trial: Trial) -> None:
    trial.as_made()
    trial.switch_on()
    pair = trial.pair
    trial.on_air(pair.box.powered_at)
    trial.until("the hub is there", lambda: is_linked(trial), TOLD_S_MAX)
    began = time.monotonic()
    # What df calls available leaves root's share out: all of it is taken, so that root has none either.
    pair.box.shell.run(f"fallocate -l $(($(stat -f -c '%f * %S' /) - {_LEFT_BYTES})) /var/tmp/fill", check=False)
    trial.figures["free_kib"] = int(pair.box.shell.run("echo $(($(stat -f -c '%f * %S' /) / 1024))").out)
    trial.figures["told_s"] = round(trial.until("the disk is an alarm", lambda: tells_of_the_disk(trial), TOLD_S_MAX))
    time.sleep(FULL_S)
    trial.figures["air_lost_s"] = round(trial.modulator.lost_s(began), 1)
    assert trial.figures["air_lost_s"] == 0, "the air was lost with a full disk"
    failed = pair.box.shell.run("systemctl list-units --failed --no-legend --plain 'songshan*'").out
    assert not failed, failed
    pair.box.shell.run("rm /var/tmp/fill")
    title = "空间恢复"
    item = pair.hub_command("publish", "--to", "dengfeng", "--title", title, "--body", "/etc/hostname").out.split()[0]
    arrived = trial.until("what is published arrives", lambda: serves(trial, item), WELL_S_MAX)
    trial.figures["well_s"] = round(arrived)
    assert not tells_of_the_disk(trial), "the alarm stays"


def tells_of_the_disk(trial: Trial) -> bool:
    """The box's alarms name it."""
    return any(str(each["id"]).startswith("disk") for each in trial.pair.status()["alarms"])


def serves(trial: Trial, item: str) -> bool:
    """A citizen gets it."""
    return trial.pair.get(f"/api/v1/items/{item}") == 200
