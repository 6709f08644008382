"""`songshan usb`: what a box without a line sends and gets, by stick."""

import secrets
import time
from pathlib import Path
from typing import Final

import click
import msgspec

from appliance import manifest, outbound, plugging, shut_out, spool
from appliance import stick as sticks
from appliance.command import Box, now_us, pass_box, say, say_json
from appliance.commands.carry import Exported, export
from appliance.commands.desk import POLL_S, when, who
from appliance.config import Config, config_path
from appliance.core import carry
from appliance.core.carry import Label
from appliance.core.command import Import
from appliance.core.errors import OperatorError, Refused, Text, WorldError
from appliance.core.facts import as_facts
from appliance.core.health import Carrying
from appliance.core.manifest import Manifest
from appliance.core.moment import to_text
from appliance.heeding import heed, pass_on
from appliance.keys import read_sign_key
from appliance.progress import MIB, ProgressLine
from appliance.store import desk, facts
from appliance.store.database import reading
from appliance.store.facts import look

TELL_EVERY_S: Final = 1.0
DIR = click.Path(path_type=Path, file_okay=False)


@click.group()
def usb() -> None:
    """移动盘：没有线路时收发流水与媒资。 Carry journals and assets by disk, both ways.

    Example: songshan usb import /media/usb && songshan usb export /media/usb
    """


@usb.command("label")
@click.argument("path", metavar="DIR", type=DIR)
@pass_box
def label(box: Box, path: Path) -> None:
    """给空盘贴标签。 Label an empty stick (or folder); nothing is ever written to one without a label.

    Example: songshan usb label /media/usb
    """
    config, hub = box.config, hub_of(box.config)
    with sticks.opened(path, to_write=True) as stick:
        sticks.label(stick, _new_label(config, hub))
    say(
        Text(
            f"已在 {path} 写入 {carry.LABEL}，此盘来往于 {config.site} 与 {hub}",
            f"wrote {carry.LABEL} to {path}: this stick goes between {config.site} and {hub}",
        )
    )


@usb.command("export")
@click.argument("path", metavar="DIR", type=DIR)
@click.option("--label", "is_new", is_flag=True, help="label the stick first; it must be empty")
@click.option("--all", "everything", is_flag=True, help="all records, whatever the hub says that it has")
@click.option("--json", "as_json", is_flag=True, help="for programs")
@pass_box
def export_(box: Box, path: Path, is_new: bool, everything: bool, as_json: bool) -> None:
    """导出：把要送嵩山云的写到盘上；中断后重来，从断处继续。 Put on the stick in DIR what the hub has not got yet.

    Broken off, the same command goes on. Works with the agent dead. Example: songshan usb export /media/usb
    """
    config, hub = box.config, hub_of(box.config)
    with outbound.telling(config, path.absolute()) as told, sticks.opened(path, to_write=True) as stick:
        key = read_sign_key(config.sign_key)
        heed(config, stick)
        shut_out.check(config)
        if is_new:
            sticks.label(stick, _new_label(config, hub))
        label = sticks.read_label(stick, config.site, hub)
        pass_on(config, stick)
        done = export(config, key, stick, label, everything=everything, moved=told.moved)
        loaded = done.loaded
        told.tell(
            records=done.records,
            assets=loaded.assets,
            left_assets=loaded.left_assets,
            problem=loaded.problems[0] if loaded.problems else None,
        )
    if as_json:
        say_json(msgspec.to_builtins(done))
    else:
        _tell(done)
    if done.loaded.problems:
        raise Refused(*done.loaded.problems)


@usb.command("import")
@click.argument("path", metavar="DIR", type=DIR)
@click.option("--json", "as_json", is_flag=True, help="for programs")
@pass_box
def import_(box: Box, path: Path, as_json: bool) -> None:
    """导入：收下盘上的流水与媒资，边收边验；盘上什么也不写。 Take in what the hub put on the stick in DIR.

    The agent does it; this waits and shows how far it is. Ctrl-C ends the waiting, not the import. Broken off by a
    pulled stick or a power cut, the same command goes on. Example: songshan usb import /media/usb
    """
    config, hub = box.config, hub_of(box.config)
    with sticks.opened(path) as stick:
        heed(config, stick)
        shut_out.check(config)
        sticks.read_label(stick, config.site, hub)
    name = spool.put(config, Import(path=str(path.absolute()), by=who(), via="cli", at=when()))
    if not _agent_runs(config):
        say(
            Text(
                f"已收下（{name}），但 agent 没有运行：启动它（songshan agent），在此之前不要拔盘",
                f"kept as {name}, but the agent does not run: start it (songshan agent); leave the stick in till then",
            )
        )
        return
    ended = _awaited(config, name)
    with reading(config.database) as db:
        found = facts.carrying(db)
    if as_json:
        say_json(as_facts(found))
    else:
        _tell_import(found)
    if ended.outcome == "refused":
        raise Refused(ended.reason or Text("没有说明原因", "no reason was given"), hint=_AGAIN)


@usb.command("show")
@click.argument("path", metavar="DIR", type=DIR)
@click.option("--json", "as_json", is_flag=True, help="for programs")
@pass_box
def show(box: Box, path: Path, as_json: bool) -> None:
    """看盘：属于谁、盘上有什么、导入会收下多少；什么也不改。 Whose the stick in DIR is and what an import would bring.

    Nothing is taken in and nothing written. Exit status 1 where it is not this box's.

    Example: songshan usb show /media/usb
    """
    found = manifest.look(box.config, path)
    if as_json:
        say_json(as_facts(found))
    else:
        for line in _of_stick(found):
            say(line)
    if found.whose != "ours":
        problem = found.problem or Text("不是本站的盘", "it is not a stick of this site")
        raise Refused(problem, hint=found.hint)


