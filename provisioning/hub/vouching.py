"""Signatures to give back under: `EPOCH.vouched` beside the records of a stream that somebody else writes.

A stream's newest checkpoint replaces the one before. Here one is kept for each stretch that fits into a batch, so that
all that was accepted can be given back to its writer, batch by batch, each under his own signature.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from appliance.core.journal import Broken, Checkpoint, Position, Record, checkpoint_text, parse_checkpoint_text
from appliance.core.wire import BATCH_BYTES, RECORDS_PER_BATCH

WORDS: Final = 4
"""Of a line: sequence, bytes of the records file up to there, payload, signature."""


def mark(folder: Path, newest: Checkpoint, size_bytes: int, records: Sequence[Record]) -> None:
    """Keep `newest`, which vouches for `size_bytes`, if what comes now would not fit into one batch with what follows
    the last one kept."""
    position = newest.position
    path = _file(folder, position.epoch)
    seq, offset = _last(path)
    new_bytes = sum(len(each.header_bytes) + len(each.body or b"") for each in records)
    fits = position.seq - seq + len(records) <= RECORDS_PER_BATCH and size_bytes - offset + new_bytes <= BATCH_BYTES
    if fits or seq >= position.seq:
        return
    payload, signature = checkpoint_text(newest)
    with path.open("a") as file:
        # On a line of its own, also behind one that a power cut tore off.
        file.write(f"\n{position.seq} {size_bytes} {payload} {signature}\n")
        file.flush()
        os.fsync(file.fileno())


def marks(folder: Path) -> dict[Position, Checkpoint]:
    """Every checkpoint there is of a stream, by where it stands."""
    texts = [line.split()[2:] for path in folder.glob("*.vouched") for line in _lines(path)]
    texts += [path.read_text().split()[:2] for path in folder.glob("*.checkpoint")]
    found = {}
    for payload, signature in texts:
        # A line that is torn and looks whole has no signature to give back under.
        with suppress(Broken):
            signed = parse_checkpoint_text(payload, signature)
            found[signed.position] = signed
    return found


def forget(folder: Path, epoch: int) -> None:
    """An epoch is given up."""
    _file(folder, epoch).unlink(missing_ok=True)


def _last(path: Path) -> tuple[int, int]:
    lines = _lines(path)
    if not lines:
        return 0, 0
    seq, offset = lines[-1].split()[:2]
    return int(seq), int(offset)


def _lines(path: Path) -> list[str]:
    """Whole lines; one that was torn off is passed over, the batch is shorter for it."""
    if not path.exists():
        return []
    return [line for line in path.read_text().splitlines() if len(line.split()) == WORDS]


def _file(folder: Path, epoch: int) -> Path:
    return folder / f"{epoch}.vouched"
