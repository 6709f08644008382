"""`songshan-hub usb`: a county without a line, by stick."""

import secrets
from pathlib import Path
from typing import Any

import click
import msgspec

from appliance import stick as sticks
from appliance.command import say, say_json
from appliance.core import carry, moment
from appliance.core.carry import Label
from appliance.core.errors import Refused, Text
from appliance.progress import MIB
from provisioning.command import pass_hub
from provisioning.hub import carried, shutting_out
from provisioning.hub.carry import Exported, export, joined
from provisioning.hub.folder import HubFolder

DIR = click.Path(path_type=Path, file_okay=False)


@click.group()
def usb() -> None:
    """移动盘：给没有线路的县级中心捎带稿件与媒资。 Carry journals and assets by disk, both ways.

    Example: songshan-hub usb import /media/usb && songshan-hub usb export dengfeng /media/usb
    """


@usb.command("label")
@click.argument("site")
@click.argument("path", metavar="DIR", type=DIR)
@pass_hub
def label(folder: HubFolder, site: str, path: Path) -> None:
    """Label an empty stick (or folder) for SITE; nothing is ever written to one without a label.

    Example: songshan-hub usb label dengfeng /media/usb
    """
    joined(folder, site)
    with sticks.opened(path, to_write=True) as stick:
        sticks.label(stick, _new_label(folder, site))
    say(
        Text(f"已在 {path} 写入 {carry.LABEL}，此盘属于 {site}", f"wrote {carry.LABEL} to {path}: it is {site}'s stick")
    )


@usb.command("export")
@click.argument("site")
@click.argument("path", metavar="DIR", type=DIR)
@click.option("--label", "is_new", is_flag=True, help="label the stick first; it must be empty")
@click.option("--all", "everything", is_flag=True, help="all records, whatever the box says that it has")
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def export_(folder: HubFolder, site: str, path: Path, is_new: bool, everything: bool, as_json: bool) -> None:
    """Put on the stick in DIR what SITE's box lacks, the most urgent first. Broken off, the same command goes on.

    Example: songshan-hub usb export dengfeng /media/usb
    """
    settings = folder.settings()
    joined(folder, site)
    with sticks.opened(path, to_write=True) as stick:
        if is_new:
            sticks.label(stick, _new_label(folder, site))
        done = export(folder, site, stick, sticks.read_label(stick, site, settings.id), everything=everything)
    _tell(done, as_json)


@usb.command("import")
@click.argument("path", metavar="DIR", type=DIR)
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def import_(folder: HubFolder, path: Path, as_json: bool) -> None:
    """Take in what a box put on the stick in DIR: its report, and the files that it sends up.

    Nothing is written to the stick; it may be mounted read-only. Example: songshan-hub usb import /media/usb
    """
    settings = folder.settings()
    with sticks.opened(path) as stick:
        data = stick.read((carry.LABEL,), carry.LABEL_BYTES_MAX)
        site = carry.parse_label(data).site if data is not None else ""
        done = carried.take_in(folder, stick, sticks.read_label(stick, site, settings.id))
    if as_json:
        say_json(_facts(done))
    else:
        say(
            Text(
                f"{done.site}：收下 {done.records} 条记录、{done.assets} 个文件（{done.bytes / MIB:.1f} MiB），"
                f"待文件的回传 {done.waiting} 篇",
                f"{done.site}: took in {done.records} records and {done.assets} files ({done.bytes / MIB:.1f} MiB);"
                f" {done.waiting} submissions wait for files",
            )
        )
        say(Text("回执随下一次导出带回：songshan-hub usb export", "receipts go back by songshan-hub usb export"))
    _end(done.problems)


@usb.command("shut-out")
@click.argument("path", metavar="DIR", type=DIR)
@pass_hub
def shut_out(folder: HubFolder, path: Path) -> None:
    """Put the list of boxes that were revoked on the stick in DIR, whosever it is: every box that reads it heeds it.

    usb export does so too. For a county that is shut out itself, to which nothing is exported. The stick is labelled.

    Example: songshan-hub usb shut-out /media/usb
    """
    with sticks.opened(path, to_write=True) as stick:
        data = stick.read((carry.LABEL,), carry.LABEL_BYTES_MAX)
        if data is None or carry.parse_label(data).hub != folder.settings().id:
            raise Refused(
                Text(f"{path} 不是本嵩山云的移动盘", f"{path} is no stick of this hub"),
                hint=Text("songshan-hub usb label SITE DIR", "songshan-hub usb label SITE DIR"),
            )
        shutting_out.write_to(folder, stick)
    say(Text("吊销名单已在盘上，可以拔出", "the shut-out list is on it; you may pull it out now"))


def _tell(done: Exported, as_json: bool) -> None:
    count, loaded = sum(done.records.values()), done.loaded
    if as_json:
        say_json(_facts(done))
    else:
        size = f"{loaded.bytes / MIB:.1f} MiB"
        say(
            Text(
                f"盘上有 {count} 条记录、{loaded.assets} 个媒资（{size}）",
                f"on the stick: {count} records, {loaded.assets} assets ({size})",
            )
        )
        if loaded.left_assets:
            left = f"{loaded.left_bytes / MIB:.1f} MiB"
            say(
                Text(
                    f"放不下 {loaded.left_assets} 个媒资（{left}），最急的已在盘上",
                    f"no room for {loaded.left_assets} assets ({left}); the most urgent are on it",
                )
            )
        say(Text("可以拔出", "you may pull it out now"))
    _end([*done.problems, *loaded.problems])


def _facts(done: Exported | carried.Taken) -> dict[str, Any]:
    facts: dict[str, Any] = msgspec.to_builtins(done)
    return facts


def _end(problems: list[Text]) -> None:
    """What could not be done is the exit status, after what was done has been told."""
    if problems:
        raise Refused(*problems)


def _new_label(folder: HubFolder, site: str) -> Label:
    return Label(1, secrets.token_hex(16), site, folder.settings().id, "hub", moment.to_text(folder.now_us()))
