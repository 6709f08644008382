"""`songshan-hub backups`: the sealed backups of the boxes, kept at the hub: HUB/backups/SITE/NAME.

A box sends them by night in its session (`backups_sent`); `take` is for what came by another way.
Nobody here can open one: the recovery code is the county's. What can be known without it is looked at - that it is a
backup, of that site, with all its bytes - before an older one may go.
"""

import os
from pathlib import Path
from typing import Any, BinaryIO, Final

import click

from appliance.command import say, say_json
from appliance.core import moment, seal
from appliance.core.alarms import YEAR_2025_US
from appliance.core.backup import NIGHTLY
from appliance.core.errors import Corrupt, OperatorError, Refused, Text
from appliance.durable import (
    copy_settled,
    disk_errors,
    make_folder,
    put_in_place,
    regular_file,
    staged_beside,
    sweep,
    unlink_durably,
)
from provisioning.command import pass_hub
from provisioning.hub.backups_sent import came, check
from provisioning.hub.folder import HubFolder
from provisioning.hub.sites import all_sites, site_of

KEPT: Final = 14
HOURS_MAX: Final = 50.0
"""Two nights and a little."""
BYTES_MAX: Final = 64 * 1024**3
SECRET: Final = 0o600
JSON: Final = click.option("--json", "as_json", is_flag=True, help="for programs")


@click.group()
def backups() -> None:
    """各县备份：收下、查看、取出；无恢复码谁也打不开。 The boxes' sealed backups, kept here.

    Example: songshan-hub backups list
    """


@backups.command()
@click.argument("site")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--sha256", default="", help="what the box says of the file")
@click.option("--keep", type=click.IntRange(1, 1000), default=KEPT, show_default=True, help="so many of a site stay")
@JSON
@pass_hub
def take(folder: HubFolder, site: str, file: Path, sha256: str, keep: int, as_json: bool) -> None:
    """收下一份备份，核对后旧的才可清退。 Keep a backup that came from a box; older ones go after it was looked at.

    Example: songshan-hub backups take dengfeng dengfeng-20261126T023000Z.backup
    """
    site_of(folder, site)
    if not NIGHTLY.fullmatch(file.name) or not file.name.startswith(f"{site}-"):
        raise OperatorError(Text(f"{file.name} 不是 {site} 的备份名", f"{file.name} is no name of a backup of {site}"))
    place = _folder(folder, site) / file.name
    with disk_errors(place):
        make_folder(place.parent, 0o700)
        sweep(place.parent)
        is_new = not place.exists()
        if is_new:
            with regular_file(file) as source, staged_beside(place, SECRET) as (descriptor, staged):
                digest, _size_bytes = copy_settled(source, descriptor, file, BYTES_MAX)
                if sha256 and digest != f"sha256:{sha256}":
                    raise Corrupt(Text(f"{file.name} 传送中变了", f"{file.name} was changed on its way"))
                with staged.open("rb") as opened:
                    made_us = moment.to_us(check(opened, site, file.name))
                put_in_place(descriptor, staged, place)
            now_us = folder.now_us()
            # One that is brought by hand takes its place among those that were sent by when it was made, where it can.
            came_us = made_us if YEAR_2025_US < made_us < now_us else now_us
            os.utime(place, ns=(came_us * 1000, came_us * 1000))
        gone = _names(folder, site)[:-keep]
    for name in gone:
        unlink_durably(place.with_name(name))
    if as_json:
        say_json({"path": str(place), "changed": is_new, "let_go": len(gone)})
    else:
        say(Text(f"已收下 {place}", f"kept as {place}"))


@backups.command("list")
@click.option("--hours", type=click.FloatRange(0.1), default=HOURS_MAX, show_default=True, help="older is too old")
@JSON
@pass_hub
def show(folder: HubFolder, hours: float, as_json: bool) -> None:
    """各县最近一份备份的时间；太旧或没有则退出码 1。 How old each county's last backup here is.

    Exits 1 when one is too old, or missing. Example: songshan-hub backups list --json
    """
    rows = [_row(folder, site.site) for site in all_sites(folder) if site.state == "approved"]
    late = [row for row in rows if row["age_hours"] is None or row["age_hours"] > hours]
    if as_json:
        say_json({"sites": rows, "late": [row["site"] for row in late]})
    else:
        for row in rows:
            age = "-" if row["age_hours"] is None else f"{row['age_hours']:.1f} h"
            click.echo(f"{row['site']:<12} {age:>10}  {row['count']:>3}  {row['newest'] or '-'}")
    if late:
        names = ", ".join(row["site"] for row in late)
        raise Refused(Text(f"{names} 的备份太旧或没有", f"the backups of {names} are too old, or missing"))


@backups.command()
@click.argument("site")
@pass_hub
def newest(folder: HubFolder, site: str) -> None:
    """最近一份备份的路径，供换机恢复。 The path of a county's last backup, for a replacement.

    Example: songshan-hub backups newest dengfeng
    """
    site_of(folder, site)
    names = _names(folder, site)
    if not names:
        raise Refused(Text(f"这里没有 {site} 的备份", f"there is no backup of {site} here"))
    click.echo(str(_folder(folder, site) / names[-1]))


def _row(folder: HubFolder, site: str) -> dict[str, Any]:
    names = _names(folder, site)
    age = None
    if names:
        with (_folder(folder, site) / names[-1]).open("rb") as file:
            header, _salt = seal.parse_header(_lines(file))
        age = round((folder.now_us() - moment.to_us(header.made_at)) / moment.US / 3600, 1)
    came_at = moment.to_text(came(_folder(folder, site))[-1].at_us) if names else None
    return {
        "site": site,
        "newest": names[-1] if names else None,
        "age_hours": age,
        "count": len(names),
        "came_at": came_at,
    }


def _lines(file: BinaryIO) -> bytes:
    return b"".join(file.readline(seal.HEADER_BYTES_MAX) for _line in range(2))


def _folder(folder: HubFolder, site: str) -> Path:
    folder.settings()
    return folder.backups_of(site)


def _names(folder: HubFolder, site: str) -> list[str]:
    return [each.name for each in came(_folder(folder, site))]
