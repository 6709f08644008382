"""`songshan-hub fleet`: one row per site, from what its box last said and whether its session stands."""

from typing import Any, Final

import click
import msgspec

from appliance.command import say, say_json
from appliance.core import moment
from appliance.core.errors import Text
from appliance.core.machine import Machines
from provisioning.command import pass_hub
from provisioning.hub.folder import HubFolder
from provisioning.hub.machines import machines_of
from provisioning.hub.presence import is_held
from provisioning.hub.room import taken_bytes
from provisioning.hub.sites import Site, all_sites
from provisioning.hub.status import Said, read_status

GIB: Final = 1024**3
SEVERITIES: Final = ("red", "amber", "info")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A site as the operator sees it. What the box never said is None."""

    site: str
    name: str
    state: str
    """invited, joined, approved or revoked; `fenced` when two machines stand for an approved one."""
    link: str
    """`connected`, `away`, or `never`."""
    heard_at: str | None = None
    sync_age_s: float | None = None
    """Seconds since the box last said how it is."""
    on_air: tuple[str, ...] = ()
    unplanned: int | None = None
    """Channels that play something other than planned."""
    not_ready: int | None = None
    """Entries of the coming day that are late or cannot be."""
    disk_free_bytes: int | None = None
    clock_synchronised: bool | None = None
    clock_offset_ms: float | None = None
    version: str | None = None
    alarms_red: int | None = None
    alarms_amber: int | None = None
    moved_at: str | None = None
    """When another machine last took the place of the one before, by itself."""
    waiting_bytes: int | None = None
    """What the site has sent up and nothing has become of yet."""
    waiting_is_full: bool = False
    """It may send no more until that has changed: `site_bytes_max` of hub.toml."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def fleet(folder: HubFolder, as_json: bool) -> None:
    """One row per site: on air, link, sync age, readiness, disk, clock, version, alarms.

    Example: songshan-hub fleet --json
    """
    settings = folder.settings()
    at_us = folder.now_us()
    rows = [
        with_room(
            standing(
                row(site, read_status(folder.site(site.site)), is_held(folder.site(site.site).session), at_us),
                machines_of(folder, site.site),
            ),
            taken_bytes(folder.site(site.site)),
            settings.site_bytes_max,
        )
        for site in all_sites(folder)
    ]
    if as_json:
        say_json({"sites": rows})
        return
    for line in rows:
        click.echo(_line(line))
    if not rows:
        say(Text("还没有县级中心", "no sites yet"))


def standing(shown: Row, known: Machines) -> Row:
    """Pure. The row with what is known of the site's machines."""
    state = "fenced" if known.fenced and shown.state == "approved" else shown.state
    moved_at = moment.to_text(known.moved_us) if known.moved_us is not None else None
    return msgspec.structs.replace(shown, state=state, moved_at=moved_at)


def with_room(shown: Row, waiting_bytes: int, bytes_max: int) -> Row:
    """Pure. The row with what waits at the hub, against the bound of one site."""
    return msgspec.structs.replace(shown, waiting_bytes=waiting_bytes, waiting_is_full=waiting_bytes >= bytes_max)


def row(site: Site, said: Said | None, connected: bool, at_us: int) -> Row:
    """Pure. What a box says is not trusted to have any shape: what is not there, or is something else, is None."""
    if said is None:
        link = "connected" if connected else "never"
        return Row(site=site.site, name=site.name, state=site.state, link=link)
    status = said.status
    on_air = [each for each in _list(status.get("on_air")) if isinstance(each, dict)]
    alarms = [each.get("severity") for each in _list(status.get("alarms")) if isinstance(each, dict)]
    clock, storage = _dict(status.get("clock")), _dict(status.get("storage"))
    return Row(
        site=site.site,
        name=site.name,
        state=site.state,
        link="connected" if connected else "away",
        heard_at=said.heard_at,
        sync_age_s=round((at_us - moment.to_us(said.heard_at)) / moment.US, 1),
        on_air=tuple(f"{each.get('channel')}: {each.get('title') or each.get('kind')}"[:100] for each in on_air),
        unplanned=sum(1 for each in on_air if each.get("planned") is False),
        not_ready=len(_list(status.get("coming"))),
        disk_free_bytes=_whole(storage.get("free_bytes")),
        clock_synchronised=clock.get("synchronised") if isinstance(clock.get("synchronised"), bool) else None,
        clock_offset_ms=_number(clock.get("hub_offset_ms")),
        version=str(status["version"])[:40] if "version" in status else None,
        alarms_red=alarms.count("red"),
        alarms_amber=alarms.count("amber"),
    )


def _line(row: Row) -> str:
    age = "-" if row.sync_age_s is None else f"{row.sync_age_s:.0f}s"
    free = "-" if row.disk_free_bytes is None else f"{row.disk_free_bytes / GIB:.0f}G"
    alarms = "-" if row.alarms_red is None else f"{row.alarms_red}/{row.alarms_amber}"
    ready = "-" if row.not_ready is None else f"-{row.not_ready}" if row.not_ready else "ok"
    clock = {True: "ok", False: "!", None: "-"}[row.clock_synchronised]
    columns = (
        f"{row.site:<12} {row.state:<9} {row.link:<9} {age:>6}",
        f"ready {ready:<4} disk {free:>6} clock {clock:<2}",
        f"alarms {alarms:<5} {row.version or '-':<10}",
        *(("uploads full",) if row.waiting_is_full else ()),
        "; ".join(row.on_air) or "-",
    )
    return "  ".join(columns)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
