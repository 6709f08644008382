"""A service of the box that ended badly (异常结束): how, in words, and what counts as the same. PURE."""

import re
from typing import Final

import msgspec

from appliance.core.errors import Text
from appliance.core.health import Finding
from appliance.core.moment import US
from appliance.core.withheld import taken_out

UNIT: Final = re.compile(r"songshan-[a-z]+(?:-[a-z]+)*(?:@[A-Za-z0-9:_.\\-]{0,120})?\.(?:service|socket|path|timer)")
NOTE_BYTES_MAX: Final = 512
LINES_MAX: Final = 40
LINE_CHARS_MAX: Final = 400
SAME_US: Final = 10 * 60 * US
"""What fails again within this is one incident, that happened more than once."""
KEPT: Final = 50
TIMES_MAX: Final = 1_000_000
_FOR_A_CONNECTION: Final = re.compile(r"@\d+-\d+-\d+(-\d+)?\.")
"""systemd.socket(5), Accept=: a number, and who connected."""
_WORD: Final = re.compile(r"[A-Za-z0-9-]{1,40}")


class Ended(msgspec.Struct, frozen=True):
    """How a unit ended, as systemd.exec(5) calls it: `result` is `exit-code`, `signal`, `watchdog`, `oom-kill` and the
    like; `code` and `status` are how its process ended: `exited` and a number, `killed` and a signal."""

    result: str = ""
    code: str = ""
    status: str = ""
    invocation: str = ""


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One unit, from its first failure to its last. `lines` are the last of its journal, without what looks secret."""

    unit: str
    at_us: int
    last_us: int
    times: int
    ended: Ended
    lines: tuple[str, ...] = ()


def known_as(unit: str) -> str:
    """What it is on record as: of a service that systemd starts for each connection the template, else itself."""
    return _FOR_A_CONNECTION.sub("@.", unit)


def note_of(text: str) -> Ended:
    """What a unit left when it ended: four words. Whatever else stands there, as after a cut, is not taken."""
    words = [word if _WORD.fullmatch(word) else "" for word in text.split()[:4]]
    return Ended(*words)


def begun(unit: str, ended: Ended, lines: tuple[str, ...], now_us: int) -> Incident:
    """A new one."""
    return Incident(unit=unit, at_us=now_us, last_us=now_us, times=1, ended=ended, lines=bounded(lines))


def again(before: Incident | None, unit: str, ended: Ended, lines: tuple[str, ...], now_us: int) -> Incident | None:
    """The incident that goes on, with what is known now; None where this is another. A clock that was put back makes
    another, too."""
    if before is None or before.unit != unit or not 0 <= now_us - before.at_us < SAME_US:
        return None
    times = min(before.times + 1, TIMES_MAX)
    return Incident(
        unit=unit, at_us=before.at_us, last_us=now_us, times=times, ended=ended, lines=bounded(lines) or before.lines
    )


def bounded(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The last lines, each of them short and without what looks like a key, a password or a person's number."""
    return tuple(taken_out(line[: 4 * LINE_CHARS_MAX])[:LINE_CHARS_MAX] for line in lines[-LINES_MAX:])


def how(ended: Ended) -> Text:
    """How it ended, for people."""
    words = {
        "watchdog": Text("无响应，被看门狗终止", "it hung, and the watchdog ended it"),
        "oom-kill": Text("内存不足，被系统终止", "the machine ran out of memory and ended it"),
        "timeout": Text("启动或停止超时", "it took too long to start or to stop"),
        "start-limit-hit": Text("反复启动失败，已不再重试", "it failed too often and is not started any more"),
        "core-dump": Text("崩溃", "it crashed"),
        "protocol": Text("未报告就绪即退出", "it ended before it was ready"),
        "resources": Text("系统资源不足", "the machine had no room for it"),
    }
    if ended.result in words:
        return words[ended.result]
    if ended.code == "killed" or ended.result == "signal":
        return Text(f"被信号 {ended.status or '?'} 终止", f"signal {ended.status or '?'} ended it")
    if ended.code == "exited":
        return Text(f"退出码 {ended.status or '?'}", f"exit status {ended.status or '?'}")
    return Text(f"失败（{ended.result or '?'}）", f"it failed ({ended.result or '?'})")


def finding_of(unit: str, ended: Ended) -> Finding:
    """The alarm of it."""
    return Finding(
        id=f"incident:{unit}",
        severity="amber",
        text=Text(f"服务 {unit} 异常结束：{how(ended).zh}", f"{unit} ended badly: {how(ended).en}"),
        hint=Text(
            f"详情 songshan incident；journalctl -u {unit} -n 50", f"songshan incident; journalctl -u {unit} -n 50"
        ),
    )
