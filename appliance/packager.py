"""`python -m appliance.packager SOURCE OUT [LUFS [SOCKET]]`: packages a clip, and tells how it gets on, in JSON lines.

It gives up what it does not need before it opens the file: the network. Where a transcoder listens on SOCKET (its unit
has a sandbox of its own, systemd/songshan-transcode@.service), that one does the work: it gets the two files open, and
no path to anything; what it says is handed on. The last line tells the outcome:

    {"rendition": …, "check": …, "segments": …}      done
    {"refused": …, "check": …}                       it must never air as it is, and why
    {"failed": …}                                    not now
"""

import array
import ctypes
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from appliance import ffmpeg, packaging
from appliance.core.clip import made_by
from appliance.core.errors import Refused, SongshanError, Text
from appliance.core.findings import Check, NotAirable
from appliance.core.loudness import LOUDNESS_LUFS
from appliance.durable import STAGED_SUFFIX, disk_errors, put_in_place
from appliance.packaging import Progress

TELL_EVERY_S: Final = 1.0
REQUEST_BYTES_MAX: Final = 4096
LINE_BYTES_MAX: Final = 64 * 1024 * 1024
"""The last line holds the table of segments: 8 bytes for two seconds, and findings."""
SILENT_TRANSCODER_S: Final = 600.0
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000


class Request(msgspec.Struct, frozen=True):
    """What a transcoder is asked; the source and the file to write come with it, open."""

    target_lufs: float


def main(arguments: list[str]) -> int:
    """0 done, 1 not done, 2 wrong use."""
    if not 2 <= len(arguments) <= 4:
        sys.stderr.write("usage: python -m appliance.packager SOURCE OUT [LUFS [SOCKET]]\n")
        return 2
    source, out = Path(arguments[0]), Path(arguments[1])
    target_lufs = float(arguments[2]) if len(arguments) > 2 else LOUDNESS_LUFS
    if len(arguments) > 3 and (asked := _connected(Path(arguments[3]))) is not None:
        with asked:
            return _by_transcoder(asked, source, out, target_lufs)
    leave_network()
    return _here(lambda tell: packaging.package(source, out, tell, target_lufs), target_lufs, is_asked=False)


def serve(asked: socket.socket) -> int:
    """Answer the one request of a connection: what the unit does. Ends at once when nobody waits any more."""
    with asked:
        request, (source, target) = _request_from(asked)
        os.set_inheritable(source, True)
        os.dup2(asked.fileno(), sys.stdout.fileno())
        with os.fdopen(target, "wb") as file:

            def made(tell: packaging.Telling) -> packaging.Packaged:
                path = Path(f"/proc/self/fd/{source}")
                packaged = packaging.make(path, file, tell, request.target_lufs)
                file.flush()
                return packaged

            return _here(made, request.target_lufs, is_asked=True)


def leave_network() -> bool:
    """Go where there is no network, if the kernel lets us; whether it did. As nobody else than before."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) == 0:
        return True
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return False
    with suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return True


def _here(make: Callable[[packaging.Telling], packaging.Packaged], target_lufs: float, *, is_asked: bool) -> int:
    told_s = 0.0

    def tell(now: Progress) -> None:
        nonlocal told_s
        if time.monotonic() >= told_s + TELL_EVERY_S or now.done >= 1:
            told_s = time.monotonic()
            _say({"progress": now}, is_asked=is_asked)

    try:
        packaged = make(tell)
    except BrokenPipeError:
        return 1
    except NotAirable as error:
        check = Check(made_by(target_lufs), error.findings)
        _say({"refused": error.problems[0], "hint": error.hint, "check": check}, is_asked=is_asked)
        return 1
    except Refused as error:
        _say({"refused": error.problems[0], "hint": error.hint}, is_asked=is_asked)
        return 1
    except SongshanError as error:
        _say({"failed": error.problems[0], "hint": error.hint}, is_asked=is_asked)
        return 1
    _say(packaged, is_asked=is_asked)
    return 0


def _say(fact: object, *, is_asked: bool) -> None:
    """Whoever asked may be gone: a file of our own is made all the same, one of theirs is for nobody."""
    line = msgspec.json.encode(fact) + b"\n"
    try:
        _write_all(line)
    except BrokenPipeError:
        if is_asked:
            raise


def _write_all(data: bytes) -> None:
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]


def _connected(path: Path) -> socket.socket | None:
    """A connection to the transcoder; None where none listens."""
    asked = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        asked.connect(str(path))
    except OSError:
        asked.close()
        return None
    asked.settimeout(SILENT_TRANSCODER_S)
    return asked


def _by_transcoder(asked: socket.socket, source: Path, out: Path, target_lufs: float) -> int:
    """Let it do the work; the file gets its name here, once it is whole and on the disk."""
    part = out.with_name(f"{out.name}{STAGED_SUFFIX}")
    try:
        with disk_errors(out), source.open("rb") as reading, part.open("wb") as writing:
            _send(asked, Request(target_lufs), (reading.fileno(), writing.fileno()))
            answer = _answer(asked)
            if "rendition" in answer and not answer["is_source"]:
                put_in_place(writing.fileno(), part, out)
        if answer.get("is_source"):
            packaging.take_as_it_is(source, part, out)
    except SongshanError as error:
        answer = {"failed": error.problems[0], "hint": error.hint}
    finally:
        part.unlink(missing_ok=True)
    _say(answer, is_asked=False)
    return 0 if "rendition" in answer else 1


def _send(asked: socket.socket, request: Request, descriptors: tuple[int, int]) -> None:
    rights = array.array("i", descriptors)
    line = msgspec.json.encode(request) + b"\n"
    asked.sendmsg([line], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])


def _request_from(asked: socket.socket) -> tuple[Request, tuple[int, int]]:
    """The request, and source and target, open."""
    line, descriptors, _flags, _address = socket.recv_fds(asked, REQUEST_BYTES_MAX, 2)
    assert len(descriptors) == 2, "a request comes with the file to read and the one to write"
    return msgspec.json.decode(line, type=Request), (descriptors[0], descriptors[1])


def _answer(asked: socket.socket) -> dict[str, Any]:
    """The last line that the transcoder says; how it gets on is handed on. A failure where it breaks off."""
    try:
        for line in _lines(asked):
            said = msgspec.json.decode(line)
            if "progress" not in said:
                return dict(said)
            _say(said, is_asked=False)
    except (OSError, msgspec.DecodeError) as error:
        return {"failed": Text(f"转码服务出错：{error}", f"the transcoder failed: {error}")}
    return {"failed": Text("转码服务中断", "the transcoder broke off")}


def _lines(asked: socket.socket) -> Iterator[bytes]:
    rest = b""
    while data := asked.recv(ffmpeg.READ_BYTES):
        *lines, rest = (rest + data).split(b"\n")
        yield from lines
        if len(rest) > LINE_BYTES_MAX:
            raise ConnectionAbortedError("it says too much")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
