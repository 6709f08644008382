"""One stream on disk: `<epoch>.records` with two lines a record, `<epoch>.checkpoint` on how far it is vouched for.

Only what the newest checkpoint covers counts, and with it all of the epochs before its own. What lies behind it is the
work of a writer that was killed: whole records that follow on are kept, a torn tail is cut off by the next writer.
Writers hold the hub's lock; readers need none, because covered bytes never change.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

from appliance.core.journal import (
    HEADER_BYTES_MAX,
    Broken,
    Checkpoint,
    Position,
    Record,
    body_of_line,
    checkpoint_text,
    genesis,
    parse_checkpoint_text,
    parse_record,
    position_after,
)
from appliance.durable import sync_folder
from provisioning.hub import blanks, index, vouching
from provisioning.hub.beginnings import begins, damaged

PAGE_RECORDS: Final = 256
PAGE_BYTES: Final = 512 * 1024


@dataclass(frozen=True)
class Covered:
    """A checkpoint, and how many bytes of its epoch's records it vouches for."""

    checkpoint: Checkpoint
    size_bytes: int


@dataclass(frozen=True)
class Place:
    """Just behind the record `position`, `offset` bytes into its epoch's file."""

    position: Position
    offset: int


@dataclass(frozen=True)
class Tail:
    """Where a writer goes on: behind the last whole record. `is_covered` when the checkpoint reaches that far."""

    place: Place
    is_covered: bool


