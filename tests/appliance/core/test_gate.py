"""The gate: what lets a new release stay, and what does not."""

from typing import Any

import msgspec
import pytest

from appliance.core import gate
from appliance.core.errors import Text
from appliance.core.gate import Answers, Policy
from appliance.core.health import Agent, Alarm, Link, OnAir, OutputFact, Snapshot, Storage
from appliance.core.release import Baseline, Signal

NOW_US = 1_795_500_000_000_000
HOUR_US = 3_600_000_000
POLICY = Policy(passes_min=3, pause_s=5, bound_s=60)


def box(**changes: Any) -> Snapshot:
    """A box that is well, a minute after its agent was started anew."""
    seen = Snapshot(
        site="dengfeng",
        name="登封",
        zone="Asia/Shanghai",
        now_us=NOW_US,
        version="1",
        on_air=(OnAir(channel="dengfeng-1", name="登封综合", ledger_until_us=NOW_US + 24 * HOUR_US),),
        outputs=(OutputFact(channel="dengfeng-1", name="登封综合", address="239.0.0.1:5000", sender="main"),),
        storage=Storage(total_bytes=100 << 30, free_bytes=50 << 30, reserve_bytes=2 << 30),
        agent=Agent(state="running", pid=7, started_at_us=NOW_US - 60_000_000, at_us=NOW_US - 1_000_000),
    )
    return msgspec.structs.replace(seen, **changes)


BEFORE = gate.baseline(box(now_us=NOW_US - HOUR_US), Answers(healthz=200, served=("dengfeng-1",)))


def signals(
    seen: Snapshot,
    api: int | None = 200,
    before: Baseline = BEFORE,
    served: tuple[str, ...] = ("dengfeng-1",),
    agent_us: int | None = None,
) -> dict[str, bool | None]:
    said = Answers(healthz=api, served=served)
    return {each.name: each.good for each in gate.look(before, seen, said, NOW_US - 90_000_000, agent_us)}


def alarm(identity: str) -> Alarm:
    return Alarm(id=identity, severity="red", text=Text("坏", "bad"), hint=Text("修", "mend"), since_us=NOW_US)


WELL = dict.fromkeys(("air", "api", "tick", "disk", "clock"), True)


def test_a_box_that_is_as_it_was_passes() -> None:
    """Five signals, all looked at."""
    assert signals(box()) == WELL


@pytest.mark.parametrize(
    ("name", "changes", "api"),
    [
        ("air", {"on_air": ()}, 200),
        ("air", {"on_air": (OnAir(channel="dengfeng-1", name="", ledger_until_us=NOW_US + 60_000_000),)}, 200),
        ("air", {"outputs": (OutputFact(channel="dengfeng-1", name="", address="", sender=None),)}, 200),
        ("api", {}, 503),
        ("api", {}, None),
        ("tick", {"agent": Agent(state="never")}, 200),
        ("tick", {"agent": Agent(state="silent", pid=7, started_at_us=NOW_US, at_us=NOW_US)}, 200),
        ("tick", {"agent": Agent(state="running", pid=7, started_at_us=NOW_US - HOUR_US, at_us=NOW_US)}, 200),
        ("disk", {"storage": None}, 200),
        ("disk", {"storage": Storage(total_bytes=100 << 30, free_bytes=1 << 30, reserve_bytes=2 << 30)}, 200),
        ("disk", {"alarms": (alarm("raised:media-away"),)}, 200),
        ("clock", {"alarms": (alarm("raised:clock-behind"),)}, 200),
    ],
)
def test_each_signal_fails_for_its_own_reason_alone(name: str, changes: dict[str, Any], api: int | None) -> None:
    """A gate that is too shallow commits what does not work."""
    assert signals(box(**changes), api) == WELL | {name: False}


def test_a_channel_whose_segments_cannot_be_had_is_not_on_the_air() -> None:
    """/healthz answers, the ledger reaches a day ahead, and every player of the county has nothing."""
    assert signals(box(), served=()) == WELL | {"air": False}


def test_an_agent_that_ends_and_is_started_again_is_not_well() -> None:
    """At each look it has just come up."""
    assert signals(box(), agent_us=NOW_US - 60_000_000) == WELL
    assert signals(box(), agent_us=NOW_US - 70_000_000) == WELL | {"tick": False}


def test_a_clock_that_went_back_fails() -> None:
    """1970 after the restart."""
    assert signals(box(now_us=NOW_US - 2 * HOUR_US))["clock"] is False


def test_what_was_broken_before_is_not_held_against_the_release() -> None:
    """The upgrade may be what mends it."""
    before = gate.baseline(
        box(on_air=(), outputs=(), alarms=(alarm("raised:media-disk"),), now_us=NOW_US - HOUR_US), Answers()
    )
    found = signals(box(on_air=(), outputs=(), alarms=(alarm("raised:media-disk"),)), None, before, ())
    assert found == WELL | {"air": None, "api": None}


def test_the_line_to_the_hub_is_no_signal() -> None:
    """Bad network must not make a box unhealthy."""
    for state in ("offline", "locked_out", "connecting"):
        assert signals(box(link=Link(state=state))) == WELL  # type: ignore[arg-type]


def test_it_takes_so_many_looks_in_a_row_within_the_bound() -> None:
    """Neither the first good look commits, nor does one that came too late."""
    assert [gate.decide(passes, 10, POLICY) for passes in (0, 1, 2, 3)] == ["wait", "wait", "wait", "commit"]
    assert gate.decide(2, 60, POLICY) == "roll_back"


def test_a_rollback_says_what_was_wrong() -> None:
    """In both languages, all of it."""
    bad = Signal(name="api", good=False, found=Text("无应答", "no answer"))
    assert gate.why_not((bad,), POLICY) == Text("检验未通过：网站接口：无应答", "the gate failed: API: no answer")
    assert "3" in gate.why_not((), POLICY).en
