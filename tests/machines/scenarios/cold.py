"""The power comes back, and nothing is at the other end of any cable but the modulator's."""

import time

from tests.machines.trial import Trial

STAY_S = 30
CONTINUITY_ERRORS_MAX = 0


def play(trial: Trial) -> None:
    trial.as_made()
    box = trial.pair.box
    trial.modulator.reset()
    box.power_on(seed=trial.seed)
    for network in ("mgmt", "line"):
        box.link(network, up=False)  # type: ignore[arg-type]
    trial.figures["on_air_s"] = round(trial.on_air(box.powered_at), 1)
    began = time.monotonic()
    time.sleep(STAY_S)
    trial.figures["air_lost_s"] = round(trial.modulator.lost_s(began), 1)
    assert trial.figures["air_lost_s"] == 0, "off the air again"
    assert trial.modulator.heard().continuity_errors <= CONTINUITY_ERRORS_MAX, trial.modulator.heard()
    box.link("mgmt", up=True)
    box.wait_for_ssh()
    on_air = trial.pair.status()["on_air"]
    assert on_air, "the box does not say what is on the air"
    trial.figures["plays"] = on_air[0].get("title") or on_air[0].get("kind")
    box.link("line", up=True)
