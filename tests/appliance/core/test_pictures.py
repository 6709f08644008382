"""Black and standing pictures, told from small grey keyframes."""

import random

from appliance.core.pictures import PICTURE_BYTES, Looking

BLACK = bytes([16]) * PICTURE_BYTES
GREY = bytes([120]) * PICTURE_BYTES
S = 1_000_000


def seen(*pictures: bytes) -> Looking:
    looking = Looking()
    for number, picture in enumerate(pictures, 1):
        looking.look(picture, 2 * number * S)
    return looking


def test_a_picture_that_stands_is_told_from_its_first_showing() -> None:
    """Also where each showing was coded anew, with a little noise; a change ends it."""
    chance = random.Random(1)
    noisy = [bytes(level + (chance.random() < 0.1) for level in GREY) for _ in range(3)]
    assert seen(BLACK, *noisy).still_since_us == 4 * S
    assert seen(GREY).still_since_us is None
    assert seen(GREY, GREY, BLACK).still_since_us is None


def test_black_is_what_a_viewer_calls_so() -> None:
    """A clock in the corner of a black picture does not make it a programme; a tenth of a picture does."""
    corner = bytes([235]) * 40 + BLACK[40:]
    programme = bytes([90]) * (PICTURE_BYTES // 10) + BLACK[PICTURE_BYTES // 10 :]
    assert seen(GREY, corner, BLACK).black_since_us == 4 * S
    assert seen(BLACK, programme).black_since_us is None


def test_who_sees_nothing_any_more_claims_nothing() -> None:
    """The decoder is gone: what it saw last is no fact of now."""
    looking = seen(BLACK, BLACK)
    looking.lose()
    assert (looking.black_since_us, looking.still_since_us) == (None, None)
    looking.look(BLACK, 20 * S)
    assert (looking.black_since_us, looking.still_since_us) == (20 * S, None)
