"""An upgrade of the box, as a small state machine, and what screens show of it. Pure.

    idle          nothing is under way
    staged        `new` lies whole under releases/; waits for a person or for the hub's operator
    preparing     asked for: the agent is stopped, the database copied
    backed_up     the copy is durable; the links are switched
    switched      the links name `new`; its units are started
    verifying     the gate looks (core/gate.py)
    committed     `new` stays
    rolling_back  the links are turned back, and the database too where `new` has changed its tables
    rolled_back   `old` runs again

The journal is one file, OPT/upgrade.json. It says what is to be done *before* it is done, and each deed may be done
twice; so whoever comes after a power cut goes on from the state that stands there. docs/formats.md, section 10.
"""

import re
from typing import Annotated, Final, Literal

import msgspec

from appliance.core.errors import OperatorError, Text

VERSION: Final = re.compile(r"[0-9][0-9A-Za-z.+-]{0,63}")
"""What a release may be called: it names a folder."""
PAST_MAX: Final = 20
ATTEMPTS_MAX: Final = 3
"""So often a trial may be cut off before its end - by power, or by a release that takes the machine down with it."""
REQUEST_BYTES_MAX: Final = 16 * 1024

State = Literal[
    "idle", "staged", "preparing", "backed_up", "switched", "verifying", "committed", "rolling_back", "rolled_back"
]
UNDER_WAY: Final = frozenset({"preparing", "backed_up", "switched", "verifying", "rolling_back"})
"""States in which something is to be done, whoever comes next."""
Do = Literal["stage", "apply", "rollback"]
Name = Literal["air", "api", "tick", "disk", "clock"]
"""The signals of the gate."""

WORDS: Final[dict[State, Text]] = {
    "idle": Text("无升级", "no upgrade"),
    "staged": Text("已就位，待切换", "staged, waits to be applied"),
    "preparing": Text("备份数据库", "copying the database"),
    "backed_up": Text("切换版本", "switching"),
    "switched": Text("启动新版本", "starting the new release"),
    "verifying": Text("试运行检验中", "on trial"),
    "committed": Text("升级完成", "committed"),
    "rolling_back": Text("回退中", "rolling back"),
    "rolled_back": Text("已回退", "rolled back"),
}


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """How the box was before."""

    channels: tuple[str, ...] = ()
    """Those that were committed ahead."""
    senders: tuple[str, ...] = ()
    """Channels that somebody sent to a modulator."""
    served: tuple[str, ...] = ()
    """Channels whose newest segment the web server gave."""
    api: bool = False
    free_bytes: int = 0
    alarms: tuple[str, ...] = ()
    at_us: int = 0


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """What one look found. `good` is None where there is nothing to hold it against."""

    name: Name
    good: bool | None
    found: Text


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """One upgrade, rollback or refusal of the past."""

    outcome: Literal["committed", "rolled_back", "refused"]
    old: str
    new: str
    by: str
    reason: str
    ended_us: int
    why: Text | None = None
    """Why the box went back by itself, or why what was asked was not done."""


class Undo(msgspec.Struct, frozen=True, kw_only=True):
    """What the way back needs. `old` is the release to go back to, `older` what `previous` named before.

    `database`: the copy that was made before, by its name in HOME/state; `steps`: which changes of the tables it had.
    """

    new: str
    old: str
    older: str = ""
    database: str = ""
    steps: tuple[str, ...] = ()


