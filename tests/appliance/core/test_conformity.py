"""A file is aired as it is only where it is in house format to the packet: one other bit and it is coded anew."""

from collections.abc import Callable

import pytest

from appliance.core import ts
from appliance.core.conformity import check_counters, check_segment, headers_of
from appliance.packaging import still_pictures
from tests.appliance.clips import segments

HEADERS = headers_of(still_pictures()[0])


@pytest.mark.parametrize("name", ["small", "odd", "long", "slate"])
def test_what_the_packager_makes_is_in_house_format(name: str) -> None:
    """All of it, the short last segment too."""
    for number, segment in enumerate(segments(name)):
        check_segment(segment, number, HEADERS, ts.segment_frames(segment))


def flipped(at: int, mask: int) -> Callable[[bytes], bytes]:
    def flip(segment: bytes) -> bytes:
        data = bytearray(segment)
        data[at] ^= mask
        return bytes(data)

    return flip


def sound_of_another_rate(segment: bytes) -> bytes:
    at = segment.index(b"\xff\xf1\x4c\x80")
    return segment[: at + 2] + b"\x50" + segment[at + 3 :]


def other_sets(segment: bytes) -> bytes:
    at = segment.index(b"\x00\x00\x01\x67")
    return segment[: at + 5] + b"\x4d" + segment[at + 6 :]


def without_sound(segment: bytes) -> bytes:
    pictures, _ = ts.contents(segment)
    return ts._segment(pictures, [])


@pytest.mark.parametrize(
    "spoil",
    [
        flipped(3, 0x01),
        flipped(188 * 2 + 3, 0x01),
        sound_of_another_rate,
        other_sets,
        without_sound,
        lambda segment: segment[188:],
        lambda segment: ts.cut(segment, 49),
        lambda segment: ts.move(segment, 1),
    ],
    ids=["PAT counter", "picture counter", "sound", "sets", "no sound", "a packet less", "a picture less", "late"],
)
def test_anything_else_is_not(spoil: Callable[[bytes], bytes]) -> None:
    """A clip whose sound is missing, whose counters jump or whose pictures are late would be seen on the air."""
    with pytest.raises(ts.NotHouseFormat):
        check_segment(spoil(segments("long")[1]), 1, HEADERS, 50)
    with pytest.raises(ts.NotHouseFormat):
        check_segment(segments("long")[1], 2, HEADERS, 50)


def test_counters_join_whatever_follows() -> None:
    """Any segment may follow any other: each begins at 0 and ends with a turn."""
    check_counters(segments("long")[2] + segments("slate")[0] + segments("odd")[0] + segments("long")[0])
