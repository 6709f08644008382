"""What the doctor looks at of machine and software: the release, the backups, the disks, the time, the port."""

import http.client
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from appliance import incidents, nights, releases
from appliance.commands.check import Check, good, wrong
from appliance.config import Config
from appliance.core.alarms import YEAR_2025_US
from appliance.core.errors import Text, WorldError
from appliance.core.health import Clock
from appliance.core.incident import how
from appliance.core.moment import US, to_text
from appliance.core.release import UNDER_WAY
from appliance.core.upkeep import BACKUP_AMBER_US, STUCK_US, age_of
from appliance.mounts import mount_of, mounts

HTTP_TIMEOUT_S: Final = 3.0
ANSWER_BYTES_MAX: Final = 4096
ALIVE: Final = b"ok\n"
"""What /healthz of our own web server says, and no other's."""
SMART_TIMEOUT_S: Final = 10.0
SMART_FAILING: Final = 1 << 3
SMART_WORN: Final = 1 << 4
"""Bits of smartctl's exit status, smartctl(8): the disk says that it fails; a value is past its threshold."""
SMART_SILENT: Final = 0b111
"""It could not be asked."""
AWAY_US: Final = 8 * 24 * 3600 * US
"""A week of a bad line is no news; a backup that only lies beside what it is a backup of is none."""
OFFSET_MAX_MS: Final = 1000.0
LATELY_US: Final = 24 * 3600 * US
INCIDENTS_SHOWN: Final = 5


def ended_badly(config: Config, now_us: int) -> Iterator[Check]:
    """Services that failed within the last day; nothing where none did."""
    lately = [each for each in incidents.newest(config) if abs(now_us - each.last_us) <= LATELY_US]
    hint = Text("songshan incident --lines", "songshan incident --lines")
    for each in lately[:INCIDENTS_SHOWN]:
        ended, at = how(each.ended), to_text(each.last_us)
        text = Text(
            f"{at} {each.unit} 异常结束 {each.times} 次：{ended.zh}",
            f"{at} {each.unit} ended badly {each.times}x: {ended.en}",
        )
        yield wrong("incident", "warning", text, hint)


def release(config: Config, now_us: int) -> Iterator[Check]:
    """Which software runs now and after the next boot; nothing where it was not installed as a release."""
    seen = releases.releases(config)
    status = Text("songshan upgrade status", "songshan upgrade status")
    if seen.problem is not None:
        yield wrong("release", "bad", seen.problem, status)
    elif seen.upgrade.state in UNDER_WAY:
        age_us = now_us - seen.upgrade.changed_us
        text = Text(
            f"升级到 {seen.upgrade.new} 进行中，{age_of(age_us).zh}",
            f"{seen.upgrade.new} under way, {age_of(age_us).en}",
        )
        stuck = Text("systemctl start songshan-upgrade", "systemctl start songshan-upgrade")
        yield wrong("release", "warning", text, stuck if age_us > STUCK_US else status)
    elif seen.upgrade.state == "rolled_back" and seen.upgrade.why is not None:
        why, new = seen.upgrade.why, seen.upgrade.new
        yield wrong("release", "warning", Text(f"{new} 已回退：{why.zh}", f"{new} was rolled back: {why.en}"), status)
    elif seen.current:
        yield good("release", f"{seen.current}，下次开机亦然", f"{seen.current}, also after the next boot")


def backup(config: Config, now_us: int) -> Iterator[Check]:
    """How old the last one is, and whether anybody could open it elsewhere."""
    fact = nights.backup_fact(config)
    make = Text("songshan backup --nightly", "songshan backup --nightly")
    if fact.last_us is None:
        yield wrong("backup", "warning", Text("还没有备份", "there is no backup yet"), make)
        return
    age = age_of(now_us - fact.last_us)
    away_us = max((each for each in (fact.at_hub_us, fact.at_stick_us) if each is not None), default=None)
    if now_us - fact.last_us > BACKUP_AMBER_US:
        text = Text(f"最近一次备份在 {age.zh}前", f"the last backup is {age.en} old")
        timer = Text("systemctl status songshan-backup.timer", "systemctl status songshan-backup.timer")
        yield wrong("backup", "warning", text, timer)
    elif not fact.is_rehearsed:
        text = Text(
            "最近一次备份没有试恢复过：可能打不开",
            "nobody has opened the last backup: it may be none that can be restored",
        )
        yield wrong("backup", "warning", text, make)
    elif fact.code_shown_us is None:
        text = Text(
            "恢复码没有人抄下：换机后备份打不开", "nobody has written the recovery code down: it opens no backup"
        )
        yield wrong("backup", "warning", text, Text("songshan backup --show-code", "songshan backup --show-code"))
    elif config.hub is not None and (away_us is None or now_us - away_us > AWAY_US):
        at = age_of(now_us - away_us) if away_us is not None else None
        text = Text(
            f"备份只在本机：{f'{at.zh}没有送达嵩山云或移动盘' if at else '从未送达嵩山云或移动盘'}",
            f"backups are on this machine alone: none reached the hub or a stick {f'for {at.en}' if at else 'ever'}",
        )
        step = Text(
            "有线路：songshan backup status；没有：songshan usb export 移动盘，带给嵩山云",
            "with a line: songshan backup status; without: songshan usb export DIR, and bring it to the hub",
        )
        yield wrong("backup", "warning", text, step)
    else:
        hub = Text("", "")
        if fact.at_hub_us is not None:
            at = age_of(now_us - fact.at_hub_us)
            hub = Text(f"，{at.zh}前送达嵩山云", f", one reached the hub {at.en} ago")
        yield good("backup", f"{age.zh}前，共 {fact.count} 份{hub.zh}", f"{age.en} old, {fact.count} kept{hub.en}")


