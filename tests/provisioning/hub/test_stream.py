"""A stream on disk: what is covered counts, what a killed writer left does not harm."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core import journal, records
from appliance.core.errors import WorldError
from appliance.core.journal import Position, Record, genesis
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import CHECKPOINT_EVERY_US, HubJournals
from provisioning.hub.stream import Stream
from tests.provisioning.live import LiveHub, signed

STREAM = "all/control"


def order(number: int) -> records.Order:
    return records.Order(f"o{number}", f"第 {number} 号")


def write(journals: HubJournals, *numbers: int) -> list[Record]:
    return [journals.append(STREAM, "order", f"o{number}", order(number)) for number in numbers]


def keys_of(stream: Stream) -> list[str]:
    return [record.header.key for record in stream.records()]


def records_file(hub: LiveHub) -> Path:
    return hub.path / "journals" / "all" / "control" / "1.records"


def test_what_was_appended_is_read_back_as_one_chain(quiet_hub: LiveHub) -> None:
    """Sequence from 1, each record naming the one before, the head under the hub's signature."""
    written = write(quiet_hub.journals, 1, 2, 3)
    stream = quiet_hub.journals.stream(STREAM)
    assert list(stream.records()) == written
    assert stream.position() == journal.position_after(written[-1])
    covered = stream.covered()
    assert covered is not None
    assert journal.is_signed_by(covered.checkpoint, quiet_hub.journals.key.public_key())
    assert covered.size_bytes == records_file(quiet_hub).stat().st_size


def test_an_empty_stream_reads_as_nothing(quiet_hub: LiveHub) -> None:
    """A new hub has no files yet, and that is no error."""
    stream = quiet_hub.journals.stream(STREAM)
    assert (list(stream.records()), stream.position(), stream.covered()) == ([], genesis(STREAM), None)
    assert stream.find(genesis(STREAM)) == stream.start()


@pytest.mark.parametrize("left", [b"{", b'{"v":1}\n', b'{"v":1}\n{"a"', b"\0" * 4096, b"\n\n", b"x\ny\n"])
def test_a_torn_tail_is_not_read_and_is_cut_off_by_the_next_append(quiet_hub: LiveHub, left: bytes) -> None:
    """A writer killed in the middle of a write leaves part of a record; the chain must go on as if it had not been."""
    first = write(quiet_hub.journals, 1)
    with records_file(quiet_hub).open("ab") as file:
        file.write(left)
    stream = quiet_hub.journals.stream(STREAM)
    assert list(stream.records()) == first
    second = write(quiet_hub.journals, 2)
    assert list(stream.records()) == first + second
    lines = [line for record in (*first, *second) for line in (record.header_bytes, record.body or b"")]
    assert records_file(quiet_hub).read_bytes().splitlines() == lines


def test_a_whole_record_without_a_checkpoint_is_kept_and_vouched_for_later(quiet_hub: LiveHub) -> None:
    """A writer killed between record and checkpoint has written; readers hear of it when the stream is signed next."""
    journals = quiet_hub.journals
    write(journals, 1)
    stream = journals.stream(STREAM)
    place = stream.tail().place
    stream.append(place, [journal.append(place.position, "order", "o2", records.encode(order(2)), 0)])
    assert keys_of(stream) == ["o1"]
    assert not stream.tail().is_covered
    covered = stream.covered()
    assert covered is not None
    journals.fresh_checkpoint(STREAM, covered.checkpoint.at_us + CHECKPOINT_EVERY_US)
    assert keys_of(stream) == ["o1", "o2"]
    write(journals, 3)
    assert keys_of(stream) == ["o1", "o2", "o3"]


def test_covered_bytes_that_are_gone_stop_the_writer(quiet_hub: LiveHub) -> None:
    """Writing on over a hole would sign a broken chain; this needs a person and a backup."""
    write(quiet_hub.journals, 1, 2)
    os.truncate(records_file(quiet_hub), 100)
    with pytest.raises(WorldError, match="damaged"):
        write(quiet_hub.journals, 3)


def test_a_flipped_byte_is_noticed_by_whoever_reads(quiet_hub: LiveHub) -> None:
    """What is not the signed chain must not be passed on as it."""
    write(quiet_hub.journals, 1, 2, 3)
    path = records_file(quiet_hub)
    data = bytearray(path.read_bytes())
    data[data.index(b"o2")] ^= 1
    path.write_bytes(data)
    with pytest.raises(WorldError, match="damaged"):
        list(quiet_hub.journals.stream(STREAM).records())


