"""Packed audio (RFC 8216 section 3.4): ADTS frames behind an ID3 tag that tells when the first is heard."""

from typing import Final

from appliance.core.mux import PTS_MODULO
from appliance.core.sounds import Sounds

OWNER: Final = b"com.apple.streaming.transportStreamTimestamp\x00"


def packed_audio(sounds: Sounds) -> bytes:
    """The bytes of a radio channel's segment. The stamp is the 33-bit one that the sound would have in MPEG-TS."""
    return _tag(sounds.first_tick % PTS_MODULO) + b"".join(sounds.frames)


def _tag(ticks: int) -> bytes:
    """ID3 version 2.4 with one PRIV frame. Sizes have seven bits to the byte; these are below 128."""
    content = OWNER + ticks.to_bytes(8, "big")
    frame = b"PRIV" + len(content).to_bytes(4, "big") + b"\x00\x00" + content
    return b"ID3\x04\x00\x00" + len(frame).to_bytes(4, "big") + frame
