"""What the pictures of an output look like: black, or standing still. Pure.

    looking = Looking(); looking.look(picture, at_us)      each small grey picture, a keyframe of the output

Two seconds lie between keyframes: enough for what a county must notice, and a hundredth of a core.
"""

from typing import Final

WIDTH: Final = 64
HEIGHT: Final = 36
PICTURE_BYTES: Final = WIDTH * HEIGHT
BLACK_LEVEL: Final = 32
"""Of 16 to 235: what is below is black on a television."""
BLACK_SHARE: Final = 0.98
STILL_LEVELS: Final = 0.3
"""Two pictures differ by less in the mean: the same, coded twice."""


class Looking:
    """Since when the picture is black, and since when it stands; None while it is or does not."""

    def __init__(self) -> None:
        self.pictures = 0
        self.black_since_us: int | None = None
        self.still_since_us: int | None = None
        self._before: bytes | None = None
        self._before_us = 0

    def look(self, picture: bytes, at_us: int) -> None:
        """The next picture: PICTURE_BYTES of grey, and when it came."""
        self.pictures += 1
        self.black_since_us = (self.black_since_us or at_us) if is_black(picture) else None
        is_still = self._before is not None and difference(picture, self._before) < STILL_LEVELS
        self.still_since_us = (self.still_since_us or self._before_us) if is_still else None
        self._before, self._before_us = picture, at_us

    def lose(self) -> None:
        """Nothing is seen any more: what was, is not known to be so."""
        self.black_since_us = self.still_since_us = self._before = None


def is_black(picture: bytes) -> bool:
    """Whether next to nothing of it can be seen."""
    return sum(level < BLACK_LEVEL for level in picture) >= BLACK_SHARE * len(picture)


def difference(one: bytes, other: bytes) -> float:
    """In levels of grey, of each point in the mean."""
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)
