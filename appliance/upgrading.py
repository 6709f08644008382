"""Do what the journal of an upgrade says is to be done; read core/release.py first.

    begin_apply, begin_rollback     write down what somebody asked for, when it can be
    carry_on                        do it, state by state; killed anywhere, the next one goes on
    begin_boot                      before anything of the release is started: count what the boot cut off

Each state is written before its deed, and each deed may be done twice. What is done in the box's own folder is done as
the user whose folder it is. Units are started by a program that the caller names (systemctl).
"""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import msgspec

from appliance import database_before, following, releases, spool
from appliance.as_owner import as_owner_of
from appliance.asking import answers
from appliance.config import Config
from appliance.core import gate, release
from appliance.core.command import Did
from appliance.core.errors import DiskFull, Refused, SongshanError, Text, WorldError
from appliance.core.gate import Policy
from appliance.core.moment import to_text
from appliance.core.release import UNDER_WAY, Undo, Upgrade
from appliance.durable import disk_errors, make_folder, sweep
from appliance.following import Run
from appliance.store import at_rest
from appliance.store.facts import look

AGENT: Final = "songshan-agent.service"
WEB: Final = "songshan-web.service"
WEB_SOCKET: Final = "songshan-web.socket"
"""Holds what comes while the web server is started anew: nobody is refused."""
UNITS_TIMEOUT_S: Final = 90.0
"""Longer than a unit may take to stop."""
STATES_MAX: Final = 16


@dataclass(frozen=True)
class Machine:
    """What an upgrade needs beside the disk."""

    run: Run
    policy: Policy = field(default_factory=Policy)
    pause: Callable[[float], None] = time.sleep
    units: Path | None = None
    """Where systemd has its links to the units of the release; None where it has none."""


def by_program(program: str) -> Run:
    """`program` is systemctl, or what takes its arguments where there is none."""

    def run(arguments: Sequence[str]) -> None:
        argv = [program, *arguments]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=UNITS_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise WorldError(Text(f"{' '.join(argv)}：{error}", f"{' '.join(argv)}: {error}")) from error
        if done.returncode != 0:
            said = done.stderr.strip()[-500:] or f"exit status {done.returncode}"
            raise WorldError(Text(f"{' '.join(argv)}：{said}", f"{' '.join(argv)}: {said}"))

    return run


