"""The probe's eyes with the real decoder: what stands is told, what moves is not, and a dead decoder is replaced."""

import time
from collections.abc import Callable, Iterator

import pytest

from appliance import slate
from appliance.core import ts
from appliance.playout.eyes import AGAIN_US, BLIND_US, Eyes
from tests.appliance import clips

WAIT_S = 60.0
S = 1_000_000


@pytest.fixture
def eyes() -> Iterator[Eyes]:
    made = Eyes()
    yield made
    made.close()


def show(eyes: Eyes, segments: list[bytes], holds: Callable[[], bool], number: int = 0) -> int:
    """Segments one after the other on one timeline, as datagrams, until something is seen; how many it took."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, eyes.looking.pictures
        data = ts.move(segments[number % len(segments)], number * ts.SEGMENT_TICKS)
        for at in range(0, len(data), 1316):
            eyes.show(data[at : at + 1316], 2 * number * S)
        number += 1
        time.sleep(0.05)
        eyes.look(2 * number * S)
    return number


def test_the_slate_stands_and_a_programme_moves(eyes: Eyes) -> None:
    """Out of the very stream that a modulator gets."""
    looking = eyes.looking
    number = show(eyes, [slate.slate_path().read_bytes()], lambda: looking.still_since_us is not None)
    assert looking.black_since_us is None
    moving = [ts.move(each, -number * ts.SEGMENT_TICKS) for number, each in enumerate(clips.segments("long")[:3])]
    show(eyes, moving, lambda: looking.still_since_us is None, number)
    assert looking.black_since_us is None


def test_an_output_that_breaks_off_stands_no_more(eyes: Eyes) -> None:
    """That it broke off is told by those who listen; the last picture is nowhere on the air."""
    number = show(eyes, [slate.slate_path().read_bytes()], lambda: eyes.looking.still_since_us is not None)
    eyes.look(2 * number * S + BLIND_US)
    assert eyes.looking.still_since_us is not None
    eyes.look(2 * number * S + BLIND_US + 1)
    assert eyes.looking.still_since_us is None


def test_a_decoder_that_dies_is_begun_again_after_a_while(eyes: Eyes) -> None:
    """The probe listens on meanwhile, and says nothing of pictures."""
    still = slate.slate_path().read_bytes()
    show(eyes, [still], lambda: eyes.looking.still_since_us is not None)
    assert eyes._process is not None and eyes._begun_us is not None
    eyes._process.kill()
    eyes._process.wait()
    seen, now = eyes.looking.pictures, eyes._begun_us + AGAIN_US - 1
    for at in range(0, 4 * len(still), 1316):
        eyes.show((4 * still)[at : at + 1316], now)
    eyes.look(now)
    assert eyes._process is None and eyes.looking.still_since_us is None
    eyes.show(100 * still, now + 1)
    assert eyes._process is not None
    assert eyes.looking.pictures == seen
