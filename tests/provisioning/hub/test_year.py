"""A long journal costs a hub no more per event than a short one: what was read once is not read again."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core import journal, records
from appliance.core.journal import Position
from provisioning.hub import index, told
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.journals import HubJournals
from provisioning.hub.stream import Place, Stream
from tests.journals import BEGAN_US, Line, chain, reports, stories, write_stream
from tests.provisioning.live import LiveHub

COUNT = 3 * index.INDEX_EVERY
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NAME = "dengfeng/report"


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return list(chain(NAME, reports(COUNT)))


@pytest.fixture
def stream(tmp_path: Path, lines: list[Line]) -> Stream:
    kept = Stream(tmp_path / "journal", NAME)
    write_stream(kept, lines, KEY, BEGAN_US)
    return kept


def position(line: Line) -> Position:
    return Position(NAME, 1, line.seq, line.hash)


def test_the_lines_of_the_generator_are_what_the_journal_writes(lines: list[Line]) -> None:
    """Figures that are measured on other bytes than the real ones mean nothing."""
    last = journal.genesis(NAME)
    for line in lines[:1100]:
        record = journal.append(last, line.kind, line.key, line.body, line.at_us)
        assert (record.header_bytes, record.hash) == (line.header, line.hash)
        records.decode(record)
        last = journal.position_after(record)


@pytest.mark.parametrize("seq", [1, 2, index.INDEX_EVERY, index.INDEX_EVERY + 1, 2 * index.INDEX_EVERY + 7, COUNT])
def test_a_place_is_found_with_and_without_an_index(stream: Stream, lines: list[Line], seq: int) -> None:
    """The index is made on the way and leads to the same place as reading from the start."""
    found = stream.find(position(lines[seq - 1]))
    assert found is not None
    assert found.offset == sum(len(line.header) + len(line.body) + 2 for line in lines[:seq])
    assert stream.find(position(lines[-1])) is not None
    assert [mark.seq for mark in index.read(stream.folder, 1)] == [index.INDEX_EVERY, 2 * index.INDEX_EVERY]
    assert stream.find(position(lines[seq - 1])) == found


def test_with_an_index_only_what_lies_behind_the_nearest_mark_is_read(stream: Stream, lines: list[Line]) -> None:
    """Records before the mark are damaged here, and nobody notices: they were not read."""
    assert stream.find(position(lines[-1])) is not None
    with (stream.folder / "1.records").open("r+b") as file:
        file.write(b"x")
    assert stream.find(position(lines[-1])) is not None
    assert stream.find(position(lines[0])) is None


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "x",
        f"{index.INDEX_EVERY} 17 {'0' * 64}\n",
        f"{index.INDEX_EVERY} 99999999999 {'0' * 64}\n",
        "5 5 5\n",
        "\x00",
    ],
)
def test_a_wrong_index_is_thrown_away_and_made_again(stream: Stream, lines: list[Line], wrong: str) -> None:
    """It is derived: whatever stands in it, the answer is the same."""
    (stream.folder / "1.index").write_text(wrong)
    found = stream.find(position(lines[-1]))
    assert found is not None
    assert found.position == position(lines[-1])
    assert [mark.seq for mark in index.read(stream.folder, 1)] == [index.INDEX_EVERY, 2 * index.INDEX_EVERY]


def test_a_position_that_the_stream_never_had_is_not_found(stream: Stream, lines: list[Line]) -> None:
    """Neither a foreign head, nor one beyond the end, nor another epoch."""
    for strange in (
        Position(NAME, 1, 5, "a" * 64),
        Position(NAME, 1, COUNT, lines[0].hash),
        Position(NAME, 1, COUNT + 1, lines[-1].hash),
        Position(NAME, 2, 1, lines[0].hash),
    ):
        assert stream.find(strange) is None


def test_a_catalogue_goes_on_from_what_another_one_kept(quiet_hub: LiveHub, lines: list[Line]) -> None:
    """A session begins with a year behind it; it must not read the year again."""
    journals = quiet_hub.journals
    write_stream(journals.stream("all/content"), chain("all/content", stories(100)), journals.key, BEGAN_US)
    kept = journals.stream(NAME)
    write_stream(kept, lines, KEY, BEGAN_US)
    first = Catalogue().read(journals, ("dengfeng",))
    with (kept.folder / "1.records").open("r+b") as file:
        file.write(b"x")
    second = Catalogue().read(journals, ("dengfeng",))
    assert second.takers == first.takers
    assert second.takers["offer-1"] == {"dengfeng"}
    assert second.offered == first.offered
    assert len(first.offered) == 100


@pytest.mark.parametrize("harm", ["flip", "cut", "other software", "another stream", "beyond the end"])
def test_a_fold_that_is_not_right_is_passed_over(stream: Stream, harm: str) -> None:
    """It may be torn by a power cut, older than a restored journal, or of software that knew fewer kinds."""
    given, place = told.Told(takes={"x": True}), stream.find(stream.position())
    assert place is not None
    match harm:
        case "another stream":
            place = Place(Position("zhongmu/report", 1, place.position.seq, place.position.head), place.offset)
        case "beyond the end":
            place = Place(Position(NAME, 1, COUNT + 1, place.position.head), place.offset + 100)
        case _:
            pass
    told.keep(stream, given, place)
    path = stream.folder / "told"
    data = path.read_bytes()
    if harm == "flip":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif harm == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif harm == "other software":
        told.keep(stream, given, place)
        _as_if_by_others(stream, given, place)
    assert told.load(stream) == (told.Told(), stream.start())


def test_a_fold_at_the_head_is_taken_as_it_is(stream: Stream) -> None:
    """The other side of the test above: without harm it counts."""
    place = stream.find(stream.position())
    assert place is not None
    told.keep(stream, told.Told(takes={"x": True}), place)
    assert told.load(stream) == (told.Told(takes={"x": True}), place)


def test_orders_and_answers_are_told_as_they_were(quiet_hub: LiveHub) -> None:
    """What the command desk asks is kept with the rest of the fold."""
    journals: HubJournals = quiet_hub.journals
    journals.append("all/control", "order", "o1", records.Order("o1", "防汛"))
    catalogue = Catalogue().read(journals, ())
    assert [order.title for _at, order in catalogue.told["all/control"].orders.values()] == ["防汛"]


def _as_if_by_others(stream: Stream, given: told.Told, place: Place) -> None:
    import hashlib

    import msgspec

    data = msgspec.msgpack.encode(("0.0.0", place.position, place.offset, given))
    (stream.folder / "told").write_bytes(hashlib.sha256(data).digest() + data)
