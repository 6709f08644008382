"""Where a stream begins that was compacted, and the records of the snapshot that stands for what was before."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.core.errors import Text, WorldError
from appliance.core.journal import Broken, Position, Record, body_of_line, parse_record
from appliance.core.snapshot import parse_statement_text


@dataclass(frozen=True)
class Beginning:
    """Where a compacted stream begins, and the digest of the snapshot that stands for what was before."""

    position: Position
    offset: int
    digest: str


def begins(folder: Path) -> Beginning | None:
    """Where a stream begins that was compacted; None for one that was not."""
    path = folder / "begins"
    try:
        payload, signature, offset = path.read_text().split()
        statement = parse_statement_text(payload, signature)
    except FileNotFoundError:
        return None
    except (ValueError, Broken) as error:
        raise damaged(path, str(error)) from error
    return Beginning(statement.position, int(offset), statement.digest)


def snapshot_records(folder: Path, digest: str) -> Iterator[Record]:
    """The records of a snapshot, in order; a damaged one raises WorldError."""
    return (record for _offset, record in records_in(folder / f"{digest}.snapshot"))


def records_in(path: Path) -> Iterator[tuple[int, Record]]:
    """All records of a file, with where they begin, whether or not they follow on each other; WorldError for damage."""
    offset = 0
    with path.open("rb") as file:
        while header := file.readline():
            body = file.readline()
            try:
                yield offset, parse_record(header[:-1], body_of_line(body[:-1]))
            except Broken as broken:
                raise damaged(path, str(broken)) from broken
            offset += len(header) + len(body)


def damaged(path: Path, detail: str) -> WorldError:
    """Covered bytes are not what they were."""
    return WorldError(
        Text(f"流水损坏：{path}：{detail}", f"a damaged journal: {path}: {detail}"),
        hint=Text("运行 songshan-hub verify，从备份恢复", "run songshan-hub verify and restore from a backup"),
        retryable=False,
    )
