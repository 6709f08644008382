"""Bulk: the rsync program over ssh. What it is told and what its end means are pure functions here.

Assets are staged under their digest with `--inplace`, so that a transfer goes on from where it was also after a hard
kill of both ends; `--partial` would lose everything then (measured; docs/adr/0002). With `--append` it goes on at once:
without, both ends would first read ten gigabytes again to find that they agree. Both programs get every option that
matters from here: no configuration of the machine or of its user has a say.
"""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from appliance.config import Config, HubAddress
from appliance.core.asset import hex_of
from appliance.core.errors import Text
from appliance.durable import write_atomically
from edge_agent.core.outcomes import Result

HOST: Final = "hub"
"""What the hub is called in argv and known_hosts; the address is an option."""
STALL_TIMEOUT_S: Final = 60
CONNECT_TIMEOUT_S: Final = 15
LIMIT_S: Final = 7 * 86400.0
"""rsync notices a line that stands still; this bounds one that only crawls."""
SOCKET_BYTES_MAX: Final = 107
"""sun_path of unix(7), less its zero byte."""
SOCKET_SUFFIX_BYTES: Final = 17
"""What ssh appends to the path while it makes the socket."""
COMPLAINT_CHARS_MAX: Final = 200
ENVIRON: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


class Route(msgspec.Struct, frozen=True):
    """How to reach the hub: its address, our key, the file with its pinned host keys, and where a connection that
    transfers share has its socket; None where that path would be too long for one."""

    hub: HubAddress
    key: Path
    known_hosts: Path
    socket: Path | None = None


def route_to(config: Config) -> Route | None:
    """The route, with known_hosts written anew from what is pinned; None for a box without a hub."""
    if config.hub is None:
        return None
    known_hosts = config.run / "known_hosts"
    write_atomically(known_hosts, known_hosts_text(config.hub).encode())
    socket = config.run.absolute() / "hub"
    is_short = len(os.fsencode(socket)) + SOCKET_SUFFIX_BYTES <= SOCKET_BYTES_MAX
    # ssh gives no way to say that a % or a quote in this path means itself.
    is_plain = re.fullmatch(r"[A-Za-z0-9/._-]+", str(socket)) is not None
    return Route(config.hub, config.ssh_key, known_hosts, socket if is_short and is_plain else None)


def known_hosts_text(hub: HubAddress) -> str:
    """The pinned keys, under the one name by which the hub is called."""
    return "".join(f"{HOST} {key}\n" for key in hub.host_keys)


def fetch_argv(
    route: Route, digests: Sequence[str], into: Path, bytes_per_s: int = 0, compared: Path | None = None
) -> tuple[str, ...]:
    """Bring assets into a folder, each under the hex of its digest.

    What of them is there already is their beginning, and is neither read nor sent again; should it not be, their digest
    tells. With `compared`, a folder of bases, nothing of them may be there, and only what differs from the basis comes.
    Where one of several is not at the hub, rrsync sends none: fetch those alone that failed together.
    """
    first, *others = (hex_of(digest) for digest in digests)
    resumed = (f"--compare-dest={compared.absolute()}",) if compared is not None else ("--append",)
    options = _rsync(route, bytes_per_s, is_shared=len(digests) > 1)
    return (*options, *resumed, f"{HOST}:{first}", *(f":{other}" for other in others), f"{into}/")


def upload_argv(route: Route, paths: Sequence[Path], bytes_per_s: int = 0) -> tuple[str, ...]:
    """Bring assets, which are called by their hex on disk, into what the hub lets us write; each from where it is."""
    options = _rsync(route, bytes_per_s, is_shared=len(paths) > 1)
    return (*options, "--append", *(str(path.absolute()) for path in paths), f"{HOST}:")


def share_argv(route: Route) -> tuple[str, ...]:
    """Hold a connection open that transfers share. It asks the hub for nothing, and dies with the agent.

    `auto` rather than `yes`: it takes away the socket of one that was killed.
    """
    assert route.socket is not None, "nothing can be shared here"
    return (*ssh_argv(route), "-o", "ControlMaster=auto", "-o", f"ControlPath={route.socket}", "-N", HOST)


