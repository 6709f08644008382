"""`songshan first-boot`: a new machine finds its claim, joins, and starts; nobody touches a key. Its unit runs it.

    look        /etc/songshan/join.bundle, cloud-init's seed, sticks and seeds as disks; read only
    keep        the claim is copied to /etc/songshan/join.bundle, which root alone reads: the stick may go
    join        as the user whom the box belongs to: he makes the keys, he speaks with the hub
    configure   appliance.toml is written; the claim is taken away
    start       the units of a box

A box that went on the air while the hub was away (`songshan join --air-first`) has its appliance.toml before it has
joined: what tells is the claim, which lies there until the hub has taken the keys, and then they are handed in as
above. Only a claim of its own site and hub counts then; a newer one may come on a stick, should the first run out.

Killed anywhere it is run again, and goes on: keys that were made are used again, a claim that was spent with them is
answered again. `appliance.core.first_boot` decides; what was done is told in /run/songshan-first-boot/told.json.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click
import msgspec

from appliance.as_owner import as_owner_of
from appliance.command import Box, now_us, pass_box, say
from appliance.config import Config, config_path, render, unjoined
from appliance.core import first_boot
from appliance.core.errors import HubUnreachable, LockedOut, OperatorError, Refused, SongshanError, Text
from appliance.core.first_boot import REFUSED_MAX, WORDS, Claim, Phase, Told
from appliance.durable import make_folder, sweep, unlink_durably, write_atomically
from appliance.first_boot_told import INSTALLED_TOLD, read_told, write_told
from appliance.joining import UNITS, Bundle, parse_bundle
from appliance.staging import HUB_KEY
from appliance.upgrading import by_program
from provisioning.join import configured, hand_in_keys
from provisioning.sticks import Found, kept, look

CLAIM: Final = "join.bundle"
AGENT: Final = "songshan-agent.service"
TRIES_MAX: Final = 120
"""In one run; then the unit ends with status 3, and systemd begins another one."""
LOOK_EVERY_S: Final = 10.0
_SYSTEM_RANDOM: Final = random.SystemRandom()


@dataclass
class Run:
    """One run: the box that is to be, what was done so far, and how to wait."""

    config: Config
    home: Path | None
    told_path: Path
    told: Told
    on_air: Config | None = None
    """What a box that is on the air, and that the hub does not know yet, goes by."""
    pause: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = field(default=_SYSTEM_RANDOM.random)

    @property
    def claim(self) -> Path:
        return config_path(self.home).with_name(CLAIM)

    def tell(self, phase: Phase, problem: Text | None = None, **known: object) -> None:
        """For the screens, and a line for the journal where something is new."""
        told = msgspec.structs.replace(self.told, phase=phase, problem=problem, at_us=now_us(), **known)
        if (told.phase, told.problem, told.place) != (self.told.phase, self.told.problem, self.told.place):
            words = WORDS[phase]
            why = (f"：{problem.zh}", f": {problem.en}") if problem else ("", "")
            say(Text(f"{words.zh} {told.place}{why[0]}", f"{words.en} {told.place}{why[1]}"))
        self.told = told
        write_told(self.told_path, told)


@click.command("first-boot")
@click.option("--systemctl", default="systemctl", help="the program that starts units")
@click.option("--from", "places", multiple=True, type=click.Path(path_type=Path), help="look there, and at no disks")
@click.option("--tries", default=TRIES_MAX, show_default=True, type=click.IntRange(1, 10_000), help="then status 3")
@click.option("--look-every", default=LOOK_EVERY_S, show_default=True, type=click.FloatRange(0.01, 3600))
@pass_box
def first_boot_(box: Box, systemctl: str, places: tuple[Path, ...], tries: int, look_every: float) -> None:
    """首次开机自动入网：找加入包、加入、启动。 Find a claim on a stick or from cloud-init, join, start the services.

    songshan-first-boot.service runs it while there is no appliance.toml. Example: songshan first-boot
    """
    told_path = box.home / "run/first-boot.json" if box.home else INSTALLED_TOLD
    run = Run(unjoined(box.home), box.home, told_path, read_told(told_path) or Told())
    if config_path(box.home).exists():
        run.on_air = _not_handed_in(run, box.config)
        if run.on_air is None:
            say(Text("此节点已加入", "this box has joined already"))
            unlink_durably(run.claim)
            by_program(systemctl)(["enable", "--now", "--no-block", *UNITS])
            return
    else:
        _check_home(run)
    run.tell("looking")
    _until_joined(run, places, tries, look_every)
    by_program(systemctl)(["enable", "--now", "--no-block", *UNITS])
    if run.on_air is not None:
        # It waits longer each time that its key is refused; nobody's pictures depend on it.
        by_program(systemctl)(["try-restart", "--no-block", AGENT])


def _not_handed_in(run: Run, config: Config) -> Config | None:
    """The box, where its claim still lies there; what is another's is none."""
    own = kept(run.claim)
    return config if own is not None and is_for(own.claim, config) else None


def is_for(claim: Claim, config: Config) -> bool:
    """Whether a claim lets this box in where it is at home, and nowhere else."""
    return config.hub is not None and (claim.site, claim.sign_key) == (config.site, config.hub.sign_key)


