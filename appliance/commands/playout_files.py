"""`songshan export` and `songshan token`: the days of a channel for other engines, and what lets those in."""

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from appliance.command import Box, pass_box, say
from appliance.commands.air import check_channel
from appliance.core.errors import Text, WorldError
from appliance.core.exports.formats import FORMATS, written
from appliance.core.schedule import day_of
from appliance.durable import make_folder, write_atomically
from appliance.store import air, exports
from appliance.store.database import reading

TOKEN_BYTES: Final = 24


@click.command()
@click.argument("channel")
@click.option("--date", help="the broadcast day, 2026-11-24; today when not given")
@click.option("--format", "form", type=click.Choice(tuple(FORMATS)), default="json", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="the file to write; else standard output")
@pass_box
def export(box: Box, channel: str, date: str | None, form: str, out: Path | None) -> None:
    """导出一天的节目，供其他播出系统使用。 A day of a channel for another engine: ffplayout, MLT, XSPF, CasparCG …

    Files are named by their place in the library; a file that is written is replaced in one step.

    Example: songshan export dengfeng-1 --date 2026-11-24 --format ffplayout.json --out /srv/playlists/2026-11-24.json
    """
    config = box.config
    named = check_channel(config, channel)
    chosen = FORMATS[form]
    root = "" if chosen.is_relative else f"{config.library}/"
    with reading(config.database) as db:
        day = date if date is not None else day_of(air.now_us(db), config.zone)
        data = written(exports.day_of_channel(db, channel, named.name, config.zone, day, root), chosen)
    if out is None:
        click.echo(data, nl=False)
    else:
        write_atomically(out.absolute(), data)


@click.command()
@pass_box
def token(box: Box) -> None:
    """新的播出系统口令：只显示一次，旧的作废。 A new token for /playout: shown once, and the one before is void.

    Example: songshan token
    """
    path = box.config.playout_token
    made = secrets.token_urlsafe(TOKEN_BYTES)
    make_folder(path.parent, 0o750)
    write_atomically(path, hashlib.sha256(made.encode()).hexdigest().encode() + b"\n")
    try:
        path.chmod(0o640)
        with suppress(PermissionError):
            # The web server is another user of the group that the folder is of.
            os.chown(path, -1, path.parent.stat().st_gid)
    except OSError as error:
        raise WorldError(Text(f"写不了 {path}：{error.strerror}", f"cannot write {path}: {error.strerror}")) from error
    say(Text(f"口令（只显示这一次）：{made}", f"the token, shown this once: {made}"))
