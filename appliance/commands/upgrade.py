"""`songshan upgrade`: which software runs, and another in its place, which goes back by itself where it is not well."""

import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import click

from appliance import database_before, releases
from appliance.adopting import adopt as take_over
from appliance.command import Box, now_us, pass_box, say, say_json
from appliance.commands.desk import who
from appliance.commands.overview import clock_of
from appliance.config import Config, config_path, unjoined
from appliance.core import before_upgrade
from appliance.core.errors import Refused, SongshanError, Text, WorldError
from appliance.core.facts import as_facts
from appliance.core.gate import NAMES, Policy
from appliance.core.moment import US
from appliance.core.release import UNDER_WAY, WORDS, Releases, Request, Upgrade, refused
from appliance.durable import owned_like
from appliance.following import INSTALLED_UNITS
from appliance.renewing import renew
from appliance.staging import stage as install
from appliance.store.facts import look
from appliance.upgrading import (
    Machine,
    begin_apply,
    begin_boot,
    begin_rollback,
    by_program,
    carry_on,
    one_at_a_time,
    sweep_requests,
)

REASON = click.option("--reason", required=True, help="why; it is on record")
JSON = click.option("--json", "as_json", is_flag=True, help="for programs")
WAIT = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(1, 86_400),
    help="hand it to songshan-upgrade.service, which goes on when we are cut off, and wait so long for its verdict",
)
LOOK_AGAIN_S: Final = 0.5
_GATE = Policy()


@click.group()
@click.option("--systemctl", default="systemctl", help="the program that starts and stops units")
@click.option("--looks", type=click.IntRange(1, 1000), default=_GATE.passes_min, help="good looks in a row to stay")
@click.option("--look-every", type=click.FloatRange(0.05, 600), default=_GATE.pause_s, help="seconds between looks")
@click.option("--within", type=click.FloatRange(0.1, 86_400), default=_GATE.bound_s, help="seconds until it goes back")
@click.option(
    "--units",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"where systemd has its links to the units of a release; {INSTALLED_UNITS} of an installed box",
)
@click.pass_context
def upgrade(
    ctx: click.Context, systemctl: str, looks: int, look_every: float, within: float, units: Path | None
) -> None:
    """升级：新版本就位、切换、检验、留下或自动回退；播出不停。 Another release, on trial until it is known to be well.

    Example: songshan upgrade stage /media/usb/songshan-1.2.0.bundle
    """
    policy = Policy(passes_min=looks, pause_s=look_every, bound_s=within)
    if units is None and ctx.find_object(Box).home is None:  # type: ignore[union-attr]
        units = INSTALLED_UNITS
    ctx.meta["machine"] = Machine(by_program(systemctl), policy, units=units)


@upgrade.command()
@JSON
@pass_box
def status(box: Box, as_json: bool) -> None:
    """现用、上一个、已就位的版本，检验结果。 What runs, what runs after the next boot, how far an upgrade is.

    Example: songshan upgrade status --json
    """
    seen = releases.releases(box.config)
    if as_json:
        say_json({**as_facts(seen), "next_boot": seen.current, "can_roll_back": seen.can_roll_back})
    else:
        _tell(seen, box.config.zone)
    if seen.problem is not None:
        raise Refused(seen.problem)


@upgrade.command()
@click.argument("bundle", type=click.Path(path_type=Path, dir_okay=False))
@JSON
@pass_box
def stage(box: Box, bundle: Path, as_json: bool) -> None:
    """就位：验签后装到旁边，现用的不动。 Check a bundle's signature and install it beside what runs.

    Example: songshan upgrade stage /media/usb/songshan-1.2.0.bundle
    """
    config = box.config
    if not _may_change(config):
        _ask(config, Request(do="stage", by=who(), reason="", at_us=now_us(), bundle=str(bundle.absolute())), as_json)
        return
    with one_at_a_time(config):
        found = install(config, bundle, who(), now_us())
    if as_json:
        say_json(as_facts(found))
    else:
        say(
            Text(
                f"{found.version} 已就位；切换：songshan upgrade apply",
                f"{found.version} is staged; to run it: songshan upgrade apply --reason R",
            )
        )


@upgrade.command()
@click.option(
    "--hub-key", default="", help="whose bundles are believed: hub.sign_key, where the box has not joined yet"
)
@JSON
@pass_box
def adopt(box: Box, hub_key: str, as_json: bool) -> None:
    """首次安装：把运行本命令的环境定为现用版本。 Make the environment that this runs from the release of a new box.

    A second time nothing is changed. Example: /opt/songshan/releases/1.2.0/bin/songshan upgrade adopt
    """
    config = box.config if config_path(box.home).exists() else unjoined(box.home)
    if not hub_key and config.hub is not None:
        hub_key = config.hub.sign_key
    with one_at_a_time(config):
        version, is_changed = take_over(config, Path(sys.prefix).resolve(), hub_key, now_us())
    if as_json:
        say_json({"version": version, "changed": is_changed})
    elif is_changed:
        say(Text(f"现用版本：{version}", f"runs from now on: {version}"))
    else:
        say(Text(f"{version} 已是现用版本", f"{version} is what runs already"))


