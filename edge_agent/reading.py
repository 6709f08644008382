"""Reading a file through takes as long as it is large, so a process does it: `python -m edge_agent.reading`.

    adopt DIGEST            hash a staged file and make it the asset of that digest
    adopt-all DIGEST...     the same with many small ones
    adopt-rendition DIGEST  the same, and make the table of its segments
    verify DIGEST RATE      read an asset again, at most so many bytes a second; 0: as fast as it goes
    basis DIGEST BASE       lay the basis of a transfer that was cut
    drop PATH               take in a copy of somebody else's file, if it is what its name says
    blob PATH NAME          take in a file of the spool, called NAME by whoever sent it

The answer is one line of JSON. Each can be killed at any time and done again.
"""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from appliance import files, together
from appliance.config import Config, load
from appliance.core.asset import AssetRole, parse_digest
from appliance.core.errors import Corrupt, DiskFull, Refused, SongshanError, Text, Unreadable
from appliance.core.kind import HEAD_BYTES, kind_of
from appliance.durable import regular_file
from appliance.packaging import examine, probe
from edge_agent import basis

INLINE_BYTES_MAX: Final = 1024 * 1024
"""A file up to this size is read by the agent itself: a few milliseconds, less than it takes to start a process."""
PATIENTLY: Final = ("nice", "-n", "19", "ionice", "-t", "-c", "3")
"""Before the command of a reading that is not for now: the disk and the processor are whoever else's wants them."""


class Reading(msgspec.Struct, frozen=True):
    """What came of it. `reason` is there unless `done`; `segments` for renditions, the rest as far as it is known."""

    verdict: Literal["done", "refused", "corrupt", "unreadable", "full", "failed"]
    digest: str = ""
    size_bytes: int = 0
    media_type: str = "application/octet-stream"
    role: AssetRole = "file"
    duration_s: float | None = None
    frames: int | None = None
    segments: bytes | None = None
    reason: Text | None = None
    each: "tuple[Reading, ...]" = ()
    """Of many that were read, what came of each, in their order."""


def argv(*words: str | bytes) -> tuple[str | bytes, ...]:
    """The command that does it in a process."""
    return (sys.executable, "-m", "edge_agent.reading", *words)


def read(config: Config, words: list[str]) -> Reading:
    """Do it here and now. What goes wrong is an answer too."""
    try:
        return _WORK[words[0]](config, *words[1:])
    except SongshanError as error:
        return _failure(error)


def _failure(error: SongshanError) -> Reading:
    match error:
        case Unreadable():
            return Reading("unreadable", reason=error.problems[0])
        case Corrupt():
            return Reading("corrupt", reason=error.problems[0])
        case DiskFull():
            return Reading("full", reason=error.problems[0])
        case Refused():
            return Reading("refused", reason=error.problems[0])
    return Reading("failed", reason=error.problems[0])


def answer(status: int, said: bytes, complained: str) -> Reading:
    """What a process said; a failure when it died before it could."""
    try:
        return msgspec.json.decode(said.strip().rpartition(b"\n")[2], type=Reading)
    except msgspec.DecodeError:
        last = complained.strip().rpartition("\n")[2][:200]
        return Reading("failed", reason=Text(f"读取中断（{status}）：{last}", f"reading broke off ({status}): {last}"))


def _adopt(config: Config, digest: str) -> Reading:
    path = files.adopt(config, files.stage_path(config, digest), digest)
    return Reading("done", digest, path.stat().st_size)


def _adopt_all(config: Config, *digests: str) -> Reading:
    found = together.adopt_all(config, digests)
    return Reading("done", each=tuple(_adopted(digest, found[parse_digest(digest)]) for digest in digests))


def _adopted(digest: str, size_bytes: int | SongshanError) -> Reading:
    if isinstance(size_bytes, int):
        return Reading("done", digest, size_bytes)
    return _failure(size_bytes)


def _adopt_rendition(config: Config, digest: str) -> Reading:
    adopted = _adopt(config, digest)
    packaged = examine(files.path_of(config, digest))
    return msgspec.structs.replace(adopted, frames=packaged.rendition.frames, segments=packaged.segments)


def _verify(config: Config, digest: str, bytes_per_s: str = "0") -> Reading:
    return Reading("done", digest, files.verify(config, digest, int(bytes_per_s)))


def _basis(config: Config, digest: str, base: str) -> Reading:
    basis.lay(config, digest, base)
    return Reading("done", digest)


def _drop(config: Config, path: str) -> Reading:
    source = Path(path)
    return _take(config, source, files.name_for_people(source), lambda: files.adopt_copy(config, source))


def _blob(config: Config, path: str, name: str) -> Reading:
    source = Path(path)
    return _take(config, source, name, lambda: files.adopt_link(config, source))


def _take(config: Config, source: Path, name: str, adopt: Callable[[], tuple[str, int]]) -> Reading:
    """A file of a person: what it is, and if it says to be a clip whether it is one.

    It is looked into when it is ours and cannot change any more. With `refused` and a digest the copy is still there.
    """
    with regular_file(source) as descriptor:
        media_type, role = kind_of(name, os.pread(descriptor, HEAD_BYTES, 0))
    digest, size_bytes = adopt()
    taken = Reading("done", digest, size_bytes, media_type, role)
    if role not in ("video", "audio"):
        return taken
    path = files.path_of(config, digest)
    try:
        clip = probe(path)
        if _is_cut_off(path, size_bytes):
            raise Refused(Text("文件不完整，后面缺了一截", "the file is cut off"))
    except Refused as error:
        return msgspec.structs.replace(taken, verdict="refused", reason=error.problems[0])
    return msgspec.structs.replace(taken, role="video" if clip.video else "audio", duration_s=clip.duration_s)


def _is_cut_off(path: Path, size_bytes: int) -> bool:
    """Whether a box of an MP4 file (ISO/IEC 14496-12, 4.2) reaches past its end: a copy that broke off."""
    offset = 0
    with path.open("rb") as file:
        for _box in range(10_000):
            file.seek(offset)
            head = file.read(16)
            if len(head) < 8 or not head[4:8].isalnum() or (offset == 0 and head[4:8] != b"ftyp"):
                return False
            length = int.from_bytes(head[:4], "big")
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if length < 8:
                return False
            offset += length
            if offset > size_bytes:
                return True
    return False


_WORK: Final[Mapping[str, Callable[..., Reading]]] = {
    "adopt": _adopt,
    "adopt-all": _adopt_all,
    "adopt-rendition": _adopt_rendition,
    "verify": _verify,
    "basis": _basis,
    "drop": _drop,
    "blob": _blob,
}


def main() -> None:
    """The process; SONGSHAN_HOME says of which box."""
    read_now = read(load(None, os.environ), sys.argv[1:])
    sys.stdout.buffer.write(msgspec.json.encode(read_now) + b"\n")


if __name__ == "__main__":
    main()