def disks(config: Config) -> Iterator[Check]:
    """What the disks of state and media say of themselves, where somebody may ask them; nothing elsewhere."""
    for name in dict.fromkeys(disk for path in (config.home, config.media) if (disk := disk_of(path)) is not None):
        status = _smart(name)
        if status is None or status & SMART_SILENT:
            continue
        if status & SMART_FAILING:
            text = Text(f"磁盘 {name} 自检报告即将失效", f"the disk {name} says that it is failing")
            hint = Text("先备份，尽快换盘：songshan backup", "back up first, then replace it soon: songshan backup")
            yield wrong("disk", "bad", text, hint)
        elif status & SMART_WORN:
            text = Text(f"磁盘 {name} 有指标超限", f"a value of the disk {name} is past its threshold")
            yield wrong("disk", "warning", text, Text(f"smartctl -a /dev/{name}", f"smartctl -a /dev/{name}"))
        else:
            yield good("disk", f"{name} SMART 正常", f"{name}: SMART says it is well")


def disk_of(path: Path) -> str | None:
    """The disk that a path lies on, as /dev calls it; None where it is none, as in a container."""
    try:
        mount = mount_of(path, mounts())
    except WorldError:
        return None
    if mount is None:
        return None
    block = Path("/sys/dev/block") / mount.device
    real = Path(os.path.realpath(block))
    if not block.exists():
        return None
    return real.parent.name if (real / "partition").exists() else real.name


def web(config: Config) -> Iterator[Check]:
    """Whether our web server answers, or somebody else sits on its port."""
    host, _colon, port = config.web_bind.rpartition(":")
    try:
        with closing(http.client.HTTPConnection(host.strip("[]"), int(port), timeout=HTTP_TIMEOUT_S)) as line:
            line.request("GET", "/healthz")
            said = line.getresponse()
            is_ours = said.status == 200 and said.read(ANSWER_BYTES_MAX) == ALIVE
    except OSError:
        # Also one that hangs up without a word: ours does when it ends.
        text = Text(f"{config.web_bind} 无人应答", f"nothing answers on {config.web_bind}")
        yield wrong("web", "warning", text, Text("songshan web", "songshan web"))
        return
    except http.client.HTTPException:
        is_ours = False
    if is_ours:
        yield good("web", f"{config.web_bind} 有应答", f"{config.web_bind} answers")
    else:
        text = Text(f"{config.web_bind} 被别的程序占用", f"another program has the port {config.web_bind}")
        yield wrong("ports", "bad", text, Text(f"ss -ltnp sport = :{port}", f"ss -ltnp sport = :{port}"))


def clock(now_us: int, seen: Clock | None) -> Check:
    """Whether the time can be believed. `seen`: what the agent last knew of it."""
    hint = Text("请检查时间服务：chronyc tracking", "check the time service: chronyc tracking")
    now = to_text(now_us // US * US)
    if now_us < YEAR_2025_US:
        return wrong("clock", "bad", Text(f"时钟不对：{now}", f"wrong: {now}"), hint)
    if seen is not None and seen.hub_offset_ms is not None and abs(seen.hub_offset_ms) > OFFSET_MAX_MS:
        offset = f"{seen.hub_offset_ms / 1000:.1f}"
        text = Text(f"{now}，与嵩山云相差 {offset} 秒", f"{now}, the hub is {offset} s ahead")
        return wrong("clock", "warning", text, hint)
    if seen is not None and seen.synchronised is False:
        return wrong("clock", "warning", Text(f"{now}，未与时间服务同步", f"{now}, follows no time server"), hint)
    return good("clock", now, now)


def _smart(name: str) -> int | None:
    """smartctl's exit status; None where there is no such program or it does not end."""
    argv = ["smartctl", "-j", "-H", "-A", "-n", "standby", f"/dev/{name}"]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=SMART_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL)
        json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    return done.returncode
