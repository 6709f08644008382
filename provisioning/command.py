"""`songshan-hub`: the hub operator's command. A subcommand is loaded when it is called, so that `gate` starts fast."""

import os
import sys
from importlib import metadata
from pathlib import Path

import click

from appliance.core.errors import SongshanError, Text
from provisioning.hub.folder import HubFolder

ENTRY_POINTS = "songshan_hub.commands"


def language() -> str:
    return "en" if os.environ.get("SONGSHAN_LANG") == "en" else "zh"


def say(text: Text) -> None:
    click.echo(text.in_language(language()))


class HubCommands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(entry.name for entry in metadata.entry_points(group=ENTRY_POINTS))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entry in metadata.entry_points(group=ENTRY_POINTS, name=cmd_name):
            command = entry.load()
            assert isinstance(command, click.Command)
            return command
        return None


@click.command(cls=HubCommands)
@click.option("--hub", "folder", default="hub", envvar="SONGSHAN_HUB", type=click.Path(path_type=Path, file_okay=False))
@click.pass_context
def songshan_hub(ctx: click.Context, folder: Path) -> None:
    """The hub: journals, assets and the sites that may read them. Example: songshan-hub --hub /srv/hub fleet"""
    ctx.obj = HubFolder(folder.absolute())


def main() -> None:
    try:
        songshan_hub()
    except SongshanError as error:
        for problem in error.problems:
            click.echo(problem.in_language(language()), err=True)
        if error.hint:
            click.echo(error.hint.in_language(language()), err=True)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
