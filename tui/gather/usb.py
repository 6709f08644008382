"""What the page of the sticks reads: which are mounted, what each says of itself, how far an import or export is.

A stick is looked at by a process of its own (`appliance.manifest`), which is given up when it does not answer: a bad
one can hold whoever reads it for minutes. What it said is kept for a while; nothing here writes to a stick.

    show_folder, export     deeds: name a folder that is no mount; let `songshan usb export` run by itself, in a process
                            that lives on when the screen is closed and has the rights of whoever sits before it
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec

from appliance import outbound, spool
from appliance.config import home_of
from appliance.core.command import Did
from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.manifest import Exported, Manifest
from appliance.core.moment import US
from appliance.mounts import MOUNTINFO, Mount, mount_of, mounts
from tui.gather.where import Where
from tui.view.acts import Case
from tui.view.sheet import Asked
from tui.view.usb import Found, Plugged

BLOCKS: Final = Path("/sys/dev/block")
SHOWN_MAX: Final = 8
LOOK_LIMIT_S: Final = 8.0
KEPT_US: Final = 30 * US
PLACES: Final = ("/media/", "/mnt/", "/run/media/")
KINDS: Final = frozenset(
    {"vfat", "exfat", "ntfs", "ntfs3", "fuseblk", "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "udf", "iso9660"}
)
FOLDERS: Final = "usb folders"
SEEN: Final = "usb seen"
LEFT: Final = "usb processes"


@dataclass(frozen=True)
class _Seen:
    """What a stick said, when, and what had become of an export to it by then."""

    at_us: int
    mark: str
    manifest: Manifest


def gather(where: Where, _asked: Asked) -> Found:
    """Sticks first, then the folders that somebody named. Without a configuration there is nothing to compare with."""
    config, found = where.box, list[Plugged]()
    _bury(where)
    with where.kept():
        table = mounts(MOUNTINFO)
        ours = {mount_of(path, table) for path in (Path("/"), config.home, config.media, config.run)}
        found += [_plugged(each) for each in table if _is_stick(each) and each not in ours]
    known = {each.path for each in found}
    found += [Plugged(path, "", is_read_only=False) for path in _folders(where) if path not in known]
    exported = outbound.exported(config)
    return Found(_looked_at(where, found[:SHOWN_MAX], exported), exported)


def _is_stick(mount: Mount) -> bool:
    """On a device, and by USB or where sticks are mounted."""
    if mount.kind not in KINDS or not mount.source.startswith("/dev/"):
        return False
    if mount.point.startswith(PLACES):
        return True
    with suppress(OSError):
        return "/usb" in os.path.realpath(BLOCKS / mount.device)
    return False


def _plugged(mount: Mount) -> Plugged:
    return Plugged(mount.point, mount.source.removeprefix("/dev/"), mount.is_read_only)


def _folders(where: Where) -> tuple[str, ...]:
    return tuple(where.notes.get(FOLDERS, ()))


def _looked_at(where: Where, plugged: Sequence[Plugged], exported: Exported | None) -> tuple[Plugged, ...]:
    """What each says, or for a while what it said, unless an export to it has begun or ended since.

    All that have to be asked are asked together, and together have so long to answer.
    """
    seen: dict[tuple[str, str], _Seen] = where.notes.setdefault(SEEN, {})
    asked: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
    for each in plugged:
        known = seen.get(each.key)
        if known is None or known.mark != _mark(each, exported) or not 0 <= where.now_us - known.at_us < KEPT_US:
            asked[each.key] = _ask(where, each.path)
    until_s = time.monotonic() + LOOK_LIMIT_S
    for each in plugged:
        if each.key in asked:
            said = _heard(where, asked[each.key], until_s)
            seen[each.key] = _Seen(where.now_us, _mark(each, exported), said)
    return tuple(replace(each, manifest=seen[each.key].manifest) for each in plugged)


def _mark(plugged: Plugged, exported: Exported | None) -> str:
    return exported.state if exported is not None and exported.path == plugged.path else ""


def _ask(where: Where, path: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "appliance.manifest", path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environ(where),
    )


def _heard(where: Where, process: "subprocess.Popen[bytes]", until_s: float) -> Manifest:
    """What it said. One that does not answer is killed and not waited for: it may hang in the kernel."""
    try:
        said, _ = process.communicate(timeout=max(0.1, until_s - time.monotonic()))
        return msgspec.json.decode(said, type=Manifest)
    except subprocess.TimeoutExpired:
        process.kill()
        where.notes.setdefault(LEFT, []).append(process)
        return Manifest(whose="unreadable", problem=_SILENT, hint=_REPLUG)
    except msgspec.DecodeError:
        return Manifest(whose="unreadable", problem=_BROKEN, hint=_REPLUG)


def _environ(where: Where) -> dict[str, str]:
    home = home_of(where.home, where.environ)
    return {**where.environ, **({"SONGSHAN_HOME": str(home)} if home is not None else {})}


def _bury(where: Where) -> None:
    """Processes that were left to themselves and have ended."""
    left = where.notes.setdefault(LEFT, [])
    for each in tuple(left):
        if each.poll() is not None:
            left.remove(each)


def show_folder(where: Where, case: Case) -> Text:
    """A folder stands in the list from now on, as long as the program runs; whose it is stands there too."""
    path = Path(case.value("path").strip())
    if not path.is_absolute() or not path.is_dir():
        raise OperatorError(Text(f"没有文件夹 {path}", f"there is no folder {path}"), hint=_MOUNT)
    where.notes[FOLDERS] = tuple(dict.fromkeys((*_folders(where), str(path))))[-SHOWN_MAX:]
    return Text(f"已列出 {path}", f"{path} is in the list")


def export(where: Where, case: Case) -> Text:
    """Let the command do it, in a process of its own. Refused where this account may not sign or write; then nothing
    was begun. Who had it done is on record."""
    config, path = where.box, case.row
    if not os.access(config.sign_key, os.R_OK):
        raise Refused(
            Text("本账号不能读站点签名密钥，无法导出", "this account may not read the site's key, and so not export"),
            hint=Text("用 sudo songshan tui 打开，或 sudo songshan usb export", "open it as sudo songshan tui"),
        )
    if not os.access(path, os.W_OK):
        raise Refused(Text(f"不能写 {path}", f"{path} cannot be written"), hint=_MOUNT)
    spool.put(config, Did(what=f"usb export {path}"[:200], **case.asked_by))
    found = case.found if isinstance(case.found, Found) else Found()
    words = ["usb", "export", path, *(["--label"] if found.is_empty(path) else [])]
    process = subprocess.Popen(
        [sys.executable, "-c", "from appliance.command import main; main()", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_environ(where),
        start_new_session=True,
    )
    where.notes.setdefault(LEFT, []).append(process)
    where.notes.pop(SEEN, None)
    return Text("已开始；关闭本画面也会继续", "begun; it goes on when this screen is closed")


_SILENT: Final = Text("盘没有响应", "the stick does not answer")
_BROKEN: Final = Text("读不出盘", "the stick cannot be read")
_REPLUG: Final = Text("拔出再插，或换一个盘；见 dmesg", "pull it out and put it in again, or take another; see dmesg")
_MOUNT: Final = Text("先挂载移动盘：lsblk，mount", "mount the stick first: lsblk, mount")