def test_reading_goes_on_from_any_position_of_the_stream(quiet_hub: LiveHub) -> None:
    """A box comes back with its position and must get what it lacks; a position from elsewhere is told apart."""
    written = write(quiet_hub.journals, *range(1, 8))
    stream = quiet_hub.journals.stream(STREAM)
    for number, record in enumerate(written, start=1):
        place = stream.find(journal.position_after(record))
        assert place is not None
        assert [found for found, _place in stream.page(place)] == written[number:]
    assert stream.find(Position(STREAM, 1, 3, "0" * 64)) is None
    assert stream.find(Position(STREAM, 2, 0, "0" * 64)) is None


def test_a_page_is_bounded_and_never_empty_before_the_end(quiet_hub: LiveHub) -> None:
    """A large record must not block the stream, nor make a page larger than was asked for by more than itself."""
    written = write(quiet_hub.journals, 1, 2, 3)
    stream = quiet_hub.journals.stream(STREAM)
    assert [record for record, _place in stream.page(stream.start(), records_max=2)] == written[:2]
    assert [record for record, _place in stream.page(stream.start(), bytes_max=1)] == written[:1]


def test_epochs_of_a_site_are_kept_apart_and_read_as_one(tmp_path: Path) -> None:
    """A box that was cloned goes on in a new epoch; the hub keeps both parts and the seam between them."""
    key = Ed25519PrivateKey.generate()
    stream = Stream(tmp_path / "journal", "dengfeng/report")
    first = journal.append(genesis(stream.name), "take", "i1", records.encode(records.Take("i1")), 0)
    second = journal.append(
        journal.next_epoch(journal.position_after(first)), "take", "i2", records.encode(records.Take("i2")), 0
    )
    third = journal.append(journal.position_after(second), "take", "i3", records.encode(records.Take("i3")), 0)
    stream.accept([first, second], signed(second, key))
    stream.accept([third], signed(third, key))
    assert list(stream.records()) == [first, second, third]
    assert stream.position() == journal.position_after(third)
    assert sorted(path.name for path in stream.folder.iterdir()) == ["1.records", "2.checkpoint", "2.records"]
    place = stream.find(journal.position_after(first))
    assert place is not None
    assert [record for record, _place in stream.page(place)] == [second, third]


@pytest.mark.parametrize("is_whole", [True, False])
def test_what_a_full_disk_left_behind_an_epoch_is_not_read_into_the_next(tmp_path: Path, is_whole: bool) -> None:
    """An older epoch's file counts to its end; a tail in it would be read as damage, and the reports would stop."""
    key = Ed25519PrivateKey.generate()
    stream = Stream(tmp_path / "journal", "dengfeng/report")
    body = records.encode(records.Take("i1"))
    first = journal.append(genesis(stream.name), "take", "i1", body, 0)
    stream.accept([first], signed(first, key))
    tail = journal.append(journal.position_after(first), "take", "i2", body, 0)
    with (stream.folder / "1.records").open("ab") as file:
        file.write(tail.header_bytes + b"\n" + (body + b"\n" if is_whole else body[:5]))
    second = journal.append(journal.next_epoch(journal.position_after(first)), "take", "i3", body, 0)
    stream.accept([second], signed(second, key))
    assert list(stream.records()) == [first, second]


def in_processes(count: int, work: Callable[..., None], *arguments: object) -> list[multiprocessing.Process]:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=(number, *arguments)) for number in range(count)]
    for process in processes:
        process.start()
    return processes  # type: ignore[return-value]


def append_many(writer: int, path: Path, count: int) -> None:
    journals = HubJournals(HubFolder(path))
    for number in range(count):
        journals.append(STREAM, "order", f"w{writer}-{number}", order(number))


def test_two_processes_that_append_at_once_keep_one_unbroken_chain(quiet_hub: LiveHub) -> None:
    """An operator publishes while a gate writes a receipt: each record once, no gap, no fork."""
    for process in in_processes(2, append_many, quiet_hub.path, 40):
        process.join(60)
        assert process.exitcode == 0
    found = keys_of(quiet_hub.journals.stream(STREAM))
    assert sorted(found) == sorted(f"w{writer}-{number}" for writer in range(2) for number in range(40))


def test_writers_killed_at_any_moment_leave_a_chain_that_goes_on(quiet_hub: LiveHub) -> None:
    """kill -9 is the power cut that can be tried a dozen times in a second; nothing that returned may be lost."""
    stream = quiet_hub.journals.stream(STREAM)
    for _round in range(6):
        [process] = in_processes(1, append_many, quiet_hub.path, 10_000)
        before = len(keys_of(stream))
        while len(keys_of(stream)) < before + 3:
            assert process.is_alive()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(10)
        known = keys_of(stream)
        write(quiet_hub.journals, 1)
        found = keys_of(stream)
        assert found[: len(known)] == known
        assert len(found) - len(known) in (1, 2)
    quiet_hub.run("verify")
