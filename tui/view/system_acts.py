"""What can be done with the machine: a backup now, a restart with a reason. PURE."""

from typing import Final

from appliance.core.errors import Text
from tui.keys import say
from tui.view.acts import Act, Case, Weight
from tui.view.system import BACKUP, SERVICES, Found


def _only_own(case: Case) -> Text | None:
    if isinstance(case.found, Found) and not case.found.is_own_machine:
        return Text("这是文件夹里的节点，机器不归它独用", "this box lives in a folder: the machine is not its own")
    return None


def _preview_restart(case: Case) -> tuple[str, ...]:
    look, reading = case.look, case.reading
    channels = reading.snapshot.on_air if reading.snapshot is not None else ()
    names = ", ".join(look.data(each.name, each.channel) for each in channels)
    return (
        *((look.say("Off the air until the machine is up again: {channels}").format(channels=names),) if names else ()),
        look.say("The machine restarts at once; it goes on the air by itself, also without a line."),
        look.say("Transfers go on where they were; nothing that was asked for is lost."),
    )


def _preview_backup(case: Case) -> tuple[str, ...]:
    return (case.look.say("One more file in the folder of backups; the oldest goes when there are too many."),)


ACTS: Final = (
    Act("backup", "b", say("Back up now"), Weight.BOX, preview=_preview_backup, tabs=("", BACKUP)),
    Act(
        "restart",
        "x",
        say("Restart the machine"),
        Weight.AIR,
        preview=_preview_restart,
        refusal=_only_own,
        tabs=("", SERVICES),
    ),
)
