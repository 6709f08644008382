"""Day templates and the default programme: what a channel plays on days that nobody planned."""

import json
from typing import Any

import pytest

from appliance.core.errors import OperatorError
from appliance.core.moment import to_us
from appliance.core.template import Template, assets_of, parse_template, schedule_on
from tests.appliance.core.air_box import digest, entry

CHANNELS = ("ch-1", "ch-2")
WORKDAYS = ["mon", "tue", "wed", "thu", "fri"]
RELAY: dict[str, Any] = {
    "id": "relay",
    "start": "19:00:00",
    "start_type": "hard",
    "kind": "live",
    "title": "新闻联播",
    "url": "http://relay.example/cctv1.m3u8",
    "duration_s": 1800.0,
}


def document(**head: Any) -> bytes:
    return json.dumps({"channel": "ch-1", "version": 2, **head}).encode()


def day(*on: str, entries: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"on": list(on), "entries": entries if entries is not None else [RELAY]}


def clip(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"d{number}", "kind": "programme", "asset": digest(number), "title": f"默认{number}", **more}


def read(**head: Any) -> Template:
    return parse_template(document(**head), CHANNELS)


def problems(**head: Any) -> list[str]:
    with pytest.raises(OperatorError) as caught:
        read(**head)
    assert all(problem.zh and problem.en for problem in caught.value.problems)
    return [problem.en for problem in caught.value.problems]


def test_the_daily_relay_is_at_seven_by_the_countys_clock() -> None:
    """The national news at 19:00 is the entry that every county has, whatever else the day brings."""
    template = read(days=[day(*WORKDAYS, entries=[entry(1, 1, "06:00:00"), RELAY]), day("sat", "sun")])
    tuesday = schedule_on(template, "2026-11-24", "Asia/Shanghai")
    assert tuesday is not None and (tuesday.date, tuesday.version) == ("2026-11-24", 2)
    assert [one.id for one in tuesday.entries] == ["e1", "relay"]
    assert tuesday.entries[1].start_us == to_us("2026-11-24T19:00:00+08:00")
    assert (tuesday.entries[1].url, tuesday.entries[1].duration_s) == (RELAY["url"], 1800.0)
    sunday = schedule_on(template, "2026-11-29", "Asia/Shanghai")
    assert sunday is not None and [one.id for one in sunday.entries] == ["relay"]


def test_local_time_is_local_time_on_days_when_the_clocks_change() -> None:
    """Seven in the evening stays seven in the evening, and what the clocks leave out begins when they go on."""
    template = read(days=[day("sun", entries=[entry(1, 1, "02:30:00"), RELAY])])
    for date, moved, offset in (("2026-03-29", "03:30:00", "+02:00"), ("2026-10-25", "02:30:00", "+02:00")):
        made = schedule_on(template, date, "Europe/Berlin")
        assert made is not None and made.entries[0].start_us == to_us(f"{date}T{moved}{offset}")
        evening = "+02:00" if date < "2026-06" else "+01:00"
        assert made.entries[1].start_us == to_us(f"{date}T19:00:00{evening}")


def test_a_weekday_that_no_pattern_names_has_no_schedule() -> None:
    """There the default programme plays."""
    template = read(days=[day("mon")], default=[clip(1), clip(2, in_s=2.0, out_s=10.0)])
    assert schedule_on(template, "2026-11-24", "Asia/Shanghai") is None
    assert [(one.asset, one.start_type, one.start_us) for one in template.default] == [
        (digest(1), "follow", None),
        (digest(2), "follow", None),
    ]
    assert assets_of(template) == (digest(1), digest(2))


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ({"days": [day("mon")], "channel": "ch-9"}, "not one of this site's"),
        ({"days": [day("mon")], "version": 0}, "version must be"),
        ({"days": [day("mon")], "date": "2026-11-24"}, 'unknown key "date"'),
        ({}, "nothing in days and nothing in default"),
        ({"days": [], "default": []}, "nothing in days and nothing in default"),
        ({"days": {}}, "are lists"),
        ({"days": [7]}, "day 1: must be a JSON object"),
        ({"days": [day()]}, "on must name some of"),
        ({"days": [day("monday")]}, "on must name some of"),
        ({"days": [day("mon", "tue"), day("tue")]}, "tue stands there more than once"),
        ({"days": [day("mon", entries=[])]}, "day 1: entries must be"),
        ({"days": [day("mon", entries=[entry(1, None, "06:00:00")])]}, 'day 1: entry 1 "e1": asset is missing'),
        ({"days": [day("mon", entries=[entry(1, 1)])]}, "first entry needs a start"),
        ({"days": [day("mon", entries=[entry(1, 1, "07:00:00"), entry(2, 1, "06:00:00")])]}, "does not start after"),
        ({"days": [day("mon")], "default": [clip(1, start="06:00:00", start_type="hard")]}, "has no start"),
        ({"default": [{**RELAY, "start": None, "start_type": "follow"}]}, "must have an asset"),
        ({"default": [{"id": "d1", "kind": "filler", "duration_s": 60}]}, "must have an asset"),
        ({"default": [clip(1), clip(1)]}, "has the id of entry 1"),
        ({"default": [clip(1, asset="x")]}, "not a digest"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_templates_are_refused_with_the_reason(head: dict[str, Any], said: str) -> None:
    """What plays when nobody looks must be right before it is sent."""
    assert any(said in problem for problem in problems(**head))


def test_every_problem_of_a_template_is_said_at_once() -> None:
    """As with a schedule: one go, not one error per try."""
    bad = [day("mon", entries=[entry(1, 1, "25:00:00")]), day("mon", entries=[])]
    assert len(problems(days=bad, default=[clip(1, in_s=-1)], version=-1)) == 5
