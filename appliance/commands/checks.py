"""What `songshan doctor` looks at: each part of the box by itself, with the cause and the next step.

No check needs another to pass: the agent may be dead, the database missing, the config broken, the line cut. A check
reads and connects; it never writes, repairs or sends anything.
"""

import os
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance.command import Box
from appliance.commands import machine_checks, timer_checks, unit_checks
from appliance.commands.check import Check as Check
from appliance.commands.check import State, good, wrong
from appliance.config import Config
from appliance.core.errors import Held, SongshanError, Text, WorldError
from appliance.core.health import Snapshot
from appliance.core.key_alarm import of_key
from appliance.core.moment import to_text
from appliance.core.outputs import line_of, of_outputs
from appliance.store.database import open_read_only, reading, sqlite_errors
from appliance.store.facts import look
from appliance.store.journals import parked

CONNECT_TIMEOUT_S: Final = 3.0
BANNER_BYTES: Final = 64
PROGRAMS: Final = ("rsync", "ssh", "ffmpeg", "ffprobe", "setpriv")
PARKED_SHOWN: Final = 5
_LOOKED_AT: Final = {
    "agent", "backup", "clock", "database", "key", "release", "upgrade", "output", "output-network", "output-slate",
    "output-rate", "output-standby", "probe",
}  # fmt: skip
"""Alarms of what is looked at here anyway."""


def all_checks(box: Box, now_us: int) -> tuple[Check, ...]:
    """Everything that can be looked at, most basic first."""
    try:
        config = box.config
    except SongshanError as error:
        broken = tuple(Check(name="config", state="bad", found=problem, hint=error.hint) for problem in error.problems)
        return (*broken, *_programs(), machine_checks.clock(now_us, None))
    # Looked at once: a database that somebody holds is waited for each time.
    seen = look(config, now_us)
    found = [
        *_config(config),
        *machine_checks.release(config, now_us),
        *_folders(config),
        *keys(config),
        *_key_term(config, seen),
        *_disk(config, seen),
        *_database(config),
        *machine_checks.backup(config, now_us),
        *_agent(config, seen),
        *_spool(config, seen),
        *_hub(config, seen),
        *_outputs(seen),
        *_parked(config),
        *_alarms(seen),
        *machine_checks.ended_badly(config, now_us),
        *unit_checks.units(config),
        *timer_checks.timers(config, now_us),
        *timer_checks.agents_own(config, seen),
        *timer_checks.firewall(config),
    ]
    found += [*machine_checks.disks(config), *machine_checks.web(config), *_programs()]
    return (*found, machine_checks.clock(now_us, seen.clock))


def _config(config: Config) -> Iterator[Check]:
    channels = len(config.channels)
    count = f"{channels} channel" if channels == 1 else f"{channels} channels"
    yield good("config", f"{config.site}，{channels} 个频道", f"{config.site}, {count}")


def _folders(config: Config) -> Iterator[Check]:
    needed = (config.home, config.database.parent, config.incoming, config.public, config.spool / "new", config.drop)
    missing = [str(folder) for folder in needed if not folder.is_dir()]
    closed = [str(folder) for folder in needed if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK)]
    if missing:
        names = ", ".join(missing)
        hint = Text("启动 agent 会建立文件夹", "the agent makes them when it starts")
        yield wrong("folders", "warning", Text(f"缺少 {names}", f"missing: {names}"), hint)
    if closed:
        names = ", ".join(closed)
        hint = Text("请用节点的用户运行，或检查权限", "run this as the box's user, or check the modes")
        yield wrong("folders", "warning", Text(f"无权读 {names}", f"not readable: {names}"), hint)
    if not missing and not closed:
        yield good("folders", str(config.home), str(config.home))