@usb.command("mount")
@click.argument("name")
@pass_box
def mount(box: Box, name: str) -> None:
    """由 songshan-usb@ 调用：盘若属于本站、为空或已登记，就挂载给节点的用户。 Mount a stick that was put in.

    As root, and only what is this box's own, empty, or named in `sticks` beside appliance.toml. NAME is as in `lsblk`.

    Example: songshan usb mount sdb1
    """
    known = config_path(box.home).with_name(plugging.KNOWN)
    point = plugging.mount(box.config, name, known, plugging.Machine(plugging.run))
    say(Text(f"已挂载到 {point}", f"mounted at {point}"))


@usb.command("unmount")
@click.argument("name")
def unmount(name: str) -> None:
    """由 songshan-usb@.service 调用：卸下移动盘。 Take a stick down before it is pulled out. As root.

    Example: songshan usb unmount sdb1
    """
    plugging.unmount(name, plugging.Machine(plugging.run))


def _of_stick(found: Manifest) -> list[Text]:
    if found.whose != "ours":
        return []
    told = [Text(f"此盘来往于 {found.site} 与 {found.hub}", f"this stick goes between {found.site} and {found.hub}")]
    if found.loaded_at is not None:
        told.append(Text(f"嵩山云写于 {found.loaded_at}", f"the hub wrote it at {found.loaded_at}"))
    size, free = f"{found.new_bytes / MIB:.1f} MiB", f"{found.free_bytes / MIB:.1f} MiB"
    size += "" if found.is_counted else "+"
    told.append(
        Text(
            f"导入会收下约 {found.records} 条记录、{found.new_assets} 个媒资（{size}）；盘上空闲 {free}",
            f"an import brings about {found.records} records and {found.new_assets} assets ({size}); {free} free on it",
        )
    )
    return [*told, found.problem] if found.problem is not None else told


def _awaited(config: Config, name: str) -> desk.Audited:
    """Wait until the import is over, and show how far it is. Raises WorldError when the agent ends meanwhile."""
    line = ProgressLine(Text("导入", "importing"), of_bytes=True)
    told_s = 0.0
    while True:
        with reading(config.database) as db:
            ended, found = desk.audited(db, name), facts.carrying(db)
        if ended is not None:
            line.end()
            return ended
        if time.monotonic() - told_s >= TELL_EVERY_S:
            told_s = time.monotonic()
            if found.command == name:
                line(found.bytes_done, found.bytes_done + found.bytes_left)
            if not _agent_runs(config):
                raise WorldError(
                    Text("agent 停了，导入未完", "the agent has ended, and the import is not over"),
                    hint=Text("启动 agent 即继续；勿拔盘", "start the agent and it goes on; leave the stick in"),
                )
        time.sleep(POLL_S)


def _agent_runs(config: Config) -> bool:
    """Whether it said so lately and its process is there: one that was killed a moment ago carries nothing out."""
    agent = look(config, now_us()).agent
    return agent.state == "running" and agent.pid is not None and Path(f"/proc/{agent.pid}").exists()


def _tell_import(found: Carrying) -> None:
    size = f"{found.bytes_done / MIB:.1f} MiB"
    say(
        Text(
            f"收下 {found.records} 条记录、{found.assets_done} 个媒资（{size}）",
            f"took in {found.records} records and {found.assets_done} assets ({size})",
        )
    )
    if found.not_carried:
        say(
            Text(
                f"另有 {found.not_carried} 个媒资嵩山云说放不下，下次带来",
                f"the hub had no room on the stick for {found.not_carried} more assets; they come next time",
            )
        )
    say(Text("可以拔出；要回送，先 songshan usb export", "you may pull it out; to answer, songshan usb export first"))


def hub_of(config: Config) -> str:
    """The id of the hub that this box belongs to; OperatorError for a box that stands alone."""
    if config.hub is None:
        raise OperatorError(
            Text("本节点未加入嵩山云", "this box belongs to no hub"),
            hint=Text("先 songshan join", "songshan join first"),
        )
    return config.hub.id


def _tell(done: Exported) -> None:
    loaded = done.loaded
    size, left = f"{loaded.bytes / MIB:.1f} MiB", f"{loaded.left_bytes / MIB:.1f} MiB"
    say(
        Text(
            f"盘上有 {done.records} 条记录、{loaded.assets} 个文件（{size}），并请嵩山云带来 {done.wants} 个媒资",
            f"on the stick: {done.records} records, {loaded.assets} files ({size}), and {done.wants} assets asked for",
        )
    )
    if loaded.left_assets:
        say(
            Text(
                f"放不下 {loaded.left_assets} 个文件（{left}），下次再带",
                f"no room for {loaded.left_assets} files ({left}); carry them next time",
            )
        )
    say(Text("可以拔出", "you may pull it out now"))


def _new_label(config: Config, hub: str) -> Label:
    return Label(1, secrets.token_hex(16), config.site, hub, "box", to_text(config.clock.wall_us()))


_AGAIN: Final = Text(
    "把盘插好再运行一次，会从中断处继续", "put the stick in and give the command again: it goes on where it was"
)
