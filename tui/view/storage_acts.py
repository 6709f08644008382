"""What can be done with the disks: an empty one is taken for the media. PURE."""

from typing import Final

from appliance.core.command import Newdisk
from appliance.core.errors import Text
from tui.keys import say
from tui.view.acts import Act, Case, Weight
from tui.view.storage import Found


def _cannot_take(case: Case) -> Text | None:
    found = case.found
    if not isinstance(found, Found) or found.media == "unknown":
        return Text("读不到媒资盘的状态", "it is not known how the disk of the media is")
    refusals = {
        "here": Text("媒资盘在位，无需启用新盘", "the disk of the media is here: there is nothing to take"),
        "away": Text(
            "未挂载磁盘：先格式化并挂载新盘", "no disk is mounted there: make a file system and mount it first"
        ),
        "foreign": Text("盘上已有内容，不能启用", "the disk holds something: it is not taken"),
    }
    return refusals.get(found.media)


def _preview_take(case: Case) -> tuple[str, ...]:
    found, look = case.found, case.look
    assert isinstance(found, Found)
    system = next((each for each in found.systems if each.point == found.media_path), None)
    disk = next((each for each in found.disks if system is not None and each.name == system.disk), None)
    name = f"{disk.name} {disk.serial} {look.size(disk.size_bytes)}" if disk is not None else found.media_path
    return (
        look.say("The empty disk {name} becomes that of the media.").format(name=look.data(name)),
        look.say("What is missing is fetched again, what airs soonest first; what was made here is made again."),
        look.say("The air goes on; until then channels play what is here, or the slate."),
    )


ACTS: Final = (
    Act(
        "newdisk",
        "n",
        say("Take the new disk"),
        Weight.BOX,
        command=lambda case: Newdisk(**case.asked_by),
        preview=_preview_take,
        refusal=_cannot_take,
    ),
)