@contextmanager
def one_at_a_time(config: Config) -> Iterator[None]:
    """Nobody else upgrades meanwhile. Raises Refused."""
    with disk_errors(config.releases):
        make_folder(config.releases, 0o755)
        descriptor = os.open(config.releases / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Refused(Text("升级正在进行", "an upgrade is under way"), hint=_SEE_STATUS) from error
    finally:
        os.close(descriptor)


def begin_apply(config: Config, by: str, reason: str, now_us: int) -> None:
    """Write down that what is staged is to run. Raises Refused with the reason why not; then nothing has changed."""
    upgrade = releases.journal(config)
    current, new = releases.linked(config, "current"), upgrade.new
    if upgrade.state != "staged":
        raise Refused(
            Text("没有就位的新版本", "nothing is staged"), hint=Text("songshan upgrade stage", "stage a bundle")
        )
    for version in (current, new):
        if not version or not (releases.folder_of(config, version) / releases.MARK).is_file():
            raise Refused(Text(f"版本 {version or '?'} 不完整", f"release {version or '?'} is not whole"))
    database_before.check_room(config)
    releases.point(config, "trusted", releases.linked(config, "trusted") or current)
    begun = Upgrade(
        state="preparing",
        old=current,
        new=new,
        by=by,
        reason=reason,
        began_us=now_us,
        changed_us=now_us,
        undo=Undo(new=new, old=current, older=releases.linked(config, "previous")),
        kept=upgrade.undo,
        before=gate.baseline(look(config, now_us), answers(config)),
        past=upgrade.past,
    )
    releases.keep(config, begun)


def begin_rollback(config: Config, by: str, reason: str, now_us: int) -> None:
    """Write down that the release before is to run again. Raises Refused; then nothing has changed."""
    seen = releases.releases(config)
    undo = seen.upgrade.undo
    if undo is None or not seen.can_roll_back:
        raise Refused(Text("没有可回退的版本", "there is no release to go back to"), hint=_SEE_STATUS)
    if not (releases.folder_of(config, undo.old) / releases.MARK).is_file():
        raise Refused(Text(f"版本 {undo.old} 已不在", f"release {undo.old} is not there any more"), hint=_SEE_STATUS)
    begun = msgspec.structs.replace(
        seen.upgrade,
        state="rolling_back",
        old=undo.old,
        new=undo.new,
        by=by,
        reason=reason,
        began_us=now_us,
        changed_us=now_us,
        why=None,
        restored=False,
    )
    releases.keep(config, begun)


def carry_on(config: Config, machine: Machine) -> Upgrade:
    """Do what is to be done, until nothing is. The caller holds `one_at_a_time`."""
    deeds = {
        "preparing": _prepare,
        "backed_up": _switch,
        "switched": _start,
        "verifying": _verify,
        "rolling_back": _go_back,
    }
    for _state in range(STATES_MAX):
        upgrade = releases.journal(config)
        if upgrade.state not in UNDER_WAY:
            return upgrade
        deeds[upgrade.state](config, upgrade, machine)
    raise AssertionError("an upgrade does not come to its end")


def begin_boot(config: Config, machine: Machine) -> None:
    """Before systemd starts anything of the release: count the trial that this boot cut off, and go back at the last.

    A release that takes the machine down within a second of its start never lets `carry_on` come to a count. The caller
    holds `one_at_a_time`.
    """
    upgrade = releases.journal(config)
    if upgrade.state in ("switched", "verifying"):
        if upgrade.attempts < release.ATTEMPTS_MAX:
            _to(config, upgrade, attempts=upgrade.attempts + 1, is_counted=True)
            return
        upgrade = _to(config, upgrade, state="rolling_back", why=_CUT_OFF)
    if upgrade.state == "rolling_back":
        _go_back(config, upgrade, replace(machine, run=following.while_booting(machine.run)))


def sweep_requests(config: Config) -> None:
    """Take away what somebody who asked was killed at: systemd would start us for it over and over."""
    if config.requests.is_dir():
        as_owner_of(config.home, lambda: _sweep(config))


def _sweep(config: Config) -> None:
    sweep(config.requests)


def _prepare(config: Config, upgrade: Upgrade, machine: Machine) -> None:
    """Stop the agent and copy the database. What fails here fails before anything was changed."""
    assert upgrade.undo is not None
    name = f"before-{upgrade.new}.db"
    try:
        machine.run(["stop", AGENT])
        as_owner_of(config.home, lambda: database_before.copy(config, name))
        steps = at_rest.steps_of(config.database) if config.database.exists() else ()
    except (WorldError, DiskFull) as error:
        with suppress(WorldError):
            machine.run(["restart", AGENT])
        asked = release.Request(do="apply", by=upgrade.by or "-", reason=upgrade.reason, at_us=upgrade.began_us)
        refused = release.refused(upgrade, asked, error.problems[0], _now_us(config))
        releases.keep(
            config, msgspec.structs.replace(refused, state="staged", why=error.problems[0], undo=upgrade.kept)
        )
        return
    undo = msgspec.structs.replace(upgrade.undo, database=name, steps=steps)
    _to(config, upgrade, state="backed_up", undo=undo)


def _switch(config: Config, upgrade: Upgrade, machine: Machine) -> None:
    following.leave(config, machine.run, machine.units, upgrade.new)
    releases.point(config, "previous", upgrade.old)
    releases.point(config, "current", upgrade.new)
    _to(config, upgrade, state="switched", switched_us=_now_us(config))


def _start(config: Config, upgrade: Upgrade, machine: Machine) -> None:
    """One that cannot be started is found out by the gate. Senders are left alone: they go on from what they have."""
    following.enter(config, machine.run, machine.units, upgrade.new)
    _restart(config, machine)
    _to(config, upgrade, state="verifying", passes=0)


def _verify(config: Config, upgrade: Upgrade, machine: Machine) -> None:
    """Look again and again, until enough looks in a row were good or the time is over."""
    before = upgrade.before
    assert before is not None
    if not upgrade.is_counted and upgrade.attempts >= release.ATTEMPTS_MAX:
        _to(config, upgrade, state="rolling_back", why=_CUT_OFF)
        return
    attempts = upgrade.attempts + (0 if upgrade.is_counted else 1)
    upgrade = _to(config, upgrade, attempts=attempts, is_counted=False, passes=0, agent_us=None)
    began_s, policy = time.monotonic(), machine.policy
    while True:
        seen = look(config, _now_us(config))
        signals = gate.look(before, seen, answers(config), upgrade.switched_us, upgrade.agent_us)
        passes = upgrade.passes + 1 if gate.is_pass(signals) else 0
        upgrade = _to(config, upgrade, signals=signals, passes=passes, agent_us=seen.agent.started_at_us)
        verdict = gate.decide(passes, time.monotonic() - began_s, policy)
        if verdict == "commit":
            _commit(config, upgrade, machine)
            return
        if verdict == "roll_back":
            _to(config, upgrade, state="rolling_back", why=gate.why_not(signals, policy))
            return
        machine.pause(policy.pause_s)


def _commit(config: Config, upgrade: Upgrade, machine: Machine) -> None:
    releases.point(config, "trusted", upgrade.new)
    # From now on the units of upgrades are its own.
    following.enter(config, machine.run, machine.units, upgrade.new)
    _record(config, upgrade, f"upgrade {upgrade.old} -> {upgrade.new}")
    upgrade = release.ended(msgspec.structs.replace(upgrade, kept=None), "committed", _now_us(config), None)
    releases.keep(config, upgrade)
    assert upgrade.undo is not None
    kept = {upgrade.new, upgrade.old, upgrade.undo.database}
    for folder in (config.releases / "releases").iterdir():
        if folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)
    as_owner_of(config.home, lambda: database_before.let_go(config, kept))


