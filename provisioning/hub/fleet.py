"""`songshan-hub fleet`: one row per site, from what its box last said and whether its session stands."""

import click

from appliance.command import language, say, say_json
from appliance.core.errors import OperatorError, Text
from provisioning.command import pass_hub
from provisioning.fleet.core.hub import Watching
from provisioning.fleet.core.table import plainly, table
from provisioning.fleet.gather import gather
from provisioning.fleet.settings import read
from provisioning.hub.folder import HubFolder


@click.command()
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@click.option("--plain", is_flag=True, help="numbered lines, for a terminal that can show little")
@pass_hub
def fleet(folder: HubFolder, as_json: bool, plain: bool) -> None:
    """各县一览，最要紧的在前。 One row per site, the worst first: on air, link, sync age, readiness, disk, clock,
    version, backup, uploads, and its alarms with what to do.

    Example: songshan-hub fleet --json
    """
    seen = gather(folder, _limits(folder))
    if as_json:
        say_json(seen)
        return
    for line in (plainly if plain else table)(seen, language()):
        click.echo(line)
    if not seen.sites:
        say(Text("还没有县级中心", "no sites yet"))


def _limits(folder: HubFolder) -> Watching:
    """What [alarms] says; where that cannot be used, what is usual: the watch says what is wrong with it."""
    try:
        return read(folder.settings().alarms).watching()
    except OperatorError:
        folder.settings()
        return Watching()
