"""`songshan drift`: what was changed on this box by hand since Ansible was here, each in one sentence."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from appliance import drifting, spool
from appliance.as_owner import as_owner_of
from appliance.command import Box, now_us, say, say_json
from appliance.commands.desk import who
from appliance.config import Config
from appliance.core.command import Did
from appliance.core.drift import Drift, Managed
from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.facts import as_facts
from appliance.core.moment import to_text

MANAGED_BYTES_MAX: Final = 256 * 1024
FOLDER = click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=drifting.FOLDER, help="where it is kept"
)
JSON = click.option("--json", "as_json", is_flag=True, help="for programs")


@click.group(invoke_without_command=True)
@FOLDER
@JSON
@click.pass_context
def drift(ctx: click.Context, folder: Path, as_json: bool) -> None:
    """改动：自 Ansible 上次运行以来本机被手工改了什么。 What was changed here by hand since Ansible ran.

    Exits 1 when something was. As root. Example: songshan drift
    """
    ctx.obj = folder
    if ctx.invoked_subcommand is not None:
        return
    found = drifting.drifts(folder)
    if as_json:
        say_json({"drifts": as_facts(found)})
    for each in found if not as_json else ():
        say(each.text)
    if found:
        raise Refused(Text(f"{len(found)} 处手工改动", f"{len(found)} changed by hand"))
    if not as_json:
        say(Text("没有手工改动", "nothing was changed by hand"))


@drift.command()
@click.argument("file", type=click.File("rb"))
@JSON
@click.pass_obj
def record(folder: Path, file: Any, as_json: bool) -> None:
    """由 Ansible 调用：记下现在的样子。 Called by Ansible: remember what is there now, of what FILE says is watched.

    Example: songshan drift record managed.json
    """
    try:
        managed = msgspec.json.decode(file.read(MANAGED_BYTES_MAX), type=Managed)
    except msgspec.MsgspecError as error:
        raise OperatorError(Text(f"清单读不出：{error}", f"the list cannot be read: {error}")) from error
    is_changed = drifting.keep(folder, managed, drifting.look(managed))
    if as_json:
        say_json({"changed": is_changed})


@drift.command()
@click.argument("paths", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="every file that was changed or added")
@click.option("--reason", required=True, help="why; it is on record")
@JSON
@click.pass_context
def adopt(ctx: click.Context, paths: tuple[str, ...], is_all: bool, reason: str, as_json: bool) -> None:
    """采纳：这些文件就按现在的样子，以后不再报告。 Accept files as they are now; they are told no more.

    A file that box.yml writes is written again by its next run: put the change into the inventory as well.
    Example: songshan drift adopt /etc/chrony/conf.d/gps.conf --reason 机房加装授时
    """
    folder: Path = ctx.obj
    if bool(paths) == is_all:
        raise click.UsageError("PATH... or --all")
    found = drifting.drifts(folder)
    names = _to_adopt(found, paths)
    box = ctx.find_object(Box)
    assert box is not None, "every command is called within songshan"
    for name in names:
        _on_record(box.config, name, reason)
    drifting.adopt(folder, names)
    if as_json:
        say_json({"adopted": names})
    for name in names if not as_json else ():
        say(Text(f"已采纳 {name}", f"accepted: {name}"))


@drift.command(name="set-aside")
@click.pass_obj
def set_aside(folder: Path) -> None:
    """由 Ansible 调用：移开手工添加的文件，防火墙按文件重载。 Called by Ansible: added files go.

    What was moved lies in aside/ of the folder. Example: songshan drift set-aside
    """
    drifting.set_aside(folder, drifting.drifts(folder))


def _to_adopt(found: Collection[Drift], paths: Collection[str]) -> list[str]:
    """What of `paths`, or of all, is to be adopted; Refused with every one that cannot be."""
    can = [each.what for each in found if each.can_adopt]
    problems = [
        Text(f"{path} 没有可采纳的改动", f"{path} has no change that can be accepted")
        for path in paths
        if path not in can
    ]
    if problems:
        hint = Text(
            "只有改过、添加的文件能采纳；其余用恢复", "only files that were changed or added; all else is reverted"
        )
        raise Refused(*problems, hint=hint)
    return sorted(paths) or can


def _on_record(config: Config, name: str, reason: str) -> None:
    """Before it is done: what is on record twice is better than what is not."""
    did = Did(what=f"drift adopt {name}"[:200], by=who(), via="cli", at=to_text(now_us()), reason=reason)
    as_owner_of(config.home, lambda: _put(config, did))


def _put(config: Config, did: Did) -> None:
    spool.put(config, did)
