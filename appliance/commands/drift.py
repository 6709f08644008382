"""`songshan drift`: what was changed on this box by hand since Ansible was here, each in one sentence."""

from pathlib import Path
from typing import Any, Final

import click
import msgspec

from appliance import drifting
from appliance.command import say, say_json
from appliance.core.drift import Managed
from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.facts import as_facts

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


@drift.command(name="set-aside")
@click.pass_obj
def set_aside(folder: Path) -> None:
    """由 Ansible 调用：移开手工添加的文件，防火墙按文件重载。 Called by Ansible: added files go.

    What was moved lies in aside/ of the folder. Example: songshan drift set-aside
    """
    drifting.set_aside(folder, drifting.drifts(folder))