def _until_joined(run: Run, places: tuple[Path, ...], tries: int, look_every: float) -> None:
    """Look and try, with pauses. HubUnreachable where nothing came of it in so many tries."""
    failures = 0
    for _try in range(tries):
        found = [each for each in look(run.claim, places) if run.on_air is None or is_for(each.claim, run.on_air)]
        chosen = first_boot.choose([each.claim for each in found], run.told, _hub_key(run.config))
        if not isinstance(chosen, Claim):
            _tell_of_none(run, chosen)
            run.pause(look_every)
            continue
        try:
            if _join(run, next(each for each in found if each.claim is chosen)):
                return
            failures = 0
        except (HubUnreachable, LockedOut) as error:
            failures += 1
            _tell_of_failure(run, chosen, error, first_boot.pause_s(failures, run.jitter()))
    raise HubUnreachable(WORDS[run.told.phase])


def _tell_of_none(run: Run, why: Text | None) -> None:
    if why is None and run.told.refused:
        run.tell("refused", run.told.problem)
    else:
        run.tell("looking", why)


def _tell_of_failure(run: Run, claim: Claim, error: SongshanError, pause_s: float) -> None:
    """A line that is away comes back. A hub that does not know the claim may have been told of it too late."""
    told, is_locked_out = run.told, isinstance(error, LockedOut)
    locked_out = tuple(dict.fromkeys((*told.locked_out, claim.mark))) if is_locked_out else told.locked_out
    phase: Phase = "refused" if is_locked_out else "waiting"
    known = {"tries": told.tries + 1, "next_try_s": round(pause_s, 1), "locked_out": locked_out[-REFUSED_MAX:]}
    run.tell(phase, error.problems[0], **known)
    run.pause(pause_s)


def _join(run: Run, given: Found) -> bool:
    """Whether the box has joined. HubUnreachable while there is no line, LockedOut where the claim is not known."""
    claim = given.claim
    try:
        bundle = parse_bundle(given.data, claim.place)
        config = run.on_air or configured(run.home, bundle)
        run.tell("joining", place=claim.place, site=bundle.site, name=bundle.name, hub=_address(bundle))
        if claim.place != str(run.claim):
            make_folder(run.claim.parent, 0o755)
            write_atomically(run.claim, given.data, mode=0o600)
        verdict, shown = _as_owner(config, bundle)
    except (Refused, OperatorError) as error:
        _refuse(run, claim, error)
        return False
    path = config_path(run.home)

    def write() -> None:
        sweep(path.parent)
        write_atomically(path, render(config).encode())

    if run.on_air is None:
        # The folder is the box's own, so its links lead root nowhere.
        as_owner_of(path.parent, write)
    unlink_durably(run.claim)
    run.tell("joined", fingerprint=shown, is_approved=verdict == "approved", next_try_s=None)
    say(Text(f"密钥指纹 {shown}", f"key fingerprint {shown}"))
    return True


def _refuse(run: Run, claim: Claim, error: SongshanError) -> None:
    """It is not tried again. Of the copy nothing is left; what lies on a stick is its owner's.

    With the box on the air the copy is what tells that it has not joined, and waits for another to take its place.
    """
    if run.on_air is None:
        unlink_durably(run.claim)
    refused = (*run.told.refused, claim.mark)[-REFUSED_MAX:]
    run.tell("refused", error.problems[0], refused=refused, tries=run.told.tries + 1, next_try_s=None)


_KINDS: Final = (HubUnreachable, LockedOut, Refused, OperatorError)


class _Answer(msgspec.Struct, frozen=True):
    """What the child that speaks with the hub says: how it ended, or which of _KINDS was raised."""

    verdict: str = ""
    fingerprint: str = ""
    raised: int | None = None
    problems: tuple[Text, ...] = ()


def _as_owner(config: Config, bundle: Bundle) -> tuple[str, str]:
    """Keys are made, and the hub is spoken with, by the user whom the box belongs to. Verdict and fingerprint."""

    def act() -> bytes:
        try:
            answer, shown = hand_in_keys(config, bundle)
        except _KINDS as error:
            raised = next(number for number, kind in enumerate(_KINDS) if isinstance(error, kind))
            return msgspec.json.encode(_Answer(raised=raised, problems=error.problems))
        return msgspec.json.encode(_Answer(answer.verdict, shown))

    answer = msgspec.json.decode(as_owner_of(config.home, act), type=_Answer)
    if answer.raised is not None:
        raise _KINDS[answer.raised](*answer.problems)
    return answer.verdict, answer.fingerprint


def _check_home(run: Run) -> None:
    """Whose the box is, is whose its folder is: what installs it has made it."""
    home = run.config.home
    if run.home is not None:
        make_folder(home)
    elif not home.is_dir():
        raise OperatorError(
            Text(f"没有文件夹 {home}", f"there is no {home}"),
            hint=Text("systemd-sysusers && systemd-tmpfiles --create", "systemd-sysusers && systemd-tmpfiles --create"),
        )


def _hub_key(config: Config) -> str:
    """Whose bundles this machine was installed to believe; "" where nobody said."""
    path = config.releases / HUB_KEY
    return path.read_text().strip() if path.is_file() else ""


def _address(bundle: Bundle) -> str:
    return f"{bundle.hub.host}:{bundle.hub.port}"