@upgrade.command()
@REASON
@WAIT
@JSON
@click.pass_context
def apply(ctx: click.Context, reason: str, wait_s: float | None, as_json: bool) -> None:
    """切换到就位的版本；检验不过就自动回退。 Run what is staged; it goes back by itself where the gate finds fault.

    Exits 1 when it went back. Example: songshan upgrade apply --reason 月度升级 --wait 900
    """
    config = ctx.find_object(Box).config  # type: ignore[union-attr]
    asked = Request(do="apply", by=who(), reason=reason, at_us=now_us())
    if wait_s is not None:
        _tell_verdict(config, asked, "committed", wait_s, as_json)
        return
    if not _may_change(config):
        _ask(config, asked, as_json)
        return
    with one_at_a_time(config):
        begin_apply(config, who(), reason, now_us())
        done = carry_on(config, ctx.meta["machine"])
    _tell_end(config, done, as_json)
    if done.state != "committed":
        raise Refused(done.why or Text("没有说明原因", "no reason was given"))


@upgrade.command()
@REASON
@WAIT
@JSON
@click.pass_context
def rollback(ctx: click.Context, reason: str, wait_s: float | None, as_json: bool) -> None:
    """回退到上一个版本。 Run the release before again.

    Example: songshan upgrade rollback --reason 频道画面异常
    """
    config = ctx.find_object(Box).config  # type: ignore[union-attr]
    asked = Request(do="rollback", by=who(), reason=reason, at_us=now_us())
    if wait_s is not None:
        _tell_verdict(config, asked, "rolled_back", wait_s, as_json)
        return
    if not _may_change(config):
        _ask(config, asked, as_json)
        return
    with one_at_a_time(config):
        begin_rollback(config, who(), reason, now_us())
        done = carry_on(config, ctx.meta["machine"])
    _tell_end(config, done, as_json)


@upgrade.command()
@click.pass_context
def resume(ctx: click.Context) -> None:
    """songshan-upgrade.service 调用：续做中断的升级，办理请求。 Go on where the power went; do what was asked for.

    Example: songshan upgrade resume
    """
    config, machine = ctx.find_object(Box).config, ctx.meta["machine"]  # type: ignore[union-attr]
    with one_at_a_time(config):
        carry_on(config, machine)
        sweep_requests(config)
        for name, asked in releases.waiting(config):
            _take_up(config, name, asked, machine)


@upgrade.command()
@click.pass_context
def boot(ctx: click.Context) -> None:
    """songshan-upgrade-boot.service 调用：开机时先点算被打断的试运行。 Before the rest starts: count a trial cut off.

    Example: songshan upgrade boot
    """
    config, machine = ctx.find_object(Box).config, ctx.meta["machine"]  # type: ignore[union-attr]
    with one_at_a_time(config):
        begin_boot(config, machine)


@upgrade.command()
@click.option("--closed", "hours", multiple=True, metavar="HH:MM-HH:MM", help="hours in which nothing is touched")
@click.option("--protected", "days", multiple=True, metavar="DATE/DATE", help="days in which nothing is touched")
@JSON
@pass_box
def ready(box: Box, hours: tuple[str, ...], days: tuple[str, ...], as_json: bool) -> None:
    """此刻能否升级：时段、时钟、空间、备份。 Whether anything speaks against an upgrade now.

    Exits 1 with every reason. Example: songshan upgrade ready --closed 18:30-22:30
    """
    config, moment_us = box.config, now_us()
    closed = before_upgrade.parse_closed(hours, days)
    seen = look(config, moment_us)
    now = before_upgrade.Now(
        at=datetime.fromtimestamp(moment_us / US, ZoneInfo(config.zone)),
        now_us=moment_us,
        state=releases.journal(config).state,
        is_synchronised=seen.clock.synchronised,
        backup_us=seen.backup.last_us,
        short_bytes=database_before.short_bytes(config),
    )
    found = tuple(before_upgrade.against(now, closed))
    if as_json:
        say_json({"ready": not found, "problems": as_facts(found)})
    elif not found:
        say(Text("可以升级", "nothing speaks against it"))
    if found:
        raise Refused(*(each.text for each in found))


@upgrade.command()
@JSON
@click.pass_context
def senders(ctx: click.Context, as_json: bool) -> None:
    """发送端逐个换用已留下的版本：先备后主，输出不断。 Senders take up the committed release, one after the other.

    A second time nothing is changed. Example: songshan upgrade senders
    """
    config, machine = ctx.find_object(Box).config, ctx.meta["machine"]  # type: ignore[union-attr]
    done = releases.journal(config)
    if done.state in UNDER_WAY:
        raise Refused(Text("升级正在进行", "an upgrade is under way"))
    since_us = {"committed": done.switched_us, "rolled_back": done.changed_us}.get(done.state, 0)
    renewed = list(renew(config, machine.run, since_us))
    if as_json:
        say_json({"restarted": renewed})
        return
    for unit in renewed:
        say(Text(f"已重启 {unit}", f"restarted {unit}"))
    if not renewed:
        say(Text("没有要换的发送端", "no sender runs older code"))


