"""A box was stolen: it is shut out within a minute, and what it has goes on airing where it stands."""

import time

from tests.machines.pair import SITE
from tests.machines.scenarios.full import serves
from tests.machines.scenarios.make import is_linked
from tests.machines.trial import Trial

OUT_S_MAX = 60
LINK_S_MAX = 300


def play(trial: Trial) -> None:
    trial.as_made()
    trial.switch_on()
    pair = trial.pair
    trial.on_air(pair.box.powered_at)
    trial.until("the hub is there", lambda: is_linked(trial), LINK_S_MAX)
    began = time.monotonic()
    pair.hub_command("revoke", SITE)
    revoked = time.monotonic()
    trial.until("the session has ended", lambda: not is_linked(trial), OUT_S_MAX)
    trial.figures["shut_out_s"] = round(time.monotonic() - revoked, 1)
    item = pair.hub_command("publish", "--to", "all", "--title", "吊销以后", "--body", "/etc/hostname").out.split()[0]
    time.sleep(OUT_S_MAX)
    assert not serves(trial, item), "a revoked box was given what was published after"
    assert not is_linked(trial)
    run = pair.playbook("revoke.yml", "-e", f"songshan_revoked={SITE}")
    assert run.changed == 0, f"revoke.yml after a revoke changed {run.tasks_changed}"
    trial.figures["air_lost_s"] = round(trial.modulator.lost_s(began), 1)
    assert trial.figures["air_lost_s"] == 0, "the air was lost with the key"
    doctor = pair.box_command("doctor", "--json", check=False)
    assert doctor.status == 1, "the box does not say that it is shut out"
