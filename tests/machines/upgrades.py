"""A release comes by upgrade.yml and stays, a broken one goes back by itself and stops the rollout, a person goes back.

All the while a modulator listens at the output and a viewer asks for the channel's list every second: how many seconds
there were no pictures, how long no new segment came, how often nobody answered.
"""

import json
import shutil
import threading
import time
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from tests.machines.pair import BUNDLE, CHANNEL, SITE, PlaybookFailed
from tests.machines.places import BUILD
from tests.machines.scenarios.make import is_linked
from tests.machines.trial import Trial

GOOD: Final = "9.1.0"
BROKEN: Final = "9.2.0"
LINK_S_MAX: Final = 300
READY_S_MAX: Final = 600
ASK_S_MAX: Final = 30
"""An emulated box takes ten seconds to start its web server, and nginx waits for it."""
_THERE: Final = "/var/tmp/release"
_ENDS_AT_ONCE: Final = b"""

def _ends(*_arguments: object, **_options: object) -> None:
    raise SystemExit("a release that does not run")


agent.callback = _ends
"""


class Viewer:
    """Asks for the channel's list each second, as a player does, while it is entered."""

    def __init__(self, address: str) -> None:
        self._list = f"{address}/live/{CHANNEL}/index.m3u8"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._reset_at = time.monotonic()
        self.asked = 0
        self.refused: list[str] = []
        """Nobody took the connection, or it was hung up: when, how long it took, and what was heard of it."""
        self.faults = 0
        """Answers that were none of a channel on the air."""
        self.still_s_max = 0.0
        """The longest time for which the newest segment stayed the same."""

    def __enter__(self) -> "Viewer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(2 * ASK_S_MAX)

    def reset(self) -> None:
        """Counted from now on."""
        self.asked = self.faults = 0
        self.refused = []
        self._reset_at = time.monotonic()
        self.still_s_max = 0.0

    def figures(self, name: str) -> dict[str, Any]:
        """What is shown of it, each with its unit."""
        return {
            f"{name}_list_still_s": round(self.still_s_max, 1),
            f"{name}_lists_refused": len(self.refused),
            **({f"{name}_refusals": "; ".join(self.refused)} if self.refused else {}),
            f"{name}_lists_wrong": self.faults,
        }

    def _watch(self) -> None:
        newest, since = "", time.monotonic()
        while not self._ended.wait(1.0):
            self.asked += 1
            began = time.monotonic()
            try:
                with urllib.request.urlopen(self._list, timeout=ASK_S_MAX) as answer:
                    lines = answer.read().decode().splitlines()
            except urllib.error.HTTPError:
                self.faults += 1
                continue
            except (OSError, ValueError) as error:
                took = time.monotonic() - began
                self.refused.append(f"{began - self._reset_at:.0f}+{took:.1f}s {type(error).__name__}: {error}")
                continue
            seen = next((line for line in reversed(lines) if line and not line.startswith("#")), "")
            self.still_s_max = max(self.still_s_max, time.monotonic() - since)
            if seen and seen != newest:
                newest, since = seen, time.monotonic()


def play(trial: Trial) -> None:
    trial.as_made()
    trial.switch_on()
    trial.on_air(trial.pair.box.powered_at)
    trial.until("the hub is there", lambda: is_linked(trial), LINK_S_MAX)
    good, broken = bundle(trial, GOOD), bundle(trial, BROKEN, broken=True)
    with Viewer(trial.pair.box.http) as viewer:
        upgrade(trial, viewer, good)
        again(trial, good)
        broken_upgrade(trial, viewer, broken)
        rollback(trial, viewer)
    # In the end: what was lost in one of them is to hide nothing of the others.
    away = {name: lost for name, lost in trial.figures.items() if name.endswith("_air_lost_s") and lost}
    refused = {name: count for name, count in trial.figures.items() if name.endswith("_lists_refused") and count}
    assert not away and not refused, f"the output was away, or somebody was turned away: {away | refused}"


def upgrade(trial: Trial, viewer: Viewer, path: Path) -> None:
    """A good release comes by the playbook, and stays."""
    begun = _begin(trial, viewer)
    run = trial.pair.playbook("upgrade.yml", *_told(path), log="upgrade")
    trial.figures["upgrade_yml_s"] = round(run.seconds)
    _held(trial, viewer, begun, "upgrade")
    assert _current(trial) == GOOD
    outcome = _rollout(trial, GOOD)["outcomes"][SITE]["state"]
    assert outcome == "done", f"the hub has it as {outcome}"


def again(trial: Trial, path: Path) -> None:
    """The same command once more changes nothing."""
    run = trial.pair.playbook("upgrade.yml", *_told(path), log="upgrade-again")
    assert run.changed == 0, f"a second run of upgrade.yml changed {run.tasks_changed}"