def _take_up(config: Config, name: str, asked: Request | Text, machine: Machine) -> None:
    """One request, once: it is gone before what takes long begins."""
    try:
        if isinstance(asked, Request):
            _begin(config, asked)
    except SongshanError as error:
        assert isinstance(asked, Request)
        releases.keep(config, refused(releases.journal(config), asked, error.problems[0], now_us()))
    releases.forget(config, name)
    carry_on(config, machine)


def _begin(config: Config, asked: Request) -> None:
    match asked.do:
        case "stage":
            install(config, Path(asked.bundle), asked.by, now_us())
        case "apply":
            begin_apply(config, asked.by, asked.reason, now_us())
        case "rollback":
            begin_rollback(config, asked.by, asked.reason, now_us())


def _may_change(config: Config) -> bool:
    """Whether the releases are ours to change; else the unit that may is asked."""
    folder = config.releases
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK)


def _tell_verdict(config: Config, asked: Request, good: str, wait_s: float, as_json: bool) -> None:
    """Hand it over, wait until it is done, and say what came of it. Refused where that is not what was wanted."""
    path = releases.ask(config, asked)
    owned_like(config.home, config.requests, path)
    deadline_s = time.monotonic() + wait_s
    while path.exists() or releases.journal(config).state in UNDER_WAY:
        if time.monotonic() >= deadline_s:
            raise Refused(
                Text(f"{wait_s:.0f} 秒内没有结果", f"no verdict within {wait_s:.0f} s"),
                hint=Text("systemctl status songshan-upgrade", "systemctl status songshan-upgrade"),
            )
        time.sleep(LOOK_AGAIN_S)
    done = releases.journal(config)
    mine = next((each for each in reversed(done.past) if each.ended_us >= asked.at_us and each.by == asked.by), None)
    if mine is None or mine.outcome == "refused":
        raise Refused(mine.why if mine is not None and mine.why is not None else Text("未办理", "it was not done"))
    _tell_end(config, done, as_json)
    if mine.outcome != good:
        raise Refused(mine.why or Text("没有说明原因", "no reason was given"))


def _ask(config: Config, request: Request, as_json: bool) -> None:
    try:
        path = releases.ask(config, request)
    except PermissionError as error:
        raise WorldError(Text("须由节点用户或 root 运行", "run this as the box's user, or as root")) from error
    if as_json:
        say_json({"asked": path.name})
    else:
        say(
            Text(
                "已交给 songshan-upgrade.service；进度：songshan upgrade status",
                "handed to songshan-upgrade.service; how far it is: songshan upgrade status",
            )
        )


def _tell_end(config: Config, done: Upgrade, as_json: bool) -> None:
    """What came of it, and what the next boot runs, read anew from the link."""
    now = releases.linked(config, "current")
    if as_json:
        say_json({**as_facts(done), "current": now, "next_boot": now})
        return
    word = WORDS[done.state]
    say(Text(f"{word.zh}；现用与下次开机：{now}", f"{word.en}; runs now and after the next boot: {now}"))
    channels = [channel.id for channel in config.channels if channel.udp]
    if done.state == "committed" and channels:
        names = " ".join(f"songshan-playout-standby@{channel}" for channel in channels)
        say(
            Text(
                f"发送端仍是旧版本，请先后重启：systemctl restart {names}，再 songshan-playout@…",
                f"senders run the old code still: systemctl restart {names}, then songshan-playout@…",
            )
        )
    if done.restored:
        say(
            Text(
                "数据库已恢复到升级前；之后的记录联上嵩山云后自动补回",
                "the database is that of before; what was said since comes back from the hub",
            )
        )


def _tell(seen: Releases, zone: str) -> None:
    none = Text("无", "none")
    current, previous = seen.current or none.zh, seen.previous or none.zh
    say(
        Text(
            f"现用 {current}，下次开机 {current}，上一个 {previous}",
            f"runs {seen.current or none.en}, next boot {seen.current or none.en}, before {seen.previous or none.en}",
        )
    )
    upgrade, word = seen.upgrade, WORDS[seen.upgrade.state]
    if upgrade.new:
        say(Text(f"{upgrade.new}：{word.zh}", f"{upgrade.new}: {word.en}"))
    if upgrade.why is not None:
        say(upgrade.why)
    for signal in upgrade.signals:
        mark = {True: "+", False: "!", None: "-"}[signal.good]
        name = NAMES[signal.name]
        say(Text(f"  {mark} {name.zh}：{signal.found.zh}", f"  {mark} {name.en}: {signal.found.en}"))
    for asked in seen.waiting:
        say(Text(f"等待办理：{asked.do}（{asked.by}）", f"waits: {asked.do} ({asked.by})"))
    for past in reversed(seen.upgrade.past):
        why = Text(f"：{past.why.zh}", f": {past.why.en}") if past.why is not None else Text("", "")
        at = clock_of(past.ended_us, zone)
        say(
            Text(
                f"{at} {past.old} → {past.new} {past.outcome} {past.by} {past.reason}{why.zh}",
                f"{at} {past.old} -> {past.new} {past.outcome} {past.by} {past.reason}{why.en}",
            )
        )
