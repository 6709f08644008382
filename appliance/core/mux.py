"""MPEG transport stream, written: PES packets into packets of 188 bytes, tables, and the padding of the house format.

ISO/IEC 13818-1, as much of it as the house format uses.
"""

from collections.abc import Iterator
from typing import Final

PACKET: Final = 188
VIDEO_PID: Final = 0x100
AUDIO_PID: Final = 0x101
PMT_PID: Final = 0x1000
PTS_MODULO: Final = 1 << 33
TURN: Final = 16
"""Values of a continuity counter; also how many PATs and PMTs a segment has."""
SYNC: Final = 0x47
BODY: Final = PACKET - 4
PCR_FIELD: Final = 8
"""Adaptation field with flags and PCR, its length byte included."""
PES_HEADER: Final = 14


def padded(counts: list[int], sizes: list[int]) -> list[int] | None:
    """Packets of each PES so that the sum is a whole number of turns; None when there are not bytes enough.

    The largest take what is missing: a packet needs one byte at least, and the first the PES header and a byte.
    """
    missing = -sum(counts) % TURN
    counts = list(counts)
    for largest in sorted(range(len(counts)), key=lambda number: (-sizes[number], number)):
        more = min(missing, sizes[largest] - PES_HEADER - counts[largest])
        if more > 0:
            counts[largest] += more
            missing -= more
    return None if missing else counts


def packets_needed(size: int, first: int) -> int:
    """How many packets a PES takes at least, if `first` bytes of it go into the first."""
    return 1 + max(0, -(-(size - first) // BODY))


def pes_packets(pid: int, turn: int, field: bytes, pes: bytes, count: int) -> Iterator[bytes]:
    """The packets of a PES: full ones first, then as few bytes in each as makes up the count."""
    at = 0
    for number in range(count):
        take = min(BODY - len(field), len(pes) - at - (count - number - 1))
        gap = BODY - len(field) - take
        if gap:
            field = _stuffed(field, gap)
        kind = (0x40 if number == 0 else 0) | pid >> 8
        control = (0x30 if field else 0x10) | (turn + number) % TURN
        yield bytes((SYNC, kind, pid & 0xFF, control)) + field + pes[at : at + take]
        at += take
        field = b""


def _stuffed(field: bytes, gap: int) -> bytes:
    """An adaptation field made `gap` bytes longer."""
    if not field:
        return b"\x00" if gap == 1 else bytes((gap - 1, 0)) + b"\xff" * (gap - 2)
    return bytes((field[0] + gap,)) + field[1:] + b"\xff" * gap


def pcr_field(ticks: int, *, keyframe: bool) -> bytes:
    """The adaptation field of a picture's first packet."""
    return bytes((PCR_FIELD - 1, 0x50 if keyframe else 0x10)) + ((ticks << 15) | 0x7E00).to_bytes(6, "big")


def pes_of(stream: int, pts: int, payload: bytes, *, bounded: bool) -> bytes:
    """A PES packet with PTS and data alignment. A `bounded` one tells its length; a picture may be too large."""
    length = len(payload) + PES_HEADER - 6 if bounded else 0
    header = b"\x00\x00\x01" + bytes((stream,)) + length.to_bytes(2, "big") + b"\x84\x80\x05"
    return header + _stamp(0x2, pts % PTS_MODULO) + payload


def _stamp(prefix: int, ticks: int) -> bytes:
    high, middle, low = ticks >> 30, ticks >> 15 & 0x7FFF, ticks & 0x7FFF
    return (prefix << 36 | high << 33 | 1 << 32 | middle << 17 | 1 << 16 | low << 1 | 1).to_bytes(5, "big")


def _crc32(section: bytes) -> bytes:
    """CRC-32/MPEG-2 (ISO/IEC 13818-1 annex A)."""
    crc = 0xFFFFFFFF
    for byte in section:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc.to_bytes(4, "big")


def _section(head: bytes, body: bytes) -> bytes:
    section = head[:1] + (0xB000 | len(head) - 3 + len(body) + 4).to_bytes(2, "big") + head[3:] + body
    section += _crc32(section)
    return b"\x00" + section + b"\xff" * (BODY - 1 - len(section))


def table_packet(pid: int, turn: int, section: bytes) -> bytes:
    """PAT or PMT with the counter at `turn`."""
    return bytes((SYNC, 0x40 | pid >> 8, pid & 0xFF, 0x10 | turn)) + section


PAT: Final = _section(b"\x00\x00\x00\x00\x01\xc1\x00\x00", b"\x00\x01" + (0xE000 | PMT_PID).to_bytes(2, "big"))
PMT: Final = _section(
    b"\x02\x00\x00\x00\x01\xc1\x00\x00",
    (0xE000 | VIDEO_PID).to_bytes(2, "big")
    + b"\xf0\x00"
    + b"\x1b" + (0xE000 | VIDEO_PID).to_bytes(2, "big") + b"\xf0\x00"
    + b"\x0f" + (0xE000 | AUDIO_PID).to_bytes(2, "big") + b"\xf0\x00",
)  # fmt: skip