def broken_upgrade(trial: Trial, viewer: Viewer, path: Path) -> None:
    """A broken one goes back by itself, and no other box gets it."""
    begun = _begin(trial, viewer)
    try:
        trial.pair.playbook("upgrade.yml", *_told(path), log="upgrade-broken")
        raise AssertionError("a release whose agent ends at once was kept")
    except PlaybookFailed:
        trial.figures["broken_upgrade_s"] = round(time.monotonic() - begun.at)
    _held(trial, viewer, begun, "broken_upgrade")
    assert _current(trial) == GOOD
    assert _rollout(trial, BROKEN)["stopped"] is not None
    try:
        trial.pair.playbook("upgrade.yml", *_told(path), log="upgrade-broken-again")
        raise AssertionError("a release that failed was begun again without a word")
    except PlaybookFailed:
        pass


def rollback(trial: Trial, viewer: Viewer) -> None:
    """A person goes back to the release of before."""
    before = json.loads(trial.pair.box_command("upgrade", "status", "--json").out)["previous"]
    begun = _begin(trial, viewer)
    trial.pair.box_command("upgrade", "rollback", "--reason", "画面异常", "--wait", "1200", timeout_s=1500)
    trial.figures["rollback_s"] = round(time.monotonic() - begun.at)
    _held(trial, viewer, begun, "rollback")
    assert _current(trial) == before


def bundle(trial: Trial, version: str, *, broken: bool = False) -> Path:
    """A release of another name, signed by the hub of the trial: this one's wheels, or an agent that ends at once."""
    parts = BUILD / f"parts-{version}"
    shutil.rmtree(parts, ignore_errors=True)
    (parts / "wheels").mkdir(parents=True)
    for path in sorted((BUNDLE / "wheels").glob("*.whl")):
        is_ours = path.name.startswith("songshan_edge-")
        (_break if broken and is_ours else shutil.copyfile)(path, parts / "wheels" / path.name)
    shell = trial.pair.hub.shell
    shell.run(f"rm -rf {_THERE} && mkdir -m 755 {_THERE}")
    shell.put(parts, f"{_THERE}/parts")
    shell.run(f"chown -R songshan-hub {_THERE}")
    trial.pair.hub_command("bundle", f"{_THERE}/parts", "--version", version, "--out", f"{_THERE}/{version}.bundle")
    made = BUILD / f"{version}.bundle"
    shell.get(f"{_THERE}/{version}.bundle", made)
    shell.run(f"rm -rf {_THERE}")
    return made


def _break(source: Path, target: Path) -> None:
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as broken:
        for name in whole.namelist():
            data = whole.read(name)
            broken.writestr(name, data + _ENDS_AT_ONCE if name == "edge_agent/command.py" else data)


@dataclass(frozen=True)
class Begun:
    """When it began, and how many continuity errors had been heard by then."""

    at: float
    errors: int


def _begin(trial: Trial, viewer: Viewer) -> Begun:
    viewer.reset()
    return Begun(time.monotonic(), trial.modulator.heard().continuity_errors)


def _held(trial: Trial, viewer: Viewer, begun: Begun, name: str) -> None:
    """What the county saw of it goes into the figures: also when the output was away, from its begin, and how long."""
    began = begun.at
    trial.figures |= viewer.figures(name)
    trial.figures[f"{name}_air_lost_s"] = round(trial.modulator.lost_s(began), 1)
    trial.figures[f"{name}_continuity_errors"] = trial.modulator.heard().continuity_errors - begun.errors
    moments = {
        "breaks": [(begin, end - begin) for begin, end in trial.modulator.breaks(began)],
        "errors": [(moment, 0.0) for moment in trial.modulator.errors(began)],
        "stalls_of_this_machine": trial.witness.stalls(began),
    }
    if skipped := _skipped(trial):
        trial.figures[f"{name}_skipped"] = skipped
    for what, found in moments.items():
        if found:
            told = dict.fromkeys(f"{at - began:.1f}+{seconds:.1f}s" for at, seconds in found)
            trial.figures[f"{name}_{what}"] = " ".join(told)


def _skipped(trial: Trial) -> str:
    """What the senders themselves say that nobody sent since they were started, because the box stood still."""
    found = []
    for role in ("main", "standby"):
        told = json.loads(trial.pair.box.shell.run(f"cat /run/songshan-playout/{CHANNEL}.{role}.json").out)
        if told["skips"]:
            found.append(f"{role} {told['skips']}: {told['skipped_us'] / 1e6:.2f}s, {told['lost_pictures']} pictures")
    return "; ".join(found)


def _told(path: Path) -> tuple[str, ...]:
    given = {"songshan_bundle_file": str(path), "songshan_reason": "演练", "songshan_anyway": True}
    return ("-e", json.dumps(given, ensure_ascii=False))


def _current(trial: Trial) -> str:
    return str(json.loads(trial.pair.box_command("upgrade", "status", "--json").out)["current"])


def _rollout(trial: Trial, version: str) -> dict[str, Any]:
    return dict(json.loads(trial.pair.hub_command("rollout", "status", version, "--json").out)["rollouts"][0])