def keys(config: Config) -> Iterator[Check]:
    """Whether the site's keys are there, and closed to others."""
    if config.hub is None:
        return
    for path in (config.ssh_key, config.sign_key):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except PermissionError:
            text = Text(f"无权看 {path}", f"{path} may not be looked at")
            yield wrong(
                "keys", "warning", text, Text("请用 root 或节点的用户运行", "run this as root or as the box's user")
            )
            continue
        except OSError as error:
            hint = Text("用 songshan join 重新加入嵩山云", "enrol this box again: songshan join BUNDLE")
            yield wrong("keys", "bad", Text(f"读不到 {path}：{error.strerror}", f"{path}: {error.strerror}"), hint)
            continue
        if mode & 0o077:
            text = Text(f"{path} 的权限 {mode:o} 太宽", f"{path} has mode {mode:o}, open to others")
            yield wrong("keys", "bad", text, Text(f"chmod 600 {path}", f"chmod 600 {path}"))
        else:
            yield good("keys", str(path), str(path))


def _key_term(config: Config, seen: Snapshot) -> Iterator[Check]:
    """For how long the hub lets them in; nothing before it has said so."""
    if config.hub is None or seen.key.until_us is None or seen.key.renew_from_us is None:
        return
    found = tuple(of_key(seen))
    for finding in found:
        yield wrong("key", "bad" if finding.severity == "red" else "warning", finding.text, finding.hint)
    if not found:
        until, renew = to_text(seen.key.until_us)[:10], to_text(seen.key.renew_from_us)[:10]
        yield good(
            "key", f"{until} 前有效，{renew} 起自动更换", f"good until {until}, changed by itself from {renew} on"
        )


def _disk(config: Config, seen: Snapshot) -> Iterator[Check]:
    disk = seen.storage
    if disk is None:
        hint = Text("请检查磁盘是否挂载", "see whether the disk is mounted")
        yield wrong("disk", "bad", Text(f"读不到 {config.home}", f"cannot read {config.home}"), hint)
        return
    free_mib, reserve_mib = disk.free_bytes // 2**20, disk.reserve_bytes // 2**20
    state: State = "good" if free_mib >= reserve_mib else "bad"
    text = Text(f"剩余 {free_mib} MiB，预留 {reserve_mib}", f"{free_mib} MiB free, reserve {reserve_mib}")
    yield wrong("disk", state, text, Text("请清理磁盘", "free some space on it") if state == "bad" else None)


def _database(config: Config) -> Iterator[Check]:
    try:
        db = open_read_only(config.database)
    except WorldError as error:
        yield _from_error("database", error)
        return
    try:
        with sqlite_errors(config.database):
            said = [row[0] for row in db.conn.execute("PRAGMA quick_check(5)")]
    except Held as error:
        yield _from_error("database", error)
        return
    except WorldError as error:
        said = [error.problems[0].en]
    finally:
        db.close()
    if said == ["ok"]:
        yield good("database", f"{config.database} 完好", f"{config.database} is sound")
    else:
        hint = Text(
            "停止 agent，移走 state/box.db，再启动：内容会从嵩山云重新取得",
            "stop the agent, move state/box.db away, start again: what it held comes from the hub again",
        )
        yield wrong("database", "bad", Text(f"数据库损坏：{said[0]}", f"the database is damaged: {said[0]}"), hint)


def _agent(config: Config, seen: Snapshot) -> Iterator[Check]:
    agent = seen.agent
    if agent.state == "running":
        yield good("agent", f"运行中，进程 {agent.pid}", f"running as process {agent.pid}")
        return
    if config.database.exists() and any(alarm.id == "database" for alarm in seen.alarms):
        text = Text("不明：数据库读不到", "unknown: the database cannot be read")
        yield wrong(
            "agent", "warning", text, Text("systemctl status songshan-agent", "systemctl status songshan-agent")
        )
        return
    since = to_text(agent.at_us) if agent.at_us is not None else None
    text = Text(f"agent 没有运行（最后 {since or '从未'}）", f"the agent does not run (last seen: {since or 'never'})")
    see = "journalctl -u songshan-agent"
    hint = Text(f"songshan agent；日志：{see}", f"songshan agent; its log: {see}")
    yield wrong("agent", "bad", text, hint)


