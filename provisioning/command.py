"""`songshan-hub`: the hub operator's command. A subcommand is loaded when it is called, so that `gate` starts fast."""

from pathlib import Path
from typing import Final, NoReturn

import click

from appliance.command import EntryPointGroup, run
from provisioning.hub.folder import HubFolder

ENTRY_POINTS: Final = "songshan_hub.commands"


@click.group(cls=EntryPointGroup, entry_points=ENTRY_POINTS)
@click.option(
    "--hub",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SONGSHAN_HUB",
    default=".",
    help="the hub's folder; by default this one",
)
@click.pass_context
def songshan_hub(ctx: click.Context, folder: Path) -> None:
    """嵩山云：流水、媒资与各县级中心。 The hub: journals, assets, and the sites that may read them.

    Example: songshan-hub --hub /srv/hub fleet
    """
    ctx.obj = HubFolder(folder.absolute())


pass_hub = click.make_pass_decorator(HubFolder)


def main() -> NoReturn:
    """The command `songshan-hub`."""
    run(songshan_hub)


if __name__ == "__main__":
    main()