def _go_back(config: Config, upgrade: Upgrade, machine: Machine) -> None:
    assert upgrade.undo is not None
    undo = upgrade.undo
    with suppress(WorldError):
        machine.run(["stop", AGENT])
    following.leave(config, machine.run, machine.units, undo.old)
    releases.point(config, "current", undo.old)
    releases.point(config, "previous", undo.older)
    releases.point(config, "trusted", undo.old)
    if upgrade.restored or database_before.is_of_the_newer(config, undo):
        # Decided once: what is half done does not look like what it was.
        upgrade = _to(config, upgrade, restored=True)
        as_owner_of(config.home, lambda: database_before.put_back(config, undo, machine.pause))
    following.enter(config, machine.run, machine.units, undo.old)
    _restart(config, machine)
    _record(config, upgrade, f"upgrade {undo.old} <- {undo.new}")
    upgrade = release.ended(upgrade, "rolled_back", _now_us(config), upgrade.why)
    releases.keep(config, msgspec.structs.replace(upgrade, undo=upgrade.kept, kept=None))


def _record(config: Config, upgrade: Upgrade, what: str) -> None:
    """Into the audit trail, beside the journal's own: at least once, wherever this is killed."""
    by, reason = upgrade.by or "songshan", upgrade.why.zh if upgrade.why is not None else upgrade.reason
    did = Did(what=what, by=by, via="cli", at=to_text(_now_us(config)), reason=reason)
    with suppress(SongshanError):
        # A full disk must not keep a box from its release.
        as_owner_of(config.home, lambda: _put(config, did))


def _put(config: Config, did: Did) -> None:
    spool.put(config, did)


def _restart(config: Config, machine: Machine) -> None:
    """A release that did not start was tried until systemd gave its units up; they would refuse this start as well."""
    asked = [("reset-failed", AGENT), ("restart", AGENT)]
    if following.is_linked(config, machine.units, WEB_SOCKET):
        asked += [("reset-failed", WEB_SOCKET), ("start", WEB_SOCKET)]
    for verb, unit in (*asked, ("reset-failed", WEB), ("restart", WEB)):
        with suppress(WorldError):
            machine.run([verb, unit])


def _to(config: Config, upgrade: Upgrade, **changes: object) -> Upgrade:
    changed = msgspec.structs.replace(upgrade, changed_us=_now_us(config), **changes)
    releases.keep(config, changed)
    return changed


def _now_us(config: Config) -> int:
    return config.clock.wall_us()


_SEE_STATUS: Final = Text("songshan upgrade status", "songshan upgrade status")
_CUT_OFF: Final = Text(
    f"试运行 {release.ATTEMPTS_MAX} 次被中断（断电或死机）",
    f"its trial was cut off {release.ATTEMPTS_MAX} times, by power or by the machine going down",
)