def _spool(config: Config, seen: Snapshot) -> Iterator[Check]:
    waiting = seen.sync.spool_waiting
    refused = _count(config.spool / "refused")
    text = Text(f"等待 {waiting}，曾拒绝 {refused // 2}", f"{waiting} wait, {refused // 2} were refused")
    full = waiting >= config.limits.spool_waiting_max
    hint = Text("请先恢复 agent", "bring the agent back first") if full else None
    yield wrong("spool", "bad" if full else "good", text, hint)


def _hub(config: Config, seen: Snapshot) -> Iterator[Check]:
    if config.hub is None:
        yield good("hub", "独立运行，没有嵩山云", "this box stands alone")
        return
    where = f"{config.hub.host}:{config.hub.port}"
    try:
        banner = _banner(config.hub.host, config.hub.port)
    except socket.gaierror as error:
        hint = Text("请检查 DNS，或在 appliance.toml 里写地址", "check the DNS, or write an address in appliance.toml")
        yield wrong("hub", "warning", Text(f"找不到 {where}：{error.strerror}", f"{where}: {error.strerror}"), hint)
        return
    except OSError as error:
        cause = error.strerror or str(error)
        hint = Text("请检查线路和防火墙；本地照常运行", "check the line and the firewall; everything local goes on")
        yield wrong("hub", "warning", Text(f"连不上 {where}：{cause}", f"{where}: {cause}"), hint)
        return
    if not banner.startswith(b"SSH-"):
        hint = Text("端口上不是 SSH：请检查 appliance.toml", "no SSH on that port: check appliance.toml")
        yield wrong("hub", "bad", Text(f"{where} 不是 SSH", f"{where} does not speak SSH"), hint)
        return
    if seen.link.state == "locked_out":
        hint = Text("请嵩山云运维 songshan-hub approve", "have the hub's operator run songshan-hub approve")
        yield wrong("hub", "bad", Text("嵩山云不接受本站密钥", "the hub does not accept this site's key"), hint)
        return
    yield good("hub", f"{where} 可达", f"{where} can be reached")


def _outputs(seen: Snapshot) -> Iterator[Check]:
    """From what the senders tell themselves: nothing else needs to run."""
    found = of_outputs(seen.outputs, seen.now_us)
    for finding in found:
        yield wrong("output", "bad" if finding.severity == "red" else "warning", finding.text, finding.hint)
    told = {finding.id.partition(":")[2] for finding in found}
    for output in seen.outputs:
        if output.channel not in told:
            yield Check(name="output", state="good", found=line_of(output))


def _parked(config: Config) -> Iterator[Check]:
    try:
        with reading(config.database) as db:
            held = parked(db, PARKED_SHOWN)
    except WorldError:
        return
    for each in held:
        where = f"{each.stream} {each.epoch}:{each.seq} {each.kind}"
        text = Text(f"搁置 {where}：{each.reason.zh}", f"parked {where}: {each.reason.en}")
        yield wrong("parked", "warning", text, Text("可能需要升级", "an upgrade may be needed"))


def _alarms(seen: Snapshot) -> Iterator[Check]:
    for alarm in seen.alarms:
        if alarm.severity != "info" and alarm.id.partition(":")[0] not in _LOOKED_AT:
            yield wrong("alarm", "bad" if alarm.severity == "red" else "warning", alarm.text, alarm.hint)


def _programs() -> Iterator[Check]:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        names = ", ".join(missing)
        command = "apt-get install rsync openssh-client ffmpeg util-linux"
        yield wrong("programs", "bad", Text(f"缺少 {names}", f"missing: {names}"), Text(command, command))
    else:
        yield good("programs", "齐全", "all there")


def _banner(host: str, port: int) -> bytes:
    with socket.create_connection((host, port), CONNECT_TIMEOUT_S) as line:
        line.settimeout(CONNECT_TIMEOUT_S)
        return line.recv(BANNER_BYTES)


def _count(folder: Path) -> int:
    try:
        return sum(1 for _ in folder.iterdir())
    except OSError:
        return 0


def _from_error(name: str, error: SongshanError) -> Check:
    text = Text("；".join(each.zh for each in error.problems), "; ".join(each.en for each in error.problems))
    return wrong(name, "bad", text, error.hint)
