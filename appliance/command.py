"""`songshan`: the box's command. Each package brings its own subcommands by entry points, loaded when they are called.

This module is what the commands share: the box they are about, the language they speak, and the one place where an
error becomes an exit status.
"""

import os
import sys
import time
from collections.abc import Mapping
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Final, NoReturn

import click
import msgspec

from appliance.config import Config, home_of, load
from appliance.core.errors import SongshanError, Text

ENTRY_POINTS: Final = "songshan.commands"


class Box:
    """The box that a command is about. The file is read when a command first asks, so `--help` needs none."""

    def __init__(self, home: Path | None, environ: Mapping[str, str]) -> None:
        self.home = home_of(home, environ)
        self._environ = environ

    @cached_property
    def config(self) -> Config:
        """Raises OperatorError with all that is wrong in appliance.toml."""
        return load(self.home, self._environ)


pass_box = click.make_pass_decorator(Box)


class EntryPointGroup(click.Group):
    """A group whose subcommands are the entry points of one name."""

    def __init__(self, *args: object, entry_points: str, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._entry_points = entry_points

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(entry.name for entry in metadata.entry_points(group=self._entry_points))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entry in metadata.entry_points(group=self._entry_points, name=cmd_name):
            command = entry.load()
            assert isinstance(command, click.Command)
            return command
        return None


@click.group(cls=EntryPointGroup, entry_points=ENTRY_POINTS)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SONGSHAN_HOME",
    help="the folder of the box; without it the installed paths",
)
@click.pass_context
def songshan(ctx: click.Context, home: Path | None) -> None:
    """县级融媒体中心的边缘节点。 The box of a county media centre.

    Example: songshan --home /srv/dengfeng status
    """
    ctx.obj = Box(home, os.environ)


def main() -> NoReturn:
    """The command `songshan`."""
    run(songshan)


def run(group: click.Command) -> NoReturn:
    """Run a command to its exit status: 0, 1 no or failed, 2 wrong use, 3 hub away, 4 locked out, 5 keys ran out."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a question mark, not a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        group()
    except SongshanError as error:
        complain(error)
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def complain(error: SongshanError) -> None:
    """Each problem on its line, then what to do; to standard error."""
    for problem in error.problems:
        click.echo(problem.in_language(language()), err=True)
    if error.hint is not None:
        click.echo(error.hint.in_language(language()), err=True)


def language() -> str:
    """`zh` or `en`: SONGSHAN_LANG says, else LANG; Chinese where neither says English."""
    for name in ("SONGSHAN_LANG", "LANG"):
        chosen = os.environ.get(name, "").lower()
        if chosen.startswith(("zh", "en")):
            return chosen[:2]
    return "zh"


def say(text: Text) -> None:
    """One line to standard output, in the language of whoever reads."""
    click.echo(text.in_language(language()))


def now_us() -> int:
    """The clock of this machine."""
    return time.time_ns() // 1000


def say_json(facts: object) -> None:
    """Facts for a program: JSON with two spaces of indent."""
    click.echo(msgspec.json.format(msgspec.json.encode(facts), indent=2).decode())


if __name__ == "__main__":
    main()
