"""The spool (收件箱): the one door for everything that comes in at the box.

    spool/new/<name>          a command, one JSON object
    spool/blob/<name>.<k>     the k-th file that comes with it; there before the command is
    spool/refused/<name>      a command that could not be carried out, and why in <name>.reason

Anybody puts, by write, fsync, rename; only the agent finishes. A name is given once and for ever: the agent notes it in
the commands table in the transaction that carries the command out, and that is what makes a command happen once,
however often it is read. Names sort in the order in which commands came, also when the clock was set back in between.
"""

import os
import re
import secrets
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from appliance import durable
from appliance.config import Config
from appliance.core.command import COMMAND_BYTES_MAX, Command, encode_command, parse_command
from appliance.core.errors import DiskFull, OperatorError, Refused, Text
from appliance.durable import (
    copy_settled,
    disk_errors,
    make_folder,
    put_in_place,
    regular_file,
    staged_beside,
    sync_folder,
    unlink_durably,
    world_error,
    write_atomically,
)

GROUP: Final = 0o770
"""Of the spool's folders: who is of the box's group puts commands."""
NAME: Final = re.compile(r"[0-9]{20}-[0-9a-f]{12}")
ORPHAN_S: Final = 24 * 3600
"""A blob without a command is somebody's who is still writing the command; for a day."""
REFUSED_KEPT: Final = 1000


def make_folders(config: Config) -> None:
    """The spool's folders; what is there stays."""
    for folder in (_new(config), _blob(config), _refused(config)):
        with disk_errors(folder):
            make_folder(folder, GROUP)
            _share(folder)


def _share(folder: Path) -> None:
    """The web server and technicians are other users of the same group. Whoever makes the folder first may be a command
    whose umask takes that away: a restore, Ansible."""
    status = folder.stat()
    if status.st_uid == os.geteuid() and status.st_mode & GROUP != GROUP:
        folder.chmod(stat.S_IMODE(status.st_mode) | GROUP)


def put(config: Config, command: Command, attachments: Sequence[Path] = ()) -> str:
    """Hand a command to the agent, running or not; it is safe when this returns. The command's name.

    `attachments` are copied, as long as the reserve stays free. Raises OperatorError when the command is none, Refused
    when too many wait already or an attachment is no regular file, DiskFull and WorldError; then nothing was handed
    over and nothing half is left.
    """
    data = encode_command(command)
    make_folders(config)
    _check_room(config, attachments)
    name = _next_name(config)
    blobs: list[Path] = []
    try:
        for number, attachment in enumerate(attachments):
            blob = _blob(config) / f"{name}.{number}"
            _copy(attachment, blob, config.limits.file_bytes_max)
            blobs.append(blob)
        write_atomically(_new(config) / name, data)
    except BaseException:
        for blob in blobs:
            blob.unlink(missing_ok=True)
        raise
    return name


def _check_room(config: Config, attachments: Sequence[Path]) -> None:
    """Commands alone are always taken: they are small, and the way by which a person helps."""
    size_bytes = sum(path.stat().st_size for path in attachments if path.is_file())
    with disk_errors(config.spool):
        short_bytes = size_bytes + config.limits.reserve_bytes - shutil.disk_usage(config.spool).free
    if attachments and short_bytes > 0:
        lacking = f"{short_bytes / 1_000_000:.0f} MB"
        raise DiskFull(
            Text(f"磁盘空间不足，还差 {lacking}", f"no room for it on the disk: {lacking} too few"),
            hint=Text("请清理磁盘，见 songshan cache", "free some space, see songshan cache"),
        )


def pending(config: Config) -> list[str]:
    """The names of the commands that wait, oldest first. Files of other names are not commands."""
    return sorted(name for name in _listed(_new(config)) if NAME.fullmatch(name))


