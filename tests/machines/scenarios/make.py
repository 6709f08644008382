"""From two bare machines to a hub and a box on the air, by the playbooks and the bundle alone.

The box gets its software while the hub is made: an invitation is the first that it needs of a hub.
"""

import time
from concurrent.futures import ThreadPoolExecutor

from tests.machines import content
from tests.machines.pair import BUNDLE, SITE
from tests.machines.trial import MADE, Trial

ARRIVE_S_MAX = 600
SOFTWARE = "common_install,box_install"


def play(trial: Trial) -> None:
    assert (BUNDLE / "bundle.json").is_file(), "no bundle: make bundle"
    pair = trial.pair
    for machine in pair.machines:
        machine.kept(MADE).unlink(missing_ok=True)
        machine.install()
    trial.switch_on()
    trial.figures["boot_s"] = round(time.monotonic() - pair.box.powered_at, 1)
    began = time.monotonic()
    with ThreadPoolExecutor(2) as side_by_side:
        hub = side_by_side.submit(pair.playbook, "hub.yml")
        software = side_by_side.submit(pair.playbook, "box.yml", "--tags", SOFTWARE, log="box-software")
        trial.figures["box_software_s"] = round(software.result().seconds)
        trial.say(f"box.yml, software: {trial.figures['box_software_s']} s")
        trial.figures["hub_yml_s"] = round(hub.result().seconds)
    trial.say(f"hub.yml: {trial.figures['hub_yml_s']} s")
    rest = time.monotonic()
    trial.figures["box_rest_s"] = round(pair.playbook("box.yml").seconds)
    trial.say(f"box.yml, the rest: {trial.figures['box_rest_s']} s")
    trial.figures["box_bare_to_on_air_s"] = trial.figures["box_software_s"] + round(trial.on_air(rest))
    trial.figures["both_bare_to_on_air_s"] = round(rest - began + trial.on_air(rest))
    content.publish(pair)
    trial.until("a programme of the schedule is on the air", lambda: plays_a_programme(trial), ARRIVE_S_MAX)
    trial.figures["both_bare_to_programme_s"] = round(time.monotonic() - began)
    # While it is made, an emulated box may be too slow for its own pictures.
    trial.figures["continuity_errors_while_made"] = trial.modulator.heard().continuity_errors
    keep(trial)


def keep(trial: Trial) -> None:
    """Both are shut down as by their buttons, and their disks kept."""
    for machine in reversed(trial.pair.machines):
        began = time.monotonic()
        machine.shut_down()
        trial.figures[f"{machine.name}_shut_down_s"] = round(time.monotonic() - began, 1)
        machine.save(MADE)


def plays_a_programme(trial: Trial) -> bool:
    """What the box says is on the air was planned, and is none of its fillers."""
    on_air = trial.pair.status()["on_air"]
    return any(each.get("kind") == "programme" or each.get("entry") for each in on_air)


def is_linked(trial: Trial) -> bool:
    """The hub has a session with the box."""
    rows = trial.pair.fleet()
    return any(row["site"] == SITE and row["link"] == "connected" for row in rows)
