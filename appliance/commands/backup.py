"""`songshan backup` and `songshan restore`: the state of the box, as one sealed file."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from appliance import handing, nights, spool
from appliance.alone import only_one
from appliance.backup import read_header, recovery_seed, write
from appliance.command import Box, now_us, pass_box, say, say_json
from appliance.commands.desk import when, who
from appliance.config import INSTALLED_HOME, INSTALLED_RUN, Config
from appliance.core import seal
from appliance.core.backup import Head, Manifest, behind, superfluous
from appliance.core.command import Did
from appliance.core.errors import Corrupt, OperatorError, Refused, SongshanError, Text
from appliance.core.facts import as_facts
from appliance.core.moment import to_text
from appliance.durable import disk_errors, owned_like, unlink_durably, write_atomically
from appliance.restoring import rehearse
from appliance.restoring import restore as put_back
from appliance.store import at_rest

CODE_BYTES_MAX: Final = 1024
STATUS: Final = Path("status")
ENVIRON: Final = "SONGSHAN_RECOVERY_CODE"


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--nightly", is_flag=True, help="into the folder backups/; as many stay as backups_kept says")
@click.option("--show-code", is_flag=True, help="show the recovery code, to be written down and kept elsewhere")
@click.option("--json", "as_json", is_flag=True, help="for programs")
@pass_box
def backup(box: Box, file: Path | None, nightly: bool, show_code: bool, as_json: bool) -> None:
    """备份：把本机的配置、密钥和数据库写进一个加密文件；agent 照常运行。 Back up config, keys and database.

    The file can be read with the recovery code alone. Media are not in it. `status` in the place of a file tells
    when the last one was made and when one reached the hub. Example: songshan backup /media/usb/dengfeng.backup
    """
    config = box.config
    if file == STATUS:
        _say_status(config, as_json)
        return
    if show_code:
        _show_code(config, as_json)
        return
    if (file is None) is not nightly:
        raise OperatorError(Text("给出文件名，或 --nightly", "name a file, or say --nightly"))
    moment_us = now_us()
    path = file.absolute() if file is not None else nights.free_path(config, moment_us)
    made = write(config, box.home, path, moment_us)
    if nightly:
        _rehearse(config, path)
        if config.hub is not None:
            handing.put(config, path)
    gone = _let_go(config) if nightly else 0
    if as_json:
        say_json({"path": str(path), "size_bytes": path.stat().st_size, "let_go": gone, **as_facts(made)})
        return
    size = f"{path.stat().st_size / 2**20:.1f} MiB"
    say(Text(f"已备份到 {path}（{size}）", f"backed up into {path} ({size})"))
    if nights.backup_fact(config).code_shown_us is None:
        say(
            Text(
                "恢复码还没有抄下：songshan backup --show-code；没有它换机后无法恢复",
                "nobody has written down the recovery code yet: songshan backup --show-code;"
                " without it nothing can be restored on another machine",
            )
        )


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--code-file", type=click.Path(path_type=Path, dir_okay=False), help="a file that holds the recovery code"
)
@click.option("--json", "as_json", is_flag=True, help="for programs")
@pass_box
def restore(box: Box, file: Path, code_file: Path | None, as_json: bool) -> None:
    """恢复：先在旁边核验备份，再整体换上；原来的保留在 before-restore/。 Put a backup in place of what is there.

    The agent must not run. The recovery code is asked for where this box does not hold it; programs give it in
    --code-file or SONGSHAN_RECOVERY_CODE. Example: songshan restore /media/usb/dengfeng.backup
    """
    root, run = box.home or INSTALLED_HOME, box.home / "run" if box.home else INSTALLED_RUN
    header = read_header(file)
    if not as_json:
        say(Text(f"{header.site} {header.made_at} 的备份", f"a backup of {header.site}, made {header.made_at}"))
    before = _heads_now(root)
    with only_one(run, root):
        made = put_back(box.home, file, _seed(root, code_file))
        _record(box, made)
    lost = behind(made.heads, before)
    if as_json:
        say_json({"made_at": made.made_at, "site": made.site, "behind": [{"stream": s, "records": n} for s, n in lost]})
        return
    say(Text(f"已恢复；原来的在 {root}/before-restore", f"restored; what was there is in {root}/before-restore"))
    for stream, count in lost:
        say(
            Text(
                f"{stream} 落后 {count} 条记录，联上嵩山云后自动补回",
                f"{stream} is {count} records behind; they come back from the hub",
            )
        )
    say(Text("现在启动 agent：systemctl start songshan-agent", "now start the agent: systemctl start songshan-agent"))


def _say_status(config: Config, as_json: bool) -> None:
    """The last one here, whether it was opened, and the last one at the hub."""
    fact, wait = nights.backup_fact(config), handing.waiting(config)
    if as_json:
        say_json(
            {**as_facts(fact), "waiting_for_hub": len(wait), "waiting_bytes": sum(each.size_bytes for each in wait)}
        )
        return
    last = to_text(fact.last_us) if fact.last_us is not None else None
    opened = Text("，已试开" if fact.is_rehearsed else "", ", opened again" if fact.is_rehearsed else "")
    say(
        Text(
            f"最近一份：{last or '无'}{opened.zh}，共 {fact.count} 份",
            f"last: {last or '-'}{opened.en}, {fact.count} kept",
        )
    )
    if config.hub is not None:
        at = to_text(fact.at_hub_us) if fact.at_hub_us is not None else None
        say(
            Text(
                f"送达嵩山云：{at or '从未'}；待送 {len(wait)} 份",
                f"reached the hub: {at or 'never'}; {len(wait)} wait for the line",
            )
        )
        at = to_text(fact.at_stick_us) if fact.at_stick_us is not None else None
        say(Text(f"写上移动盘：{at or '从未'}", f"on a stick: {at or 'never'}"))


def _rehearse(config: Config, path: Path) -> None:
    """Open it again as a restore would; one that cannot be opened is none, and the older ones stay."""
    try:
        rehearse(config, path, recovery_seed(config))
    except (Corrupt, Refused, OperatorError):
        unlink_durably(path)
        raise
    mark = nights.rehearsed_mark(config)
    write_atomically(mark, path.name.encode() + b"\n")
    owned_like(config.home, mark)


def _let_go(config: Config) -> int:
    """Take away the nightly backups that are too many; how many."""
    with disk_errors(config.backups):
        gone = superfluous([path.name for path in config.backups.iterdir()], config.limits.backups_kept)
    for name in gone:
        unlink_durably(config.backups / name)
    return len(gone)


def _show_code(config: Config, as_json: bool) -> None:
    code = seal.code_text(recovery_seed(config))
    mark = nights.shown_mark(config)
    with disk_errors(mark):
        mark.unlink(missing_ok=True)
    write_atomically(mark, b"")
    owned_like(config.home, mark)
    if as_json:
        say_json({"recovery_code": code})
        return
    click.echo(code)
    say(
        Text(
            "抄在纸上，锁进柜子，另存一份于嵩山云运维处；有它和备份文件，就有本站的密钥",
            "write it on paper and lock it away, one copy with the hub's operator; with it a backup gives up the keys",
        )
    )


def _record(box: Box, made: Manifest) -> None:
    """Into the audit trail of the box that comes back."""
    what = f"restore {made.made_at}"
    with suppress(SongshanError):
        spool.put(box.config, Did(what=what, by=who(), via="cli", at=when(), reason=""))


def _seed(root: Path, code_file: Path | None) -> bytes:
    """The recovery code: given, else this box's own where it opens the file, else typed."""
    given = os.environ.get(ENVIRON)
    if code_file is not None:
        with disk_errors(code_file), code_file.open("rb") as opened:
            given = opened.read(CODE_BYTES_MAX).decode(errors="replace")
    if given is not None:
        return seal.parse_code(given)
    own = root / "keys" / nights.RECOVERY
    if own.is_file():
        with disk_errors(own):
            return seal.parse_code(own.read_text())
    if not os.isatty(0):
        raise OperatorError(
            Text("这台机器没有恢复码", "this machine does not hold the recovery code"),
            hint=Text(f"用 --code-file 或 {ENVIRON} 给出", f"give it in --code-file or {ENVIRON}"),
        )
    return seal.parse_code(click.prompt("恢复码 recovery code", hide_input=False))


def _heads_now(root: Path) -> tuple[Head, ...]:
    """How far the streams of the database that goes have come; () where nothing of it can be read."""
    try:
        return at_rest.heads_of(root / "state" / "box.db")
    except (SongshanError, sqlite3.DatabaseError):
        return ()