def _rsync(route: Route, bytes_per_s: int, *, is_shared: bool) -> tuple[str, ...]:
    """Many small assets use the shared connection where there is one; a large one has the line by itself."""
    shared = ("-o", f"ControlPath={route.socket}") if is_shared and route.socket is not None else ()
    return (
        "rsync",
        "--inplace",
        # What is staged may have the right size and the wrong bytes: a power cut leaves holes.
        "--ignore-times",
        # Assets are read-only; a staged one must be writable to go on with.
        "--chmod=F600",
        f"--timeout={STALL_TIMEOUT_S}",
        "--no-human-readable",
        "--outbuf=Line",
        "--info=progress2",
        *((f"--bwlimit={bytes_per_s}b",) if bytes_per_s else ()),
        f"--rsh={' '.join(_quoted(word) for word in (*ssh_argv(route), *shared))}",
    )


def ssh_argv(route: Route) -> tuple[str, ...]:
    """The ssh command up to the name of the host. It dies with rsync, which dies with the agent."""
    options = {
        "HostName": route.hub.host,
        "Port": route.hub.port,
        "User": route.hub.user,
        "HostKeyAlias": HOST,
        "UserKnownHostsFile": _file(route.known_hosts),
        "GlobalKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "IdentityFile": _file(route.key),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PreferredAuthentications": "publickey",
        "BatchMode": "yes",
        "ClearAllForwardings": "yes",
        "ConnectTimeout": CONNECT_TIMEOUT_S,
        "ServerAliveInterval": 10,
        "ServerAliveCountMax": 3,
        "LogLevel": "ERROR",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return ("setpriv", "--pdeathsig", "KILL", "--", "ssh", "-F", "none", *words)


def _file(path: Path) -> str:
    """A path in an option of ssh_config(5), where % begins a token and a space ends a name."""
    return '"' + str(path.absolute()).replace("%", "%%").replace('"', '\\"') + '"'


def _quoted(word: str) -> str:
    """A word of --rsh: rsync splits it at spaces, and takes a doubled quote for one (rsync(1))."""
    return word if word == shlex.quote(word) else "'" + word.replace("'", "''") + "'"


def _abridged(line: str) -> str:
    """A complaint begins with who it is and ends with the cause; what may be long is the path between."""
    return line if len(line) <= COMPLAINT_CHARS_MAX else f"{line[:60]}…{line[61 - COMPLAINT_CHARS_MAX :]}"


def result_of(status: int, complained: str) -> tuple[Result, Text]:
    """What an exit status (rsync(1), EXIT VALUES; ssh gives 255) and the complaints mean, and how to say so."""
    result = _result(status, complained)
    said = complained.strip().splitlines()
    word = _abridged(said[0]) if said else f"rsync: {status}"
    match result:
        case Result.DONE:
            return result, Text("已传完", "done")
        case Result.MISSING:
            return result, Text("嵩山云没有，或未对本站开放", "the hub has it not, or not for this site")
        case Result.NO_ROOM:
            return result, Text("磁盘已满", "the disk is full")
        case Result.DISK:
            return result, Text(f"磁盘写入出错：{word}", f"the disk does not take it: {word}")
        case Result.LINE:
            return result, Text(f"线路中断：{word}", f"the line broke: {word}")
        case Result.LOCKED_OUT:
            return result, Text(f"嵩山云不接纳：{word}", f"the hub does not let us in: {word}")
        case Result.STOPPED:
            return result, Text("已让路给更紧急的传输", "gave way to something more urgent")
        case Result.FAILED:
            return result, Text(f"传输失败：{word}", f"the transfer failed: {word}")


_LINE_STATUSES: Final = frozenset({10, 12, 30, 35, 255})
_STOPPED_STATUSES: Final = frozenset({20, -15, -9, -2})


def _result(status: int, complained: str) -> Result:
    if status == 0:
        return Result.DONE
    if "No space left on device" in complained or "Disk quota exceeded" in complained:
        return Result.NO_ROOM
    if re.search(r"\[(?:receiver|generator)\].*(?:Read-only file system|Input/output error)", complained):
        return Result.DISK
    if re.search(r"Permission denied \(|Host key verification failed|REMOTE HOST IDENTIFICATION", complained):
        return Result.LOCKED_OUT
    if status in _STOPPED_STATUSES:
        return Result.STOPPED
    if status in (23, 24) or "No such file or directory" in complained:
        return Result.MISSING
    return Result.LINE if status in _LINE_STATUSES else Result.FAILED


_PROGRESS: Final = re.compile(rb"^\s*(\d+)\s+(\d+)%\s", re.MULTILINE)


def percent_done(said: bytes) -> int:
    """How far rsync says it is (`--info=progress2`), 0 before it says anything."""
    found = _PROGRESS.findall(said[-4096:].replace(b"\r", b"\n"))
    return int(found[-1][1]) if found else 0
