"""Schedules: what people write is understood exactly, and everything that is wrong is said at once."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.core import entry, schedule
from appliance.core.errors import OperatorError
from appliance.core.moment import to_text, to_us

ZONE = "Asia/Shanghai"
CHANNELS = ("dengfeng-1", "dengfeng-2")
DIGEST = "sha256:" + "ab" * 32


def document(*entries: dict[str, Any], **head: Any) -> bytes:
    whole = {"channel": "dengfeng-1", "date": "2026-11-24", "version": 3, "entries": list(entries), **head}
    return json.dumps(whole).encode()


def line(number: int = 1, start: str | None = "06:00:00", **keys: Any) -> dict[str, Any]:
    made = {"id": f"e{number}", "start": start, "start_type": "hard", "kind": "programme", "asset": DIGEST, **keys}
    return {key: value for key, value in made.items() if value is not None}


def problems(data: bytes) -> list[str]:
    with pytest.raises(OperatorError) as caught:
        schedule.parse_schedule(data, ZONE, CHANNELS)
    assert all(problem.zh and problem.en for problem in caught.value.problems)
    return [problem.en for problem in caught.value.problems]


def test_the_documented_example_is_read() -> None:
    """The file in the interface description is what planners copy from; local times become moments in UTC."""
    live: dict[str, Any] = {
        "id": "e2",
        "start_type": "follow",
        "kind": "live",
        "title": "郑直播",
        "url": "http://x/live.m3u8",
    }
    live["duration_s"] = 3600.0
    data = document(line(title="早间新闻", in_s=0.0, out_s=1790.0), live)
    parsed = schedule.parse_schedule(data, ZONE, CHANNELS)
    first, second = parsed.entries
    assert first.start_us == to_us("2026-11-24T06:00:00+08:00")
    assert (first.title, first.asset, first.length_s) == ("早间新闻", DIGEST, 1790.0)
    assert (second.start_us, second.url, second.length_s) == (None, "http://x/live.m3u8", 3600.0)
    assert schedule.assets_of(parsed) == (DIGEST,)


def test_what_may_not_be_seen_again_says_so() -> None:
    """A film that was bought for one showing; whatever says nothing may be seen again."""
    parsed = schedule.parse_schedule(document(line(), line(2, "07:00:00", catchup=False)), ZONE, CHANNELS)
    assert [entry.catchup for entry in parsed.entries] == [True, False]


def test_a_byte_order_mark_and_bare_digests_are_taken() -> None:
    """Editors on Windows write the mark, and people copy hex without its prefix; neither is a reason to miss a day."""
    parsed = schedule.parse_schedule(b"\xef\xbb\xbf" + document(line(asset="ab" * 32)), ZONE, CHANNELS)
    assert parsed.entries[0].asset == DIGEST


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        ("频道".encode("gbk"), "not JSON"),
        ('{"channel": "登封"}'.encode("gbk"), "not JSON"),
        (b'{"version": NaN}', "not JSON"),
        (b"[]", "JSON object"),
        (b"3", "JSON object"),
        (b" " * (200 * 1024 * 1024), "at most"),
        (document(line(), channel="zhongmu-1"), "not one of this site's"),
        (document(line(), channel=None), "not one of this site's"),
        (document(line(), date="2026-02-30"), "date must be"),
        (document(line(), date="24.11.2026"), "date must be"),
        (document(line(), date=20261124), "date must be"),
        (document(line(), version=0), "version must be"),
        (document(line(), version=True), "version must be"),
        (document(line(), version="3"), "version must be"),
        (document(), "entries must be"),
        (document(line(), entries={}), "entries must be"),
        (document(line(), channels=1), 'unknown key "channels"'),
        (document(line(), entries=[7]), "entry 1: must be a JSON object"),
        (document(line(strat="06:00:00")), 'unknown key "strat"'),
        (document(line(id="")), "id must be"),
        (document(line(id="../e")), "id must be"),
        (document(line(1), line(1, "07:00:00")), "entry 2 has the id of entry 1"),
        (document(line(start="25:00:00")), "from 00:00:00 to 23:59:59"),
        (document(line(start="24:00:00")), "from 00:00:00 to 23:59:59"),
        (document(line(start="6:00")), "from 00:00:00 to 23:59:59"),
        (document(line(start="-1:00:00")), "from 00:00:00 to 23:59:59"),
        (document(line(start=21600)), "from 00:00:00 to 23:59:59"),
        (document(line(start="٠6:00:00")), "from 00:00:00 to 23:59:59"),
        (document(line(start="06:00:00.010")), "whole frame"),
        (document(line(start=None)), "a hard entry needs a start"),
        (document(line(start=None, start_type="soft")), "a soft entry needs a start"),
        (document(line(start_type="follow")), "follows has no start"),
        (document(line(start_type="sharp")), "start_type must be one of"),
        (document(line(start=None, start_type="follow")), "first entry needs a start"),
        (document(line(kind="movie")), "kind must be one of"),
        (document(line(title="长" * 201)), "title must be"),
        (document(line(asset=None)), "asset is missing"),
        (document(line(asset="sha256:12")), "not a digest"),
        (document(line(asset=7)), "not a digest"),
        (document(line(in_s=-1)), "in_s must be"),
        (document(line(out_s="90")), "out_s must be"),
        (document(line(out_s=1e300)), "out_s must be"),
        (document(line(in_s=5, out_s=5)), "at least a frame after"),
        (document(line(in_s=0, out_s=5, duration_s=50)), "does not agree"),
        (document(line(duration_s=0.01)), "less than a frame"),
        (document(line(catchup="no")), "catchup must be true or false"),
        (document(line(catchup=0)), "catchup must be true or false"),
        (document(line(url="http://x/")), "only a live entry"),
        (document(line(kind="filler", asset=None)), "an asset or a duration_s"),
        (document(line(kind="live", asset=None, duration_s=60)), "needs a url"),
        (document(line(kind="live", asset=None, duration_s=60, url="file:///etc/passwd")), "needs a url"),
        (document(line(kind="live", asset=None, url="http://x/")), "needs a duration_s"),
        (document(line(kind="live", duration_s=60, url="http://x/")), "has no asset"),
        (document(line(1, "06:00:00", out_s=600), line(2, "06:09:59")), "e1 and e2, both hard, overlap"),
        (document(line(1, "06:00:00"), line(2, "06:00:00")), "e2 does not start after e1"),
        (document(line(1, "06:00:00"), line(2, "05:59:59", start_type="soft")), "e2 does not start after e1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_schedules_are_refused_with_the_reason(data: bytes, said: str) -> None:
    """A schedule that cannot be meant must never reach the air, and whoever wrote it must see why."""
    assert any(said in problem for problem in problems(data))


def test_every_problem_is_said_at_once() -> None:
    """A planner mends a day in one go, not one error per try."""
    data = document(line(1, "25:00:00"), line(2, "07:00:00", in_s=-1, asset="x"), line(3, None), channel="x", version=0)
    assert len(problems(data)) == 6


def test_the_list_of_problems_is_bounded() -> None:
    """A file of garbage must not answer with a book."""
    said = problems(document(*(line(number, "25:00:00") for number in range(entry.ENTRIES_MAX + 5))))
    assert len(said) == entry.PROBLEMS_SHOWN_MAX + 1
    assert said[-1].endswith("more problems")


def test_an_overlap_is_only_one_of_hard_entries_whose_length_is_said() -> None:
    """Followers are cut by the next hard start, by rule; and how long an asset is, this file does not know."""
    follower = line(2, None, start_type="follow", out_s=5000)
    parsed = schedule.parse_schedule(document(line(1, out_s=60), follower, line(3, "06:10:00")), ZONE, CHANNELS)
    assert [entry.id for entry in parsed.entries] == ["e1", "e2", "e3"]


def test_a_broadcast_day_is_the_calendar_day_of_the_zone() -> None:
    """Days are counted where the county is, not in UTC."""
    begin, end = schedule.day_bounds_us("2026-11-24", ZONE)
    assert (to_text(begin), to_text(end)) == ("2026-11-23T16:00:00Z", "2026-11-24T16:00:00Z")
    assert [schedule.day_of(moment, ZONE) for moment in (begin - 1, begin, end)] == [
        "2026-11-23",
        "2026-11-24",
        "2026-11-25",
    ]
    with pytest.raises(OperatorError):
        schedule.day_bounds_us("2026-13-01", ZONE)


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
VALUES = SCALARS | st.lists(SCALARS, max_size=2) | st.sampled_from(["06:00:00", "hard", "live", DIGEST])
KEYS = ("id", "start", "start_type", "kind", "title", "asset", "in_s", "out_s", "duration_s", "url", "other")


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6), max_size=4))
def test_nothing_that_can_be_written_breaks_the_reader(entries: list[dict[str, Any]]) -> None:
    """The file comes from people and from the wire: the answer is a schedule or a list of problems, nothing else."""
    try:
        parsed = schedule.parse_schedule(document(*entries), ZONE, CHANNELS)
    except OperatorError as error:
        assert error.problems
    else:
        assert len(parsed.entries) == len(entries)
