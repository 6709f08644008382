"""The hub's own streams: appended to under one lock, signed, and read by everybody."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from appliance.core import journal, moment, records
from appliance.core.journal import Checkpoint, Position, Record
from provisioning.hub.folder import HubFolder
from provisioning.hub.stream import Place, Stream

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HUB_STREAMS: Final = ("control", "content")
CHECKPOINT_EVERY_US: Final = 60 * moment.US
"""An idle stream is signed anew this often while somebody listens."""
CHECKPOINT_GOOD_US: Final = 10 * moment.US * 60
"""The next word is due after this; a box then holds back what destroys."""


@dataclass(frozen=True)
class HubJournals:
    folder: HubFolder

    @property
    def key(self) -> "Ed25519PrivateKey":
        """The key that signs now: a session may be older than it."""
        path = self.folder.sign_key
        if not path.exists():
            return _key_in(path, 0, 0)
        found = path.stat()
        return _key_in(path, found.st_ino, found.st_mtime_ns)

    def signs(self) -> str:
        """Its public half."""
        return journal.public_key_text(self.key.public_key())

    def stream(self, name: str) -> Stream:
        return Stream(self.folder.stream(name), name)

    def append(self, stream: str, kind: str, key: str, body: records.Body) -> Record:
        """Write one record and put it into force: fsynced, chained and signed when this returns."""
        with self.writing() as pen:
            return pen.append(stream, kind, key, body)

    @contextmanager
    def writing(self, *decided_on: str) -> Iterator["Pen"]:
        """Hold the hub's lock over several records, so that what one decides on stays true until it is written.

        `decided_on` are the streams that are looked at before anything is written: what a writer that was killed left
        in them without a checkpoint is put into force first, or it would be decided once more.
        """
        with self.folder.locked():
            for stream in decided_on:
                self._put_into_force(stream, self.folder.now_us())
            yield Pen(self)

    def fresh_checkpoint(self, stream: str, at_us: int) -> Checkpoint:
        """The stream's checkpoint, signed anew when it is older than CHECKPOINT_EVERY_US or does not reach the end."""
        covered = self.stream(stream).covered()
        is_young = covered is not None and at_us - covered.checkpoint.at_us < CHECKPOINT_EVERY_US
        if covered is not None and is_young and journal.is_signed_by(covered.checkpoint, self.key.public_key()):
            return covered.checkpoint
        with self.folder.locked():
            return self._put_into_force(stream, at_us) or self._cover(stream, self.stream(stream).tail().place, at_us)

    def checkpoint_at(self, record: Record, at_us: int) -> Checkpoint:
        """Vouch for a place behind the head, as of the time of the record there; it is sent, never kept."""
        return journal.sign_checkpoint(
            journal.position_after(record), moment.to_us(record.header.at), at_us + CHECKPOINT_GOOD_US, self.key
        )

    def positions(self, site: str) -> dict[str, Position]:
        """Where the four streams stand that a site reads."""
        return {name: self.stream(name).position() for name in streams_of(site)}

    def _put_into_force(self, stream: str, at_us: int) -> Checkpoint | None:
        """Cover the whole records behind the checkpoint; None when there are none. The lock is held.

        Whoever wrote them may have been killed before its fsync: no checkpoint may vouch for what a power cut takes.
        """
        kept = self.stream(stream)
        tail = kept.tail()
        if tail.is_covered:
            return None
        kept.sync(tail.place)
        return self._cover(stream, tail.place, at_us)

    def sign(self, stream: str, place: Place) -> Checkpoint:
        """Vouch, from now on, for a stream that ends at a place. The hub's lock is held."""
        return self._cover(stream, place, self.folder.now_us())

    def _cover(self, stream: str, place: Place, at_us: int) -> Checkpoint:
        checkpoint = journal.sign_checkpoint(place.position, at_us, at_us + CHECKPOINT_GOOD_US, self.key)
        self.stream(stream).cover(checkpoint, place.offset)
        return checkpoint


@lru_cache(maxsize=64)
def _key_in(path: Path, _inode: int, _mtime_ns: int) -> "Ed25519PrivateKey":
    """Read once, as long as it is the same file."""
    from provisioning import identity

    return identity.read_private(path)


@dataclass(frozen=True)
class Pen:
    """The right to append; made by `HubJournals.writing`, which holds the lock."""

    journals: HubJournals

    def append(self, stream: str, kind: str, key: str, body: records.Body) -> Record:
        """Write, fsync, sign. A torn tail that a killed writer left is cut off first."""
        return self.append_bytes(stream, kind, key, records.encode(body))

    def append_bytes(self, stream: str, kind: str, key: str, body: bytes) -> Record:
        at_us = self.journals.folder.now_us()
        kept = self.journals.stream(stream)
        tail = kept.tail()
        record = journal.append(tail.place.position, kind, key, body, at_us)
        self.journals._cover(stream, kept.append(tail.place, [record]), at_us)
        return record


def streams_of(site: str) -> tuple[str, ...]:
    """What a site reads, the urgent first."""
    return tuple(f"{scope}/{name}" for name in HUB_STREAMS for scope in ("all", site))