def read(config: Config, name: str) -> tuple[Command, tuple[Path, ...]]:
    """A command and its attachments, in order.

    Raises OperatorError when the file holds no command (refuse it), WorldError when it cannot be read.
    """
    path = _new(config) / _checked(name)
    with disk_errors(path), path.open("rb") as file:
        data = file.read(COMMAND_BYTES_MAX + 1)
    command = parse_command(data)
    return command, _blobs(config, name)


def finish(config: Config, name: str) -> None:
    """Forget a command that was carried out and noted. Its attachments go after it, so that it never lacks them."""
    unlink_durably(_new(config) / _checked(name))
    for blob in _blobs(config, name):
        unlink_durably(blob)


def refuse(config: Config, name: str, reason: Text) -> None:
    """Set a command aside with the reason; its attachments go. The oldest refused ones go when there are too many."""
    path, aside = _new(config) / _checked(name), _refused(config) / name
    why = f"{reason.zh}\n{reason.en}\n".encode(errors="replace")
    write_atomically(aside.with_name(f"{name}.reason"), why)
    with disk_errors(path):
        if path.exists():
            path.rename(aside)
        sync_folder(aside.parent)
        sync_folder(path.parent)
    for blob in _blobs(config, name):
        unlink_durably(blob)
    kept = sorted(_listed(_refused(config)))
    for old in kept[: max(0, len(kept) - 2 * REFUSED_KEPT)]:
        (_refused(config) / old).unlink(missing_ok=True)


def sweep(config: Config, now_s: float) -> None:
    """Take away what writers left that were killed: only the agent calls this, when it starts. `now_s` since 1970."""
    sweep_half_written(config)
    waiting = frozenset(_listed(_new(config)))
    for entry in _listed(_blob(config)):
        is_orphan = not entry.startswith(".") and entry.partition(".")[0] not in waiting
        if is_orphan and _age_s(_blob(config) / entry, now_s) > ORPHAN_S:
            (_blob(config) / entry).unlink(missing_ok=True)


def sweep_half_written(config: Config) -> None:
    """Take away commands and attachments that nobody is writing any more. May be called at any time."""
    for folder in (_new(config), _blob(config), _refused(config)):
        durable.sweep(folder)


def _new(config: Config) -> Path:
    return config.spool / "new"


def _blob(config: Config) -> Path:
    return config.spool / "blob"


def _refused(config: Config) -> Path:
    return config.spool / "refused"


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise OperatorError(Text(f"收件箱里没有这样的名字：{name[:80]!r}", f"no name of the spool: {name[:80]!r}"))
    return name


def _next_name(config: Config) -> str:
    """After every name that waits. Two writers at the same microsecond still differ."""
    waiting = pending(config)
    if len(waiting) >= config.limits.spool_waiting_max:
        raise Refused(
            Text(f"收件箱已有 {len(waiting)} 条待办", f"{len(waiting)} commands wait already"),
            hint=Text("请检查 agent 是否在运行：songshan doctor", "see whether the agent runs: songshan doctor"),
        )
    # A clock before 1970 would make a name that is none, and a command that nobody ever carries out.
    moment_us = max(0, config.clock.wall_us())
    if waiting:
        moment_us = max(moment_us, int(waiting[-1].partition("-")[0]) + 1)
    return f"{moment_us:020d}-{secrets.token_hex(6)}"


def _copy(source: Path, target: Path, bytes_max: int) -> None:
    with (
        regular_file(source, follow=True) as descriptor,
        disk_errors(target),
        staged_beside(target) as (into, staged),
    ):
        copy_settled(descriptor, into, source, bytes_max)
        put_in_place(into, staged, target)


def _blobs(config: Config, name: str) -> tuple[Path, ...]:
    """A command's attachments in the order in which they were given."""
    numbered = ((entry.rpartition("."), entry) for entry in _listed(_blob(config)))
    mine = [(int(number), entry) for (owner, _dot, number), entry in numbered if owner == name and number.isdigit()]
    return tuple(_blob(config) / entry for _number, entry in sorted(mine))


def _listed(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise world_error(error, folder) from error


def _age_s(path: Path, now_s: float) -> float:
    try:
        return now_s - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