class Upgrade(msgspec.Struct, frozen=True, kw_only=True):
    """The journal. `undo`: of the upgrade under way, or of the one that was committed last.

    `signals`, `passes`: of the gate's last look.
    """

    v: int = 1
    state: State = "idle"
    old: str = ""
    new: str = ""
    by: str = ""
    reason: str = ""
    began_us: int = 0
    changed_us: int = 0
    switched_us: int = 0
    attempts: int = 0
    undo: Undo | None = None
    kept: Undo | None = None
    """That of the release which a trial goes back to: it stays as it was before."""
    restored: bool = False
    """The database of before was put back: what was said since comes back from the hub."""
    before: Baseline | None = None
    signals: tuple[Signal, ...] = ()
    passes: int = 0
    agent_us: int | None = None
    """When the agent that the gate's last look saw was started."""
    is_counted: bool = False
    """The boot has counted the attempt that comes (`songshan upgrade boot`)."""
    why: Text | None = None
    past: tuple[Ended, ...] = ()
    """The newest last."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody who may not touch the releases asks of the unit that may: a file in HOME/upgrade."""

    do: Do
    by: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    reason: Annotated[str, msgspec.Meta(max_length=1000)]
    at_us: int
    bundle: Annotated[str, msgspec.Meta(max_length=4096)] = ""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """A release on the disk; the file release.json in its folder, written when all of it is there."""

    version: str
    made_at: str = ""
    staged_at_us: int | None = None
    signed_by: str = ""
    """The hub's key that vouched for the bundle; "" for what was installed by hand."""


class Releases(msgspec.Struct, frozen=True, kw_only=True):
    """What lies on the disk, read just now, and how far an upgrade is.

    `current` runs after the next boot: it is read from the link itself. `trusted` is the one that passed its gate last,
    and the one by whose code upgrades are done. "" where there is no such link.
    """

    current: str = ""
    previous: str = ""
    trusted: str = ""
    there: tuple[Release, ...] = ()
    upgrade: Upgrade = Upgrade()
    waiting: tuple[Request, ...] = ()
    """Requests that nobody has taken up yet."""
    problem: Text | None = None

    @property
    def can_apply(self) -> bool:
        """Whether something is staged."""
        return self.upgrade.state == "staged"

    @property
    def can_roll_back(self) -> bool:
        """Whether there is a release to go back to, and nothing under way."""
        undo = self.upgrade.undo
        return undo is not None and self.current == undo.new and self.upgrade.state not in UNDER_WAY


class ReleaseFact(msgspec.Struct, frozen=True, kw_only=True):
    """The same for the overview, in short."""

    current: str = ""
    next_boot: str = ""
    previous: str = ""
    state: State = "idle"
    new: str = ""
    why: Text | None = None
    changed_us: int | None = None
    waiting: int = 0
    problem: Text | None = None


def parse_request(data: bytes) -> Request:
    """Read what somebody asked for; OperatorError where it is none."""
    try:
        asked = msgspec.json.decode(data, type=Request)
    except (ValueError, RecursionError) as error:
        raise OperatorError(Text(f"请求格式不对：{error}", f"not a request: {error}")) from error
    if asked.do == "stage" and not asked.bundle.startswith("/"):
        raise OperatorError(Text("stage 须给出升级包的绝对路径", "stage needs the absolute path of a bundle"))
    if asked.do == "rollback" and not asked.reason.strip():
        raise OperatorError(Text("回退须说明原因", "a rollback needs a reason"))
    return asked


def check_version(text: str) -> str:
    """The name of a release; OperatorError where it could lead out of its folder."""
    if not VERSION.fullmatch(text):
        raise OperatorError(Text(f"版本号不合规：{text[:80]!r}", f"not a version: {text[:80]!r}"))
    return text


def ended(upgrade: Upgrade, state: Literal["committed", "rolled_back"], now_us: int, why: Text | None) -> Upgrade:
    """The journal at the end of an upgrade or a rollback."""
    one = Ended(
        outcome=state,
        old=upgrade.old,
        new=upgrade.new,
        by=upgrade.by,
        reason=upgrade.reason,
        ended_us=now_us,
        why=why,
    )
    return msgspec.structs.replace(
        upgrade, state=state, changed_us=now_us, why=why, past=(*upgrade.past, one)[-PAST_MAX:]
    )


def refused(upgrade: Upgrade, asked: Request, why: Text, now_us: int) -> Upgrade:
    """The journal when something that was asked could not be begun: nothing else changes."""
    one = Ended(
        outcome="refused",
        old=upgrade.old,
        new=upgrade.new,
        by=asked.by,
        reason=asked.reason,
        ended_us=now_us,
        why=why,
    )
    return msgspec.structs.replace(upgrade, past=(*upgrade.past, one)[-PAST_MAX:])
