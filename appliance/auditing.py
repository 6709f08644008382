"""Streams in folders, as a hub keeps them and a disk carries them, checked from the first byte on; and what is found.

`EPOCH.records` and `EPOCH.checkpoint` are read as they lie, docs/formats.md section 4; nothing beside them is believed.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from appliance.core import journal
from appliance.core.audit import Audited, Auditor, Missing, Redactions
from appliance.core.errors import OperatorError, Text
from appliance.core.journal import Broken, Checkpoint, body_of_line, parse_checkpoint_text, parse_record
from appliance.core.snapshot import Gauge, parse_statement_text

LINE_BYTES_MAX: Final = journal.BODY_BYTES_MAX + 2
CHECKPOINT_BYTES_MAX: Final = 64 * 1024
TOLD_EVERY: Final = 2048
"""Records between two words on how far it is."""

FORKS: Final = "forks"
"""Branches of history that were given up: evidence, and no part of any stream."""

Told = Callable[[int], None]
"""Told how many bytes of a stream were read."""


def folders_in(root: Path) -> dict[Path, str]:
    """The folders at or below `root` that hold a stream, with its name. OperatorError when there is none."""
    found: dict[Path, str] = {}
    for path in sorted((*root.glob("*.records"), *root.glob("*/**/*.records"))):
        if path.stem.isdecimal() and path.parent.name != FORKS and path.parent not in found:
            found[path.parent] = _name_in(path)
    if not found:
        raise OperatorError(Text(f"{root} 中没有流水", f"there is no journal in {root}"))
    return found


def size_bytes_of(folder: Path) -> int:
    """What there is to read of a stream."""
    return sum(path.stat().st_size for path in folder.glob("*.records"))


def audit_folder(
    folder: Path,
    stream: str,
    keys: Sequence[Ed25519PublicKey],
    redactions: Redactions,
    told: Told = lambda _bytes: None,
) -> tuple[Audited, list[Missing]]:
    """Read one stream from its first record on; what was found, and the bodies that are not there."""
    epochs = sorted(int(path.stem) for path in folder.glob("*.records") if path.stem.isdecimal())
    try:
        newest, vouched_bytes = _newest_checkpoint(folder)
    except (Broken, OSError, ValueError) as error:
        auditor = Auditor(stream, keys, None)
        auditor.complain(Text(f"检查点读不出：{error}", f"a checkpoint that cannot be read: {error}"))
        return auditor.finish(), auditor.missing
    auditor, before = Auditor(stream, keys, newest), 0
    auditor.set_aside = sum(
        path.read_bytes().count(b"\n") // 2 for path in (folder / FORKS).glob("*.records") if path.stem.isdecimal()
    )
    first = _take_beginning(folder, auditor, redactions)
    for epoch in epochs if newest is not None else ():
        assert newest is not None
        path = folder / f"{epoch}.records"
        if epoch > newest.position.epoch or (first is not None and epoch < first[0]):
            continue
        limit = vouched_bytes if epoch == newest.position.epoch else path.stat().st_size
        try:
            offset = first[1] if first is not None and epoch == first[0] else 0
            for header, body, end in _lines(path, offset, limit):
                record = auditor.feed(header, body_of_line(body))
                if record is not None:
                    redactions.note(record)
                if auditor.records % TOLD_EVERY == 0:
                    told(before + end)
        except (OSError, ValueError) as error:
            auditor.complain(Text(f"{path} 读不到头：{error}", f"{path} cannot be read to its end: {error}"))
        before += limit
    return auditor.finish(), auditor.missing


def _newest_checkpoint(folder: Path) -> tuple[Checkpoint | None, int]:
    epochs = [int(path.stem) for path in folder.glob("*.checkpoint") if path.stem.isdecimal()]
    if not epochs:
        return None, 0
    with (folder / f"{max(epochs)}.checkpoint").open() as file:
        payload, signature, size_bytes = file.read(CHECKPOINT_BYTES_MAX).split()
    return parse_checkpoint_text(payload, signature), int(size_bytes)


def _take_beginning(folder: Path, auditor: Auditor, redactions: Redactions) -> tuple[int, int] | None:
    """The snapshot that a compacted stream begins with: the epoch and offset behind it; None for one that is whole."""
    try:
        with (folder / "begins").open() as file:
            payload, signature, offset = file.read(CHECKPOINT_BYTES_MAX).split()
        statement, gauge = parse_statement_text(payload, signature), Gauge()
        with (folder / f"{statement.digest}.snapshot").open("rb") as records:
            while header := records.readline(LINE_BYTES_MAX):
                body = body_of_line(records.readline(LINE_BYTES_MAX)[:-1])
                record = auditor.feed_part(header[:-1], body, gauge)
                if record is not None:
                    redactions.note(record)
    except FileNotFoundError as error:
        if Path(error.filename).name != "begins":
            auditor.complain(Text(f"缺快照 {error.filename}", f"the snapshot {error.filename} is missing"))
        return None
    except (Broken, OSError, ValueError) as error:
        auditor.complain(Text(f"开头的快照读不出：{error}", f"the snapshot at the beginning cannot be read: {error}"))
        return None
    auditor.leap(statement, gauge)
    return statement.position.epoch, int(offset)


def _lines(path: Path, offset: int, limit: int) -> Iterator[tuple[bytes, bytes, int]]:
    """Headers and bodies, and where they end. ValueError where the file ends in the middle of what is vouched for."""
    with path.open("rb") as file:
        file.seek(offset)
        end = offset
        while end < limit:
            header, body = file.readline(LINE_BYTES_MAX), file.readline(LINE_BYTES_MAX)
            end += len(header) + len(body)
            if end > limit or not body.endswith(b"\n"):
                raise ValueError(f"{end} / {limit} bytes")
            yield header[:-1], body[:-1], end


def _name_in(path: Path) -> str:
    """What a stream is called; its first header says so, and all of them are held to it."""
    try:
        with path.open("rb") as file:
            return parse_record(file.readline(LINE_BYTES_MAX)[:-1], None).header.stream
    except Broken as broken:
        raise OperatorError(
            Text(f"{path} 的首条记录读不出", f"the first record of {path} cannot be read"), *broken.problems
        ) from broken
