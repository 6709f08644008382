"""A box against what Ansible left on it: looked at, kept, and what was added by hand set aside. As root.

    look(managed)                       what is there now
    keep(folder, managed, seen)         remember it, with the text of each file
    drifts(folder)                      what differs since then
    adopt(folder, names)                a person accepts these files as they are
    set_aside(folder, drifts)           added files leave their folders; the firewall is that of its file again

FOLDER is /var/lib/songshan-drift: recorded.json, files/SHA256, aside/.
"""

import grp
import hashlib
import os
import pwd
import stat
import subprocess
import time
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

import msgspec

from appliance.core.drift import FILES_MAX, Drift, Entry, Managed, Seen, Unit, adopted, changed_files, differences
from appliance.core.errors import OperatorError, Text, WorldError
from appliance.durable import disk_errors, make_folder, sync_folder, unlink_durably, write_atomically

FOLDER: Final = Path("/var/lib/songshan-drift")
RECORDED: Final = "recorded.json"
FILE_BYTES_MAX: Final = 256 * 1024
PROGRAM_TIMEOUT_S: Final = 60.0
NFT: Final = "/usr/sbin/nft"
RULES: Final = Path("/etc/nftables.conf")
ROOT_ONLY: Final = 0o600


class Recorded(msgspec.Struct, frozen=True):
    """What is kept of a run of Ansible."""

    managed: Managed
    seen: Seen


def look(managed: Managed) -> Seen:
    """What is there now. Raises WorldError where a program or the disk says no."""
    paths = [*managed.files]
    for folder in managed.folders:
        if Path(folder).is_dir():
            paths += sorted(str(path) for path in Path(folder).iterdir())[:FILES_MAX]
    entries = {path: entry for path in sorted(set(paths)) if (entry := _entry(Path(path))) is not None}
    return Seen(entries, _units(managed.units), _packages(managed.packages), _firewall())


def keep(folder: Path, managed: Managed, seen: Seen) -> bool:
    """Remember it; whether that is news. The text of each file is kept, for the sentence that says what was changed."""
    data = msgspec.json.encode(Recorded(managed, seen))
    path = folder / RECORDED
    with disk_errors(folder):
        former = path.read_bytes() if path.is_file() else b""
        if former == data:
            return False
        make_folder(folder / "files", 0o700)
        for name, entry in seen.entries.items():
            kept = folder / "files" / entry.sha256
            if entry.sha256 and not kept.exists():
                write_atomically(kept, _read(Path(name)), ROOT_ONLY)
        write_atomically(path, data, ROOT_ONLY)
        for kept in (folder / "files").iterdir():
            if kept.name not in {entry.sha256 for entry in seen.entries.values()}:
                unlink_durably(kept)
    return not former or _is_news(msgspec.json.decode(former, type=Recorded), Recorded(managed, seen))


def _is_news(former: Recorded, now: Recorded) -> bool:
    """Whether a unit was just being started, or a timer had just run, is none."""
    return (former.managed, _lasting(former.seen)) != (now.managed, _lasting(now.seen))


def _lasting(seen: Seen) -> tuple[object, ...]:
    enabled = {name: unit.enabled for name, unit in seen.units.items()}
    return seen.entries, enabled, seen.packages, seen.firewall


def recorded(folder: Path) -> Recorded:
    """What was kept; OperatorError where nothing was."""
    try:
        with disk_errors(folder):
            return msgspec.json.decode((folder / RECORDED).read_bytes(), type=Recorded)
    except (WorldError, msgspec.MsgspecError) as error:
        raise OperatorError(
            Text(f"没有可比的记录：{error}", f"there is nothing to compare with: {error}"),
            hint=Text("先运行 ansible-playbook box.yml", "run ansible-playbook box.yml first"),
        ) from error


def drifts(folder: Path) -> tuple[Drift, ...]:
    """What is not as it was when it was kept."""
    former = recorded(folder)
    now = look(former.managed)
    texts = {
        path: (_text(folder / "files" / former.seen.entries[path].sha256), _text(Path(path)))
        for path in changed_files(former.seen, now)
    }
    times = {path: _time(path) for path in now.entries if now.entries[path] != former.seen.entries.get(path)}
    return differences(former.seen, now, texts, times)


def adopt(folder: Path, names: Collection[str]) -> None:
    """From now on these files are held against what they are now. `names` are of drifts that can be adopted."""
    former = recorded(folder)
    keep(folder, former.managed, adopted(former.seen, look(former.managed), names))


def set_aside(folder: Path, found: Iterable[Drift]) -> None:
    """Undo what no playbook undoes: added files are moved into FOLDER/aside, the firewall is loaded from its file."""
    found = tuple(found)
    for each in found:
        if each.kind == "added":
            path = Path(each.what)
            with disk_errors(path):
                make_folder(folder / "aside", 0o700)
                path.rename(folder / "aside" / f"{time.time_ns()}-{path.name}")
                sync_folder(path.parent)
        elif each.kind == "firewall":
            _run([NFT, "--file", str(RULES)])
    if any(each.kind == "added" for each in found):
        # A drop-in that is gone holds until systemd looks again.
        _run(["systemctl", "daemon-reload"])


def _entry(path: Path) -> Entry | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    if stat.S_ISLNK(status.st_mode):
        return Entry(target=str(path.readlink()))
    if not stat.S_ISREG(status.st_mode):
        return Entry(mode=stat.S_IMODE(status.st_mode), owner=_owner(status))
    return Entry(hashlib.sha256(_read(path)).hexdigest(), "", stat.S_IMODE(status.st_mode), _owner(status))


def _read(path: Path) -> bytes:
    with disk_errors(path), path.open("rb") as file:
        return file.read(FILE_BYTES_MAX)


def _text(path: Path) -> str:
    return _read(path).decode(errors="replace") if path.is_file() else ""


def _owner(status: os.stat_result) -> str:
    try:
        return f"{pwd.getpwuid(status.st_uid).pw_name}:{grp.getgrgid(status.st_gid).gr_name}"
    except KeyError:
        return f"{status.st_uid}:{status.st_gid}"


def _time(path: str) -> str:
    try:
        return time.strftime("%m-%d %H:%M", time.localtime(os.lstat(path).st_mtime))
    except OSError:
        return ""


def _units(names: Iterable[str]) -> dict[str, Unit]:
    told = ("UnitFileState", "ActiveState", "Result")
    found = {}
    for name in names:
        said = _run(["systemctl", "show", "--property", ",".join(told), name])
        values = dict(line.partition("=")[::2] for line in said.splitlines())
        found[name] = Unit(*(values.get(each, "") for each in told))
    return found


def _packages(names: Iterable[str]) -> tuple[str, ...]:
    wanted = list(names)
    if not wanted:
        return ()
    shown = "--showformat=${db:Status-Status} ${Package}\\n"
    # It also says, by its exit status, that it does not know one of them.
    said = _run(["dpkg-query", "--show", shown, *wanted], (0, 1))
    return tuple(sorted({line.split()[1] for line in said.splitlines() if line.startswith("installed ")}))


def _firewall() -> str:
    return hashlib.sha256(_run([NFT, "--stateless", "list", "ruleset"]).encode()).hexdigest()


def _run(argv: list[str], good: tuple[int, ...] = (0,)) -> str:
    environ = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S, check=False, env=environ)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WorldError(Text(f"{argv[0]}：{error}", f"{argv[0]}: {error}")) from error
    if done.returncode not in good:
        said = done.stderr.strip()[-300:]
        raise WorldError(Text(f"{argv[0]}：{said}", f"{argv[0]}: {said}"))
    return done.stdout
