"""`songshan incident`: services of the box that ended badly; put on record by systemd, read by people."""

import os

import click

from appliance import incidents
from appliance.command import Box, now_us, pass_box, say, say_json
from appliance.core import incident as words
from appliance.core.errors import OperatorError, Text
from appliance.core.facts import as_facts
from appliance.core.incident import Incident
from appliance.core.moment import to_text


@click.group(invoke_without_command=True)
@click.option("--lines", is_flag=True, help="with the last lines of each one's journal")
@click.option("--json", "as_json", is_flag=True, help="for programs")
@click.pass_context
def incident(ctx: click.Context, lines: bool, as_json: bool) -> None:
    """异常：哪个服务何时异常结束、怎样结束、当时的日志。 Which services ended badly, when and how, and what they said.

    Works with the agent dead. Example: songshan incident --lines
    """
    if ctx.invoked_subcommand is not None:
        return
    found = incidents.newest(ctx.find_object(Box).config)  # type: ignore[union-attr]
    if as_json:
        say_json({"incidents": as_facts(found)})
        return
    if not found:
        say(Text("没有异常记录", "nothing is on record"))
    for each in found:
        _tell(each, with_lines=lines)


@incident.command()
@click.argument("unit")
@pass_box
def failed(box: Box, unit: str) -> None:
    """由 systemd 的 OnFailure= 调用：把失败的服务记录在案。 Called by systemd where a unit has failed.

    How it ended stands in the environment. Example: songshan incident failed songshan-backup.service
    """
    if not words.UNIT.fullmatch(unit):
        raise OperatorError(Text(f"不是本节点的服务：{unit[:80]!r}", f"no unit of this box: {unit[:80]!r}"))
    said = (f"MONITOR_{name}" for name in ("SERVICE_RESULT", "EXIT_CODE", "EXIT_STATUS", "INVOCATION_ID"))
    ended = words.note_of(" ".join(os.environ.get(name) or "-" for name in said))
    _tell(incidents.keep(box.config, unit, ended, now_us()), with_lines=False)


@incident.command()
@pass_box
def collect(box: Box) -> None:
    """由 songshan-incident.path 调用：收下反复重启的服务留下的记录。 Called by systemd where units left notes.

    Example: songshan incident collect
    """
    for path, unit, ended in incidents.notes():
        _tell(incidents.keep(box.config, unit, ended, now_us()), with_lines=False)
        path.unlink(missing_ok=True)


def _tell(found: Incident, *, with_lines: bool) -> None:
    ended, times = words.how(found.ended), ""
    if found.times > 1:
        times = f" ×{found.times}"
    at = to_text(found.at_us)
    say(Text(f"{at} {found.unit}{times} {ended.zh}", f"{at} {found.unit}{times} {ended.en}"))
    for line in found.lines if with_lines else ():
        click.echo(f"    {line}")
