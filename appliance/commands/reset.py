"""`songshan reset`: back to the beginning, in three steps; the site's id is typed, and what goes is said first."""

import re
from pathlib import Path
from typing import Final

import click

from appliance import resetting, spool
from appliance.alone import only_one
from appliance.command import Box, pass_box, say, say_json
from appliance.commands.desk import when, who
from appliance.config import INSTALLED_HOME, INSTALLED_RUN, config_path
from appliance.core.command import Did
from appliance.core.errors import OperatorError, Refused, SongshanError, Text
from appliance.resetting import Level

CONFIG_BYTES_MAX: Final = 256 * 1024
_SITE: Final = re.compile(rb'^site\s*=\s*"([a-z0-9-]+)"', re.MULTILINE)


@click.command()
@click.argument("level", type=click.Choice(["config", "keys", "all"]))
@click.option("--site", help="the site's id, typed; it is asked for where it is not given")
@click.option("--reason", required=True, help="why; it is on record")
@click.option("--media", "with_media", is_flag=True, help="with all: media, library and drop folder go as well")
@click.option("--json", "as_json", is_flag=True, help="for programs")
@pass_box
def reset(box: Box, level: Level, site: str | None, reason: str, with_media: bool, as_json: bool) -> None:
    """重置：config 选项复原；keys 连同密钥，须重新加入；all 连同数据库。媒资默认保留。 Back to the beginning.

    The agent must not run. Make a backup first. Example: songshan reset keys --site dengfeng --reason 密钥外泄
    """
    if with_media and level != "all":
        raise OperatorError(Text("--media 只用于 all", "--media goes with all"))
    root, run = box.home or INSTALLED_HOME, box.home / "run" if box.home else INSTALLED_RUN
    with only_one(run, root):
        unfinished = resetting.finish(box.home)
        here = None if unfinished else _site(box)
        if here is not None:
            _confirm(box, root, level, site, here, with_media=with_media, as_json=as_json)
            _record(box, level, reason)
            if level == "config":
                resetting.to_defaults(box.home)
            else:
                resetting.begin(box.home, level, with_media=with_media)
    if as_json:
        say_json({"level": level, "site": here, "finished_an_earlier_one": unfinished})
    elif level == "config" and not unfinished:
        say(Text("选项已复原；重启 agent 和网站服务", "every option has its default; restart agent and web server"))
    else:
        say(Text("已重置；再次使用：songshan join BUNDLE", "done; to use it again: songshan join BUNDLE"))


def _site(box: Box) -> str:
    """Whose box this is, also where the config cannot be read as a whole."""
    try:
        return box.config.site
    except SongshanError:
        path = config_path(box.home)
        found = _SITE.search(path.read_bytes()[:CONFIG_BYTES_MAX]) if path.exists() else None
        if found is None:
            raise
        return found[1].decode()


def _confirm(
    box: Box, root: Path, level: Level, typed: str | None, site: str, *, with_media: bool, as_json: bool
) -> None:
    if not as_json:
        config = [] if level == "config" else [config_path(box.home)]
        for path in (*config, *resetting.goes(root, level, with_media=with_media)):
            say(Text(f"将删除 {path}", f"{path} goes"))
    given = typed if typed is not None else click.prompt("站点编号 site id")
    if given != site:
        raise Refused(Text(f"站点编号不是 {given}，未改动", f"the site's id is not {given}; nothing was changed"))


def _record(box: Box, level: Level, reason: str) -> None:
    """With all the record goes as well; the hub sees the box join anew."""
    if level == "all":
        return
    try:
        config = box.config
    except SongshanError:
        return
    spool.put(config, Did(what=f"reset {level}", by=who(), via="cli", at=when(), reason=reason))
