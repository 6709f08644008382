"""The battery of the clock is dead: the machine wakes up in 1970, and the hub is away at first."""

import time

from tests.machines.scenarios.make import is_linked
from tests.machines.trial import Trial

RIGHT_S_MAX = 2.0
SET_S_MAX = 300
_STAY_S = 20


def play(trial: Trial) -> None:
    trial.as_made()
    hub, box = trial.pair.hub, trial.pair.box
    hub.power_on(seed=trial.seed)
    trial.modulator.reset()
    box.power_on(clock="1970-01-01T00:00:00", seed=trial.seed)
    box.link("line", up=False)
    trial.figures["on_air_s"] = round(trial.on_air(box.powered_at), 1)
    box.wait_for_ssh()
    hub.wait_for_ssh()
    trial.figures["clock_before"] = box.shell.run("date -u +%FT%TZ").out.strip()
    began = time.monotonic()
    box.link("line", up=True)
    trial.figures["right_after_s"] = round(trial.until("the time is right", lambda: is_right(trial), SET_S_MAX), 1)
    trial.until("the hub is there", lambda: is_linked(trial), SET_S_MAX)
    time.sleep(_STAY_S)
    trial.figures["air_lost_s"] = round(trial.modulator.lost_s(began), 1)
    assert trial.modulator.on_air_since(0) is not None, "off the air after the clock was set"


def is_right(trial: Trial) -> bool:
    """The box's clock shows what this machine's does."""
    before = time.time()
    shown = float(trial.pair.box.shell.run("date +%s.%N").out)
    return before - RIGHT_S_MAX < shown < time.time() + RIGHT_S_MAX