@dataclass(frozen=True)
class Stream:
    """`folder` holds the stream called `name`; it need not exist yet."""

    folder: Path
    name: str

    def covered(self) -> Covered | None:
        """The newest checkpoint; None before the first."""
        epochs = self._epochs("checkpoint")
        if not epochs:
            return None
        path = self.folder / f"{epochs[-1]}.checkpoint"
        try:
            payload, signature, size_bytes = path.read_text().split()
            return Covered(parse_checkpoint_text(payload, signature), int(size_bytes))
        except (ValueError, Broken) as error:
            raise damaged(path, str(error)) from error

    def position(self) -> Position:
        """Where the newest checkpoint says the stream stands."""
        covered = self.covered()
        return covered.checkpoint.position if covered else genesis(self.name)

    def start(self) -> Place:
        """Before the first record that is here: what lies before it was compacted, and a snapshot stands for it."""
        first = begins(self.folder)
        return Place(genesis(self.name), 0) if first is None else Place(first.position, first.offset)

    def records(self) -> Iterator[Record]:
        """All covered records, from the first; a damaged one raises WorldError."""
        place = self.start()
        while page := self.page(place):
            for record, place in page:  # noqa: B007  # the next page begins behind the last record of this one
                yield record

    def page(
        self, place: Place, records_max: int = PAGE_RECORDS, bytes_max: int = PAGE_BYTES
    ) -> list[tuple[Record, Place]]:
        """The covered records behind a place, each with the place behind it; at least one if there is one."""
        covered = self.covered()
        if covered is None or covered.checkpoint.position == place.position:
            return []
        found = self._page(place, covered, records_max, bytes_max)
        if not found and place.position.epoch < covered.checkpoint.position.epoch:
            position = place.position
            following = next(epoch for epoch in self._epochs("records") if epoch > position.epoch)
            found = self._page(
                Place(Position(position.stream, following, 0, position.head), 0), covered, records_max, bytes_max
            )
        return found

    @property
    def forks(self) -> Path:
        """Where branches lie that lost their place (`provisioning.hub.forks`)."""
        return self.folder / "forks"

    def find(self, position: Position) -> Place | None:
        """The place of a position, so that reading can go on there; None when this stream never stood there."""
        if position == self.start().position:
            return self.start()
        before = self.before(position.epoch, position.seq)
        page = self.page(before, records_max=1) if before is not None else []
        return page[0][1] if page and page[0][1].position == position else None

    def find_newest(self, trail: Sequence[Position]) -> Place | None:
        """The place of the first of these positions that this stream ever stood at; None: at none of them.

        At the beginning of an epoch stands whoever stands behind the last record of the one before.
        """
        for position in trail:
            begins = position.seq == 0 and position.epoch > 1
            place = self._beginning(position) if begins else self.find(position)
            if place is not None:
                return place
        return None

    def _beginning(self, position: Position) -> Place | None:
        """The place before the first record of an epoch, written or not."""
        covered = self.covered()
        if covered is None or position.epoch > covered.checkpoint.position.epoch + 1:
            return None
        if position.epoch == covered.checkpoint.position.epoch + 1:
            is_end = position.head == covered.checkpoint.position.head
            return Place(covered.checkpoint.position, covered.size_bytes) if is_end else None
        first = self._first_place(position.epoch)
        return first if first is not None and first.position == position else None

    def holds(self, place: Place) -> bool:
        """Whether the stream leads on from a place that somebody remembered: to its head, or to a record."""
        covered = self.covered()
        if covered is None:
            return place == self.start()
        if covered.checkpoint.position == place.position:
            return covered.size_bytes == place.offset
        if place.position.place > covered.checkpoint.position.place:
            return False
        limit = self._limit(place.position.epoch, covered)
        if place.offset == limit and place.position.epoch < covered.checkpoint.position.epoch:
            return bool(self.page(place, records_max=1))
        return next(self._read(place, limit, 1, sys.maxsize), None) is not None

    def before(self, epoch: int, seq: int) -> Place | None:
        """The place just before a covered record; None when there is no such record. Reads on from the nearest mark."""
        covered = self.covered()
        if covered is None or seq < 1 or (epoch, seq) <= self.start().position.place:
            return None
        if (epoch, seq) > covered.checkpoint.position.place:
            return None
        mark, start = index.nearest(self.folder, epoch, seq), self.start().position
        if mark is not None and (epoch, mark.seq) > start.place:
            place = self._walk(Place(Position(self.name, epoch, mark.seq, mark.head), mark.offset), seq, covered)
            if place is not None:
                return place
            index.forget(self.folder, epoch)
        first = self._first_place(epoch)
        return self._walk(first, seq, covered) if first is not None else None

    def remember(self, places: Iterable[Place]) -> None:
        """Mark places that were passed, so that they are found quickly."""
        for epoch, group in groupby(places, key=lambda place: place.position.epoch):
            marks = [index.Mark(place.position.seq, place.offset, place.position.head) for place in group]
            index.add(self.folder, epoch, marks)

    def _walk(self, place: Place, seq: int, covered: Covered) -> Place | None:
        """Read on until just before record `seq`, which must follow; None when it does not. Marks what it passes."""
        passed, found = list[Place](), None
        epoch = place.position.epoch
        for _record, after in self._read(place, self._limit(epoch, covered), sys.maxsize, sys.maxsize):
            if after.position.seq == seq:
                found = place
                break
            place = after
            if place.position.seq % index.INDEX_EVERY == 0:
                passed.append(place)
        self.remember(passed)
        return found

    def _first_place(self, epoch: int) -> Place | None:
        """The beginning of an epoch's file; what comes before it is what its first record says."""
        if epoch == self.start().position.epoch:
            return self.start()
        try:
            with self._records_file(epoch).open("rb") as file:
                header = parse_record(file.readline(HEADER_BYTES_MAX + 1)[:-1], None).header
        except (FileNotFoundError, Broken):
            return None
        return Place(Position(self.name, epoch, 0, header.prev), 0)

    def _limit(self, epoch: int, covered: Covered) -> int:
        """How many bytes of an epoch's file count."""
        if epoch == covered.checkpoint.position.epoch:
            return covered.size_bytes
        path = self._records_file(epoch)
        # Nothing was written in the first epoch where the second was begun at once.
        return path.stat().st_size if path.exists() else 0

    def ends(self) -> dict[int, int]:
        """The last sequence of each epoch of a stream of ours, which is signed after each record."""
        found = {}
        for epoch in self._epochs("checkpoint"):
            payload, signature, _size = (self.folder / f"{epoch}.checkpoint").read_text().split()
            found[epoch] = parse_checkpoint_text(payload, signature).position.seq
        return found

    def following(self, place: Place) -> Iterator[tuple[Record, Place]]:
        """The covered records behind a place, each with the place behind it."""
        while page := self.page(place):
            yield from page
            place = page[-1][1]

    def cut(self, place: Place) -> None:
        """End the stream at an earlier place. What lay behind it is evidence by now; the caller signs the place."""
        for epoch in reversed(self._epochs("checkpoint")):
            if epoch > place.position.epoch:
                (self.folder / f"{epoch}.checkpoint").unlink()
                sync_folder(self.folder)
                self._records_file(epoch).unlink(missing_ok=True)
                vouching.forget(self.folder, epoch)

    def tail(self) -> Tail:
        """Where the next record goes. WorldError when covered bytes are missing: that is damage, not a torn tail."""
        covered = self.covered()
        place = Place(covered.checkpoint.position, covered.size_bytes) if covered else self.start()
        path = self._records_file(place.position.epoch)
        on_disk = path.stat().st_size if path.exists() else 0
        if on_disk < place.offset:
            raise damaged(path, f"{on_disk} / {place.offset} bytes")
        end = place
        for _record, end in self._read(place, on_disk, on_disk, on_disk):  # noqa: B007  # the last place is wanted
            pass
        return Tail(end, end == place)

    def append(self, place: Place, records: Sequence[Record]) -> Place:
        """Write records of one epoch at a place, cutting off what lies behind it; fsynced, but not covered yet."""
        if not place.offset:
            _begin(self.folder)
        data = b"".join(record.header_bytes + b"\n" + (record.body or b"") + b"\n" for record in records)
        path = self._records_file(records[0].header.epoch)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.truncate(place.offset)
            file.seek(place.offset)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not place.offset:
            # Its name must be there before that of the checkpoint, or a power cut leaves one that vouches for nothing.
            _sync(self.folder)
        return Place(position_after(records[-1]), place.offset + len(data))

    def end(self, place: Place) -> None:
        """Let an epoch end here, before the next one begins: its file counts whole from then on, without the tail that
        a writer left who was killed or had no room."""
        path = self._records_file(place.position.epoch)
        if path.exists() and path.stat().st_size > place.offset:
            with path.open("r+b") as file:
                file.truncate(place.offset)
                os.fsync(file.fileno())

    def sync(self, place: Place) -> None:
        """Make the records up to a place durable that another writer has left."""
        path = self._records_file(place.position.epoch)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        _begin(self.folder)

    def cover(self, checkpoint: Checkpoint, size_bytes: int) -> None:
        """Put a checkpoint into force, in one step."""
        from appliance.durable import write_atomically

        if not size_bytes:
            _begin(self.folder)
        payload, signature = checkpoint_text(checkpoint)
        path = self.folder / f"{checkpoint.position.epoch}.checkpoint"
        write_atomically(path, f"{payload}\n{signature}\n{size_bytes}\n".encode())

    def make_durable(self) -> None:
        """What a reader sees may be the last that a killed writer did: after this no power cut takes it."""
        with suppress(FileNotFoundError):
            sync_folder(self.folder)

    def accept(self, records: Sequence[Record], checkpoint: Checkpoint) -> None:
        """Keep what the judge accepted of another's stream, and the checkpoint that vouches for it."""
        covered = self.covered()
        place = Place(covered.checkpoint.position, covered.size_bytes) if covered else self.start()
        if covered is not None:
            vouching.mark(self.folder, covered.checkpoint, covered.size_bytes, records)
        for epoch, group in groupby(records, key=lambda record: record.header.epoch):
            start = place
            if place.position.epoch != epoch:
                self.end(place)
                start = Place(place.position, 0)
            place = self.append(start, tuple(group))
        self.cover(checkpoint, place.offset)

    def _page(self, place: Place, covered: Covered, records_max: int, bytes_max: int) -> list[tuple[Record, Place]]:
        path, limit = self._records_file(place.position.epoch), self._limit(place.position.epoch, covered)
        found = list(self._read(place, limit, records_max, bytes_max))
        if not found and place.offset < limit and blanks.finish(self.folder):
            found = list(self._read(place, limit, records_max, bytes_max))
        if not found and place.offset < limit:
            raise damaged(path, f"offset {place.offset}")
        return found

    def _read(self, place: Place, limit: int, records_max: int, bytes_max: int) -> Iterator[tuple[Record, Place]]:
        """Whole records that follow on, until the limit, the first flaw, or as much as was asked for."""
        path = self._records_file(place.position.epoch)
        if not path.exists():
            return
        first = place.offset
        with path.open("rb") as file:
            file.seek(first)
            while records_max > 0 and place.offset < limit:
                header, body = file.readline(), file.readline()
                end = place.offset + len(header) + len(body)
                if end > limit or not body.endswith(b"\n") or (end - first > bytes_max and place.offset > first):
                    return
                try:
                    record = parse_record(header[:-1], body_of_line(body[:-1]))
                except Broken:
                    return
                if record.header.prev != place.position.head or record.header.seq != place.position.seq + 1:
                    return
                place = Place(position_after(record), end)
                records_max -= 1
                yield record, place

    def _records_file(self, epoch: int) -> Path:
        return self.folder / f"{epoch}.records"

    def _epochs(self, kind: str) -> tuple[int, ...]:
        try:
            names = [path.name for path in self.folder.iterdir()]
        except FileNotFoundError:
            return ()
        numbers = (name.removesuffix(f".{kind}") for name in names if name.endswith(f".{kind}"))
        return tuple(sorted(int(number) for number in numbers if number.isdecimal()))


def _begin(folder: Path) -> None:
    """See to it that a stream's first record does not go with its folder in a power cut.

    The folder may be there and not be durable: whoever made it was killed before it was.
    """
    from appliance.durable import make_folder

    make_folder(folder)
    _sync(folder.parent)
    _sync(folder.parent.parent)


def _sync(folder: Path) -> None:
    from appliance.durable import sync_folder

    sync_folder(folder)
