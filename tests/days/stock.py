"""Renditions to play: whole files in house format, small, made in a moment."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from appliance import slate
from appliance.core import ts
from appliance.core.grid import SILENCE

LENGTHS = (1500, 750, 2300, 133, 50, 49, 51, 7777, 26, 3001, 625, 12_345)
"""Frames: programmes, spots, and what is shorter than a segment."""


@dataclass(frozen=True)
class Clip:
    """An asset that never was, and its rendition, which is."""

    source: str
    digest: str
    data: bytes
    frames: int

    @property
    def table(self) -> bytes:
        return ts.pack_table(ts.index(self.data))


@cache
def clips() -> tuple[Clip, ...]:
    """The same in every run."""
    pictures = [picture for _, picture in ts.contents(slate.slate_path().read_bytes())[0]]
    return tuple(_clip(number, frames, pictures) for number, frames in enumerate(LENGTHS, 1))


def _clip(number: int, frames: int, pictures: list[bytes]) -> Clip:
    parts = []
    for segment, begin in enumerate(range(0, frames, ts.FRAMES_PER_SEGMENT)):
        count = min(ts.FRAMES_PER_SEGMENT, frames - begin)
        first, last = ts.sounds_in(segment, count)
        parts.append(ts.assemble(segment, pictures[:count], [SILENCE] * (last - first)))
    data = b"".join(parts)
    return Clip(f"sha256:{number:064x}", f"sha256:{sha256(data).hexdigest()}", data, frames)
