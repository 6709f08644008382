"""Which machines stand for a site: `sites/SITE/machines.json`. `appliance.core.machine` decides what follows."""

from collections.abc import Callable
from typing import Final

import msgspec

from appliance.core.errors import Refused, Text
from appliance.core.machine import Machines, chosen
from provisioning.hub.folder import HubFolder

SHOWN: Final = 12
"""Digits of a machine's fingerprint that people compare."""


def machines_of(folder: HubFolder, site: str) -> Machines:
    """What is known; nothing of a site that was never heard."""
    try:
        return msgspec.json.decode(folder.site(site).machines.read_bytes(), type=Machines)
    except FileNotFoundError:
        return Machines()


def note(folder: HubFolder, site: str, change: Callable[[Machines], Machines]) -> Machines:
    """Change what is known, under the hub's lock."""
    with folder.locked():
        return note_locked(folder, site, change)


def note_locked(folder: HubFolder, site: str, change: Callable[[Machines], Machines]) -> Machines:
    """`note`, where the caller holds the lock."""
    from appliance.durable import write_atomically

    known = machines_of(folder, site)
    changed = change(known)
    if changed != known:
        write_atomically(folder.site(site).machines, msgspec.json.format(msgspec.json.encode(changed)))
    return changed


def choose(folder: HubFolder, site: str, named: str | None) -> str:
    """Lift the fence of a site for the machine whose fingerprint begins so; the whole of it. The lock is held.

    Who chose the wrong one names the other: it is among those that were shut out. Refused, with the fingerprints of
    all, where it is not one of them, or none is named and there are several.
    """
    known = machines_of(folder, site)
    offered = known.fenced or known.shut_out
    found = [machine for machine in offered if machine.startswith(named or "")] if named or len(offered) == 1 else []
    if len(found) != 1:
        shown = ", ".join(machine[:SHOWN] for machine in offered)
        raise Refused(
            Text(f"{site} 有多台机器使用同一身份：{shown}", f"machines with one identity stand for {site}: {shown}"),
            hint=Text(
                "在两台机器上运行 songshan doctor 看指纹，再 songshan-hub approve SITE --machine 指纹",
                "songshan doctor shows each machine's; then songshan-hub approve SITE --machine FINGERPRINT",
            ),
        )
    note_locked(folder, site, lambda known: chosen(known, found[0]))
    return found[0]


def why_fenced(known: Machines, machine: str, site: str) -> Text:
    """What the box is told, for its technician: also which of the two it is, for he is asked that on the telephone."""
    if machine in known.shut_out:
        return Text(
            f"嵩山云已选定另一台机器代表 {site}，本机（{machine[:SHOWN]}）只收不写",
            f"another machine was chosen to stand for {site}; this one ({machine[:SHOWN]}) reads and does not write",
        )
    shown = "、".join(each[:SHOWN] for each in known.fenced)
    return Text(
        f"两台机器使用 {site} 的同一身份（{shown}），本机是 {machine[:SHOWN]}，上报已停；"
        f"请嵩山云 songshan-hub approve {site} --machine 选定一台",
        f"two machines use the identity of {site} ({shown}); this one is {machine[:SHOWN]}; its reports are stopped;"
        f" the hub's operator chooses one: songshan-hub approve {site} --machine FINGERPRINT",
    )
