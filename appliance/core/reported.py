"""The as-run log of a site's channel as it came up, row by row: each once, in its chain, by whoever reads it there.

A record may come twice over, as after a box came back from an older copy: rows are told apart by number and hash. Two
rows of one number are two histories of one channel. Neither is left out, and that is said.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from appliance.core.asrun import NO_HASH, AiredRow
from appliance.core.errors import Text
from appliance.core.moment import US, to_us

PROBLEMS_MAX = 100


class Reported(msgspec.Struct, frozen=True):
    """Rows as reported, and all that is wrong with them. `doubled`: how many came more than once."""

    rows: tuple[AiredRow, ...] = ()
    problems: tuple[Text, ...] = ()
    doubled: int = 0


def put_together(told: Iterable[Mapping[str, Any]]) -> Reported:
    """The chain of one channel out of the rows of its records, in the order in which they stand there. What another
    engine said has no number and is passed over."""
    rows: list[AiredRow] = []
    problems: list[Text] = []
    hashes: dict[int, set[str]] = {}
    doubled, seq, head = 0, 0, NO_HASH
    for row in told:
        if "prev" not in row:
            continue
        try:
            read = msgspec.convert({key: value for key, value in row.items() if key != "hash"}, AiredRow)
            said = str(row["hash"])
        except (msgspec.ValidationError, KeyError) as error:
            problems.append(Text(f"行格式不对：{error}", f"a malformed row: {error}"))
            continue
        if said in hashes.get(read.seq, ()):
            doubled += 1
            continue
        problems += _problems(row, read, said, seq, head, is_second=read.seq in hashes)
        hashes.setdefault(read.seq, set()).add(said)
        rows.append(read)
        seq, head = read.seq, said
    return Reported(tuple(rows), tuple(problems[:PROBLEMS_MAX]), doubled)


def touching(rows: Iterable[AiredRow], from_us: int, until_us: int) -> tuple[AiredRow, ...]:
    """Those that touch a time."""
    return tuple(row for row in rows if _end_us(row) > from_us and to_us(row.start) < until_us)


def _end_us(row: AiredRow) -> int:
    # What has no length stands where it begins.
    return to_us(row.start) + max(1, round(row.duration_s * US))


def _problems(
    row: Mapping[str, Any], read: AiredRow, said: str, seq: int, head: str, *, is_second: bool
) -> Iterator[Text]:
    document = msgspec.json.encode({key: value for key, value in row.items() if key != "hash"})
    if hashlib.sha256(document).hexdigest() != said:
        yield Text(f"第 {read.seq} 行与指纹不符", f"row {read.seq} is not what its hash says")
    if is_second:
        yield Text(f"第 {read.seq} 行有两个不同的版本", f"there are two different rows {read.seq}")
    elif (read.seq, read.prev) != (seq + 1, head):
        yield Text(f"应为第 {seq + 1} 行，来的是第 {read.seq} 行", f"row {seq + 1} is due, {read.seq} came")
