"""The door through which the screens act: commands into the spool, deeds at once. Called on a worker thread."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance import spool
from appliance.commands.desk import who
from appliance.config import Config, load
from appliance.core.command import Command
from appliance.core.errors import OperatorError, Text
from tui.gather.where import where
from tui.page import Deed
from tui.view.acts import Case


@dataclass(frozen=True)
class Door:
    """That of one box, for the account that runs the program."""

    home: Path | None
    environ: Mapping[str, str]
    notes: dict[str, Any] = field(default_factory=dict)
    """The same as those of the looks."""

    @property
    def account(self) -> str:
        """Who runs the program, as the system knows them."""
        return who()

    def open(self) -> None:
        """OperatorError with the next step where this account may not put anything into the spool."""
        config = load(self.home, self.environ)
        if not _may_write(config):
            raise OperatorError(
                Text(f"账号 {who()} 不能写入收件箱 {config.spool}", f"{who()} may not write into {config.spool}"),
                hint=Text(
                    "以 songshan 组的账号登录，或用 sudo songshan tui",
                    "use an account of the group songshan, or sudo songshan tui",
                ),
            )

    def put(self, command: Command) -> str:
        """Hand a command to the agent, running or not; its name in the spool. Raises SongshanError."""
        return spool.put(load(self.home, self.environ), command)

    def do(self, deed: Deed, case: Case) -> Text:
        """Do what is no command; what came of it. Raises SongshanError."""
        return deed(where(self.home, self.environ, self.notes), case)


def _may_write(config: Config) -> bool:
    """Whether the folder of new commands, or where it is not yet, the one that it will be made in, is writable."""
    folder = config.spool / "new"
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
    except OSError:
        # Not even its parent may be looked into.
        return False
    return os.access(folder, os.W_OK | os.X_OK)
