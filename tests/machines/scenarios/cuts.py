"""The power goes, thirty times, in the middle of a newsroom's work. Nothing that was acknowledged is lost.

The moments, the machine and what its disk forgets are the seed's: `make appliance-test ONLY=cuts CUTS=30 SEED=1`.
"""

import json
import random
import statistics
import time
from typing import Final

from provisioning.demo import content as days
from tests.machines import content
from tests.machines.load import Load
from tests.machines.pair import CHANNEL, SITE
from tests.machines.trial import Trial

WORK_S: Final = (1.0, 20.0)
"""How long there is work before a cut."""
BOOT_CUT_SHARE: Final = 0.2
"""How many of the cuts come while the machine starts."""
HUB_SHARE: Final = 0.2
CONVERGE_S_MAX: Final = 900
_ENOUGH_CUTS: Final = 10


def play(trial: Trial) -> None:
    trial.as_made()
    trial.switch_on()
    pair, dice = trial.pair, random.Random(trial.seed)
    trial.on_air(pair.box.powered_at)
    digests = pair.hub_command("publish", "--asset-only", "/var/tmp/clips/clip1.ts").out.split()[:1]
    load = Load(pair, f"cut{trial.seed}", lambda version: _schedule(digests, version))
    seconds: list[float] = []
    for number in range(1, trial.cuts + 1):
        took_s = _cut(trial, load, number, dice)
        seconds += [took_s] if took_s is not None else []
        trial.figures |= {"cuts": number, **load.acknowledged.counts(), "on_air_s_max": max(seconds, default=None)}
    trial.figures["on_air_s_median"] = statistics.median(seconds) if seconds else None
    took = trial.until("all that was acknowledged is where it belongs", lambda: not load.missing(), CONVERGE_S_MAX, 10)
    trial.figures["converged_s"] = round(took)
    assert not load.refused, "\n".join(load.refused)
    assert min(load.acknowledged.counts().values()) > 0 or trial.cuts < 10, (
        f"no work was done: {load.acknowledged.counts()}"
    )
    pair.box_command("audit", "verify")
    pair.hub_command("verify")
    rows = json.loads(pair.hub_command("fleet", "--json").out)["sites"]
    told = next(row for row in rows if row["site"] == SITE)["alarms"]
    trial.figures["alarms"] = " ".join(each["id"] for each in told)


def _cut(trial: Trial, load: Load, number: int, dice: random.Random) -> float | None:
    """One cut, and the box on the air again. Seconds from the power to the air; None where it was the hub's power."""
    pair = trial.pair
    machine = pair.hub if dice.random() < HUB_SHARE else pair.box
    twice = dice.random() < BOOT_CUT_SHARE
    work_s, boot_s = dice.uniform(*WORK_S), dice.uniform(1, 40)
    load.start(number)
    time.sleep(work_s)
    load.ends()
    told = [machine.power_cut()]
    load.stop()
    if twice:
        machine.power_on(seed=f"{trial.seed}:{number}:boot")
        time.sleep(boot_s)
        told.append(machine.power_cut())
    if machine is pair.box:
        trial.modulator.reset()
    machine.power_on(seed=f"{trial.seed}:{number}")
    took_s = round(trial.on_air(machine.powered_at), 1) if machine is pair.box else None
    machine.wait_for_ssh()
    lost = ", ".join(
        f"{each.get('lost', 0)} lost {each.get('torn', 0)} torn {each.get('kept', 0)} kept" for each in told
    )
    again = f"; on the air after {took_s} s" if took_s is not None else ""
    trial.say(f"cut {number}/{trial.cuts} {machine.name}{' twice' if twice else ''}: {lost}{again}")
    return took_s


def _schedule(digests: list[str], version: int) -> str:
    """Today's, by a newer version."""
    document, _tomorrow = days.schedule_documents(CHANNEL, digests, list(content.CLIPS)[:1], days.now_utc())
    return json.dumps({**json.loads(document), "version": version}, ensure_ascii=False)
