"""Who is upgraded when, and what stops a release."""

from typing import Any

import msgspec
import pytest

from appliance.core.errors import Refused, Text
from provisioning.hub import waves
from provisioning.hub.waves import County, Ill, Outcome, Plan, Rollout

SITES = ("zhongmu", "dengfeng", "gongyi", "xinmi", "xingyang", "xinzheng")
BEGAN_US, DONE_US, NOW_US = 1_000, 2_000, 3_000


def well(site: str, **changes: Any) -> County:
    said = County(site=site, is_connected=True, heard_us=BEGAN_US - 1, release="1.0", on_air=(f"{site}-1",))
    return msgspec.structs.replace(said, **changes)


def upgraded(site: str, **changes: Any) -> County:
    return well(site, **{"heard_us": NOW_US, "release": "1.1"} | changes)


FLEET = tuple(well(site) for site in SITES)
BARE = Rollout(version="1.1", began_us=BEGAN_US, by="王工", reason="月度升级")


def on_its_way(*done: str) -> Rollout:
    return msgspec.structs.replace(
        BARE, before=FLEET, outcomes={site: Outcome(state="done", at_us=DONE_US) for site in done}
    )


def now(*others: County) -> tuple[County, ...]:
    changed = {each.site: each for each in others}
    return tuple(changed.get(each.site, each) for each in FLEET)


def test_one_then_three_then_the_rest() -> None:
    """In the order in which they were named."""
    assert waves.plan("1.1", FLEET, SITES, ()).waves == (SITES[:1], SITES[1:4], SITES[4:])


def test_who_is_ill_goes_last_and_who_has_it_does_not_go() -> None:
    """What fails on a box that was ill already says nothing about the release. A box may have it from a stick."""
    fleet = now(well("zhongmu", red=("output:zhongmu-1",)), well("dengfeng", is_connected=False), upgraded("gongyi"))
    planned = waves.plan("1.1", fleet, SITES[:5], ("xinzheng",))
    assert planned == Plan(
        waves=(("xinmi",), ("xingyang", "zhongmu", "dengfeng")), already=("gongyi",), pending=("xinzheng",)
    )


@pytest.mark.parametrize("state", ["fenced", "revoked", "invited"])
def test_a_box_that_the_hub_does_not_let_in_is_not_upgraded(state: str) -> None:
    """Nobody could say how it fares."""
    with pytest.raises(Refused, match="zhongmu"):
        waves.plan("1.1", now(well("zhongmu", state=state)), SITES, ())
    with pytest.raises(Refused, match="nanyang"):
        waves.plan("1.1", FLEET, ("nanyang",), ())


def test_a_second_run_changes_nothing() -> None:
    """Not even the time when it began."""
    fleet = tuple(upgraded(site) for site in SITES)
    first = waves.begun(None, waves.plan("1.1", fleet, SITES, ()), fleet, BARE)
    later = msgspec.structs.replace(BARE, began_us=9_000)
    assert waves.begun(first, waves.plan("1.1", fleet, SITES, ()), fleet, later) is first


def test_who_was_away_is_pending_until_a_run_finds_it() -> None:
    """Not failed: the rest goes on."""
    first = waves.begun(None, waves.plan("1.1", FLEET, SITES[:5], SITES[5:]), FLEET, BARE)
    assert first.outcomes["xinzheng"].state == "pending" and first.stopped is None
    fleet = tuple(upgraded(site) for site in SITES[:5]) + FLEET[5:]
    planned = waves.plan("1.1", fleet, SITES, ())
    assert planned.waves == (("xinzheng",),)
    done = waves.noted(waves.begun(first, planned, fleet, BARE), "xinzheng", Outcome(state="done", at_us=DONE_US))
    assert done.outcomes["xinzheng"].state == "done"


def test_a_release_that_failed_is_not_begun_again_without_a_word() -> None:
    """The same command, an hour later, by somebody who has not heard of it."""
    stopped = waves.noted(on_its_way(), "zhongmu", Outcome(state="failed", at_us=DONE_US, why="the gate failed"))
    planned = waves.plan("1.1", FLEET, SITES, ())
    with pytest.raises(Refused, match="the gate failed"):
        waves.begun(stopped, planned, FLEET, BARE)
    assert waves.begun(stopped, planned, FLEET, BARE, again=True).stopped is None


def test_the_next_wave_begins_when_every_upgraded_box_has_been_heard_well() -> None:
    """On the release, since it was upgraded."""
    rollout = on_its_way("zhongmu", "dengfeng")
    assert waves.ills(rollout, now(upgraded("zhongmu"), upgraded("dengfeng"))) == ()
    assert waves.ills(rollout, now(upgraded("zhongmu"))) == (
        Ill("dengfeng", Text("升级后没有音讯", "has not been heard since")),
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"red": ("output:zhongmu-1",)}, "output:zhongmu-1"),
        ({"heard_us": DONE_US}, "not been heard"),
        ({"is_connected": False}, "not been heard"),
        ({"release": "1.0"}, "runs 1.0"),
        ({"on_air": ()}, "not on the air"),
        ({"unplanned": ("zhongmu-1",)}, "not as planned"),
        ({"state": "fenced"}, "fenced"),
    ],
)
def test_an_upgraded_box_that_is_worse_than_before_stops_it(changes: dict[str, Any], words: str) -> None:
    """Each in its own way; and only when it has had its time."""
    found = waves.ills(on_its_way("zhongmu"), now(upgraded("zhongmu", **changes)))
    assert len(found) == 1 and words in found[0].what.en
    assert [waves.verdict(found, is_time_over=over) for over in (False, True)] == ["wait", "stop"]
    assert "zhongmu" in str(waves.stopped(on_its_way("zhongmu"), found).stopped)


def test_a_box_that_was_not_touched_stops_it_too() -> None:
    """A release may reach others through the hub; whoever is ill needs the operator's eyes, not a second wave."""
    found = waves.ills(on_its_way("zhongmu"), now(upgraded("zhongmu"), well("xinmi", red=("ledger:xinmi-1",))))
    assert [each.site for each in found] == ["xinmi"]


def test_what_was_ill_before_and_lines_that_are_cut_stop_nothing() -> None:
    """Sixteen lines in the country: one of them is always away."""
    before = now(well("xinmi", red=("raised:media-disk",)))
    rollout = msgspec.structs.replace(on_its_way("zhongmu"), before=before)
    seen = now(upgraded("zhongmu"), well("xinmi", red=("raised:media-disk",)), well("gongyi", is_connected=False))
    assert waves.ills(rollout, seen) == ()
    assert waves.verdict((), is_time_over=True) == "go"


@pytest.mark.parametrize("status", [{}, {"release": 7, "alarms": "x", "on_air": [1]}, {"alarms": [{"severity": 1}]}])
def test_whatever_a_box_says_makes_a_county(status: dict[str, Any]) -> None:
    """It is not trusted to have any shape."""
    made = waves.county("zhongmu", "approved", is_connected=True, heard_us=1, status=status)
    assert (made.site, made.release, made.on_air) == ("zhongmu", "", ())
