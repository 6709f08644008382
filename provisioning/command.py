"""`songshan-hub`: the hub operator's command. A subcommand is loaded when it is called, so that `gate` starts fast."""

import os
import pwd
from pathlib import Path
from typing import Final, NoReturn

import click

from appliance.command import EntryPointGroup, run
from appliance.core.errors import Refused, Text
from provisioning.hub.folder import HubFolder

ENTRY_POINTS: Final = "songshan_hub.commands"
INSTALLED: Final = Path("/srv/songshan-hub")
WRITERS: Final = frozenset(
    {
        *(
            "approve",
            "backup",
            "collect",
            "compact",
            "enrol",
            "gate",
            "init",
            "insert",
            "order",
            "publish",
            "recall",
            "redact",
        ),
        *("restore", "revoke", "rotate-key", "schedule", "serve", "snapshot", "template", "usb", "verify", "watch"),
    }
)


@click.group(cls=EntryPointGroup, entry_points=ENTRY_POINTS)
@click.option(
    "--hub",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SONGSHAN_HUB",
    default=None,
    help="the hub's folder; by default this one, or the installed one where this is none",
)
@click.pass_context
def songshan_hub(ctx: click.Context, folder: Path | None) -> None:
    """嵩山云：流水、媒资与各县级中心。 The hub: journals, assets, and the sites that may read them.

    Example: songshan-hub --hub /srv/hub fleet
    """
    here = HubFolder((folder or _by_default()).absolute())
    if ctx.invoked_subcommand in WRITERS and os.geteuid() == 0:
        _check_owner(here)
    ctx.obj = here


def _by_default() -> Path:
    here = Path.cwd()
    is_one = HubFolder(here).settings_file.exists()
    return INSTALLED if not is_one and HubFolder(INSTALLED).settings_file.exists() else here


def _check_owner(folder: HubFolder) -> None:
    """What root wrote in a hub of another account's, that one's gates could not read any more."""
    try:
        owner = folder.path.stat().st_uid
    except FileNotFoundError:
        return
    if owner != 0:
        name = pwd.getpwuid(owner).pw_name
        raise Refused(
            Text(f"此文件夹属于 {name}，不要用 root 操作", f"this hub is {name}'s: not as root"),
            hint=Text(*[f"runuser -u {name} -- songshan-hub …"] * 2),
        )


pass_hub = click.make_pass_decorator(HubFolder)


def main() -> NoReturn:
    """The command `songshan-hub`."""
    run(songshan_hub)


if __name__ == "__main__":
    main()
