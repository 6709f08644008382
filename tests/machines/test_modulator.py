"""What is taken for the air, and what for a break in it."""

from tests.machines.modulator import Pictures, transport_stream

PACKETS = b"\x47" + bytes(187)


def frame(protocol: int = 17, data: bytes = PACKETS, kind: bytes = b"\x08\x00") -> bytes:
    udp = bytes(4) + (len(data) + 8).to_bytes(2, "big") + bytes(2) + data
    address = bytes([0x45, *bytes(8), protocol, *bytes(10)])
    return bytes(12) + kind + address + udp


def test_a_transport_stream_is_found_in_its_frame() -> None:
    """And nothing else that a machine says on its cable, as what asks for an address or sends padding."""
    assert transport_stream(frame()) == PACKETS
    assert transport_stream(frame() + bytes(20)) == PACKETS
    for other in (frame(protocol=6), frame(kind=b"\x86\xdd"), frame(data=b"hello"), frame()[:30], b""):
        assert transport_stream(other) is None


def test_time_without_pictures_is_counted_to_the_break() -> None:
    """Air lost is what an upgrade is judged by: neither what lies before the span, nor the distance of two pictures."""
    pictures = Pictures()
    for count, moment in enumerate((10.0, 10.04, 10.08, 13.08, 13.12), start=1):
        pictures.seen(count, moment)
    assert pictures.since == 13.08
    assert pictures.lost_s(10.0, 13.2) == 3.0
    assert pictures.lost_s(12.0, 13.2) == 13.08 - 12.0
    assert pictures.lost_s(13.1, 13.3) == 0
    assert pictures.lost_s(13.1, 15.12) == 2.0
    pictures.seen(5, 14.0)
    assert pictures.last == 13.12, "the same count is no picture"
