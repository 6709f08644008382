"""How the units that a box stands on are, from what `systemctl show` says of them. Pure.

Sockets, timers, the firewall and the time service do not tell of themselves anywhere: a box goes on without each of
them, for a while, and nobody sees it.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from appliance.core.errors import Text

PROPERTIES: Final = ("Id", "LoadState", "ActiveState", "Result")
WATCHED: Final[dict[str, Text]] = {
    "songshan-agent.service": Text("agent", "agent"),
    "songshan-web.socket": Text("网站服务的入口", "door of the web server"),
    "songshan-transcode.socket": Text("转码", "transcoder"),
    "songshan-backup.timer": Text("夜间备份", "nightly backup"),
    "songshan-upgrade.path": Text("升级请求", "requests for upgrades"),
    "nftables.service": Text("防火墙", "firewall"),
    "chrony.service": Text("时间服务", "time service"),
    "nginx.service": Text("nginx", "nginx"),
    "apt-daily-upgrade.timer": Text("安全更新", "security updates"),
}
"""What has to be active on an installed box, by what people call it."""
_UP: Final = frozenset({"active", "activating", "reloading"})


class Ailing(msgspec.Struct, frozen=True):
    """A unit that is not as it should be. `is_bad`: it failed; else it is not on, or not there."""

    unit: str
    is_bad: bool
    found: Text


def parse(said: str) -> dict[str, dict[str, str]]:
    """Of each unit its properties; blocks of `Name=value` lines with an empty line between them."""
    found = {}
    for block in said.split("\n\n"):
        told = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if told.get("Id"):
            found[told["Id"]] = told
    return found


def ailing(states: dict[str, dict[str, str]]) -> Iterator[Ailing]:
    """What is not as it should be, of what is watched; nothing is said of a unit that nobody was asked about."""
    for unit, name in WATCHED.items():
        told = states.get(unit)
        if told is None:
            continue
        state, result = told.get("ActiveState", ""), told.get("Result", "")
        if told.get("LoadState") != "loaded":
            yield Ailing(unit, False, Text(f"{name.zh}没有装上（{unit}）", f"{name.en}: {unit} is not installed"))
        elif state == "failed":
            text = Text(f"{name.zh}异常：{unit} {result}", f"{name.en} failed: {unit} {result}")
            yield Ailing(unit, True, text)
        elif state not in _UP:
            yield Ailing(unit, False, Text(f"{name.zh}没有运行（{unit}）", f"{name.en} is off: {unit}"))
