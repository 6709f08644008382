"""The rules of the technical check: what is red, what amber, what only good to know; and nothing of what is sound."""

import msgspec
import pytest

from appliance.core.errors import Text
from appliance.core.findings import (
    SPANS_TOLD_MAX,
    Check,
    Facts,
    NotAirable,
    Span,
    describe,
    findings,
    never,
    of_entry,
    refusal,
    worst,
)
from appliance.core.loudness import Levelling, Loudness

SOUND = Facts(
    length_s=60.0,
    has_picture=True,
    has_sound=True,
    source=Loudness(-24.0, -6.0),
    result=Loudness(-24.0, -6.0),
    target_lufs=-24.0,
    picture_s=60.0,
    sound_s=60.0,
    width=1920,
    height=1080,
    frames_per_s=25.0,
)


def told(**other: object) -> list[tuple[str, str]]:
    return [(each.code, each.severity) for each in findings(msgspec.structs.replace(SOUND, **other))]


def test_nothing_is_said_of_a_clip_that_is_sound() -> None:
    """Whoever is told of nothing reads what he is told."""
    assert findings(SOUND) == ()
    assert worst(()) is None


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"blacks": (Span(0.0, 59.9),)}, [("black_throughout", "red")]),
        ({"blacks": (Span(0.0, 0.48),), "length_s": 0.52}, [("black_throughout", "red")]),
        ({"blacks": (Span(0.0, 50.0),)}, [("black_start", "amber")]),
        ({"errors": 400, "first_error": "MB"}, [("decode_errors", "red")]),
        ({"errors": 99, "length_s": 60.0}, [("decode_errors", "amber")]),
        ({"errors": 400, "length_s": 7200.0}, [("decode_errors", "amber")]),
        ({"blacks": (Span(0.0, 3.0),)}, [("black_start", "amber")]),
        ({"blacks": (Span(20.0, 23.0),)}, [("black_middle", "amber")]),
        ({"blacks": (Span(55.0, 60.0),)}, [("black_end", "info")]),
        ({"blacks": (Span(20.0, 21.9),)}, []),
        ({"frozen": (Span(20.0, 31.0),)}, [("frozen_middle", "amber")]),
        ({"frozen": (Span(20.0, 23.0),), "blacks": (Span(19.9, 23.1),)}, [("black_middle", "amber")]),
        ({"silences": (Span(20.0, 26.0),)}, [("silence_middle", "amber")]),
        ({"has_sound": False, "source": None, "sound_s": None}, [("no_sound", "amber")]),
        ({"source": Loudness(None, None), "silences": (Span(0.0, 60.0),)}, [("silent_throughout", "amber")]),
        ({"has_picture": False, "picture_s": None}, [("no_picture", "info")]),
        ({"is_interlaced": True}, [("interlaced", "info")]),
        ({"is_hdr": True}, [("hdr", "amber")]),
        ({"width": 176, "height": 144}, [("upscaled", "amber")]),
        ({"frames_per_s": 29.97}, [("frame_rate", "info")]),
        ({"frames_per_s": 1.0}, [("frame_rate", "amber")]),
        ({"frames_per_s": 29.97, "is_vfr": True}, [("frame_rate_varies", "info")]),
        ({"sound_s": 50.0}, [("sound_short", "amber")]),
        ({"picture_s": 50.0}, [("picture_short", "amber")]),
        (
            {"source": Loudness(-14.0, 0.5), "levelling": Levelling(-10.0)},
            [("loudness", "amber"), ("true_peak", "amber")],
        ),
        ({"source": Loudness(-20.0, -3.0), "levelling": Levelling(-4.0)}, [("loudness", "info")]),
        ({"levelling": Levelling(0.0, True)}, [("limited", "info")]),
        ({"result": Loudness(-26.0, -2.0)}, [("loudness_off", "amber")]),
    ],
    ids=str,
)
def test_each_rule(facts: dict[str, object], said: list[tuple[str, str]]) -> None:
    """The table that docs/operating.md explains to technicians."""
    assert told(**facts) == said


def test_the_worst_comes_first_and_where_it_is_is_told() -> None:
    """A list of many is read from the top."""
    facts = msgspec.structs.replace(
        SOUND, is_interlaced=True, blacks=(Span(30.0, 33.5),), errors=1000, first_error="bytestream -15"
    )
    found = findings(facts)
    assert [each.severity for each in found] == ["red", "amber", "info"]
    assert describe(found[1]) == Text(
        "[黄] 中间黑场 3.5 秒 0:30.0-0:33.5 (black_middle)",
        "[amber] black for 3.5 s in the middle 0:30.0-0:33.5 (black_middle)",
    )
    assert refusal(found) == (found[0].what,)
    assert Check(findings=found).is_red


def test_many_of_a_kind_are_counted() -> None:
    """A clip that flashes would fill the screen and every record."""
    spans = tuple(Span(at * 4.0 + 1, at * 4.0 + 3.5) for at in range(14))
    found = told(blacks=spans)
    assert len(found) == SPANS_TOLD_MAX
    assert "4 more" in findings(msgspec.structs.replace(SOUND, blacks=spans))[-1].what.en


@pytest.mark.parametrize(
    ("claim", "said"),
    [
        ((0.0, None, None), []),
        ((0.0, 60.0, None), []),
        ((0.0, 60.03, None), []),
        ((0.0, None, 60.19), []),
        ((0.0, None, 59.85), []),
        ((10.0, 40.0, 30.0), []),
        ((0.0, 61.0, None), [("out_beyond_asset", "amber")]),
        ((0.0, None, 90.0), [("out_beyond_asset", "amber")]),
        ((30.0, None, 40.0), [("out_beyond_asset", "amber")]),
        ((0.0, None, 50.0), [("duration_differs", "amber")]),
        ((60.0, 70.0, None), [("in_beyond_asset", "red")]),
    ],
)
def test_what_a_schedule_claims_is_held_against_the_asset(
    claim: tuple[float, float | None, float | None], said: list[tuple[str, str]]
) -> None:
    """An entry that is longer than its asset leaves a hole for a filler; one that is much shorter cuts a programme."""
    assert [(each.code, each.severity) for each in of_entry(*claim, 60.0)] == said
    assert of_entry(*claim, None) == ()


def test_a_refusal_is_a_red_finding() -> None:
    """What cannot even be opened is told by the same door as what is black."""
    refused = never("cut_off", Text("缺", "cut"))
    assert isinstance(refused, NotAirable)
    assert [(each.code, each.severity) for each in refused.findings] == [("cut_off", "red")]
    assert refused.problems == (Text("缺", "cut"),)
