"""What is on a stick is read as what it is or refused; what goes on it goes by urgency and room."""

from collections.abc import Sequence
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from appliance.core import carry
from appliance.core.carry import Label, Load, Note, Want
from appliance.core.errors import Refused
from appliance.core.journal import (
    Broken,
    Checkpoint,
    Record,
    append,
    genesis,
    next_epoch,
    position_after,
    sign_checkpoint,
)
from appliance.core.wire import Head

KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
AT_US = 1_795_500_000_000_000
LABEL = Label(1, "a" * 32, "dengfeng", "songshan", "hub", "2026-11-24T06:00:00Z")
NOTE = Note(1, LABEL.id, "dengfeng", "songshan", "hub", LABEL.at, {"dengfeng/report": Head(1, 3, "b" * 64)})


def written(count: int, body: bytes = b'{"id":"o"}') -> list[Record]:
    position, made = genesis("dengfeng/control"), list[Record]()
    for number in range(count):
        made.append(append(position, "order", f"o{number}", body, AT_US))
        position = position_after(made[-1])
    return made


def vouched(records: Sequence[Record]) -> Checkpoint:
    return sign_checkpoint(position_after(records[-1]), AT_US, AT_US + 1, KEY)


def test_a_page_is_read_as_it_was_written() -> None:
    """To the byte, with its checkpoint; a redacted body is an empty line."""
    records = written(3)
    redacted = [*records[:2], Record(records[2].header_bytes, None, records[2].header, records[2].hash)]
    page = carry.encode_page(redacted, vouched(records))
    assert carry.parse_page(page) == (tuple(redacted), vouched(records))


@given(st.data())
def test_a_damaged_page_is_refused_or_is_another_page(data: st.DataObject) -> None:
    """Cut anywhere, or with any byte changed, nothing but Broken is raised; the judge has the rest."""
    page = bytearray(carry.encode_page(written(2), vouched(written(2))))
    at = data.draw(st.integers(0, len(page) - 1))
    if data.draw(st.booleans()):
        del page[at:]
    else:
        page[at] = data.draw(st.integers(0, 255))
    with suppress(Broken):
        carry.parse_page(bytes(page))


@given(st.binary(max_size=400))
def test_random_bytes_are_no_page_no_label_and_no_note(data: bytes) -> None:
    """A hostile stick gets a refusal with words, never a crash."""
    with pytest.raises(Broken):
        carry.parse_page(data)
    with pytest.raises(Refused):
        carry.parse_label(data)
    with pytest.raises(Refused):
        carry.parse_note(data, LABEL, "hub", (KEY.public_key(),))


def test_a_page_with_more_than_a_page_holds_is_refused() -> None:
    """What is read into memory at once is bounded, whatever the file says."""
    with pytest.raises(Broken):
        carry.parse_page(carry.encode_page([], vouched(written(1))) + b"{}\n\n" * (carry.PAGE_RECORDS + 1))
    with pytest.raises(Broken):
        carry.parse_page(b"\n" * (carry.PAGE_FILE_BYTES_MAX + 1))


def test_pages_are_bounded_in_records_and_bytes() -> None:
    """Whole streams of any length become files that a small box reads one at a time."""
    many = written(carry.PAGE_RECORDS + 1)
    assert [len(page) for page in carry.batches(many)] == [carry.PAGE_RECORDS, 1]
    large = written(3, b'{"id":"' + b"x" * 700_000 + b'"}')
    pages = list(carry.batches(large))
    assert [len(page) for page in pages] == [1, 1, 1]
    assert all(len(carry.encode_page(page, vouched(page))) <= carry.PAGE_FILE_BYTES_MAX for page in pages)


def test_pages_are_read_from_where_the_reader_stands() -> None:
    """What is known already is passed over as far as it fills whole pages; other names are no pages."""
    names = [carry.page_name(record) for record in written(30)[::10]]
    first_of_next = append(next_epoch(position_after(written(30)[-1])), "order", "o", b'{"id":"o"}', AT_US)
    names = [carry.page_name(first_of_next), "checkpoint", "1-1.records", *reversed(names)]
    assert carry.pages_behind(names, (1, 0)) == [*sorted(names[3:]), names[0]]
    assert carry.pages_behind(names, (1, 15)) == ["1-0000000000000011.records", *sorted(names[3:])[2:], names[0]]
    assert carry.pages_behind(names, (2, 5)) == [names[0]]


def test_only_the_right_stick_is_accepted() -> None:
    """Of another site or hub it is refused, and the person is told which one to take."""
    assert carry.parse_label(carry.encode_label(LABEL)) == LABEL
    carry.check_label(LABEL, "dengfeng", "songshan")
    for site, hub in (("zhongmu", "songshan"), ("dengfeng", "other")):
        with pytest.raises(Refused, match="this stick goes between songshan and dengfeng"):
            carry.check_label(LABEL, site, hub)


def test_a_note_counts_only_when_its_writer_signed_it_for_this_stick() -> None:
    """It decides what travels: a stranger's note, or one of another stick, must not keep records back."""
    data = carry.encode_note(NOTE, KEY)
    assert carry.parse_note(data, LABEL, "hub", (OTHER.public_key(), KEY.public_key())) == NOTE
    with pytest.raises(Refused, match="signature"):
        carry.parse_note(data, LABEL, "hub", (OTHER.public_key(),))
    with pytest.raises(Refused, match="another stick"):
        carry.parse_note(data, LABEL, "box", (KEY.public_key(),))
    other = Label(1, "c" * 32, "dengfeng", "songshan", "hub", LABEL.at)
    with pytest.raises(Refused, match="another stick"):
        carry.parse_note(data, other, "hub", (KEY.public_key(),))


@given(st.integers(0, 10_000), st.integers(1, 300))
def test_pieces_make_up_the_whole_and_none_is_too_long(size_bytes: int, piece_bytes: int) -> None:
    """All but the last are full, so that the place of a piece follows from its number."""
    lengths = list(carry.pieces_of(size_bytes, piece_bytes))
    assert sum(lengths) == size_bytes
    assert all(length == piece_bytes for length in lengths[:-1])
    assert 0 <= lengths[-1] <= piece_bytes


def test_the_most_urgent_goes_first_and_what_is_held_stays() -> None:
    """The box's own word on what it lacks comes before what records make likely."""
    wants = (Want("sha256:late", "2026-11-24T09:00:00Z"), Want("sha256:some", None))
    named = {"sha256:soon": AT_US, "sha256:held": AT_US - 5, "sha256:late": AT_US - 9}
    found = carry.most_urgent_first(wants, named, ("sha256:held",))
    assert [digest for digest, _by in found] == ["sha256:soon", "sha256:late", "sha256:some"]


@given(st.lists(st.integers(1, 100), max_size=20), st.integers(-5, 300))
def test_what_goes_has_room_and_what_stays_has_none(sizes: list[int], room: int) -> None:
    """In order of urgency; what is too large does not keep out a smaller one behind it."""
    loads = [Load(str(number), size) for number, size in enumerate(sizes)]
    goes, stays = carry.fitting(loads, room)
    assert sorted((*goes, *stays), key=lambda load: int(load.digest)) == loads
    used = sum(load.size_bytes for load in goes)
    assert used <= max(room, 0)
    assert all(load.size_bytes > room - used for load in stays)
