"""What is wrong is told with its weight and the next step; what is normal is not."""

import msgspec
import pytest

from appliance.core.alarms import Thresholds, alarms, findings
from appliance.core.errors import Text
from appliance.core.health import (
    Agent,
    Clock,
    Link,
    LiveFact,
    Machine,
    NotReady,
    OnAir,
    OrderFact,
    Queue,
    Snapshot,
    Storage,
    Sync,
)
from tests.appliance.boxes import AT_US, S

HOUR = 3600 * S
GIB = 1024**3
WELL = Snapshot(
    site="dengfeng",
    name="登封",
    zone="Asia/Shanghai",
    now_us=AT_US,
    version="0.1.0",
    on_air=(
        OnAir(
            channel="dengfeng-1",
            name="登封综合",
            planned=True,
            ledger_until_us=AT_US + 24 * HOUR,
            fillers=2,
            fillers_ready=1,
        ),
    ),
    link=Link(state="connected"),
    storage=Storage(total_bytes=100 * GIB, free_bytes=50 * GIB, reserve_bytes=2 * GIB),
    clock=Clock(synchronised=True, hub_offset_ms=5),
    machine=Machine(temperature_c=50, memory_used_bytes=1, memory_total_bytes=4),
    agent=Agent(state="running", pid=1, at_us=AT_US),
)


def with_(**changes: object) -> Snapshot:
    return msgspec.structs.replace(WELL, **changes)


def channel(**changes: object) -> Snapshot:
    return with_(on_air=(msgspec.structs.replace(WELL.on_air[0], **changes),))


def coming(state: str, in_us: int, *, is_at_risk: bool = False) -> Snapshot:
    entry = NotReady(
        channel="dengfeng-1",
        title="新闻",
        start_us=AT_US + in_us,
        state=state,
        reason=Text("没有", "none"),  # type: ignore[arg-type]
        is_at_risk=is_at_risk,
    )
    return with_(coming=(entry,))


def live(state: str) -> Snapshot:
    fact = LiveFact(
        channel="dengfeng-1",
        entry_id="e1",
        title="新闻联播",
        url="http://10.1.2.3/x",
        state=state,  # type: ignore[arg-type]
        start_us=AT_US,
        until_us=AT_US + HOUR,
        reason=Text("超时", "timed out"),
    )
    return with_(live=(fact,))


@pytest.mark.parametrize(
    ("state", "identity"),
    [("lost", "live:dengfeng-1"), ("waiting", "live:dengfeng-1"), ("unreachable", "live-source:dengfeng-1"),
     ("on", None), ("reachable", None), ("unasked", None)],
)  # fmt: skip
def test_a_live_entry_without_its_source_is_red_with_its_address(state: str, identity: str | None) -> None:
    """Whoever is called at five to seven has to know where to look."""
    found = findings(live(state), Thresholds())
    assert [each.id for each in found] == ([identity] if identity else [])
    for each in found:
        assert each.severity == "red" and "timed out" in each.text.en and "http://10.1.2.3/x" in each.hint.en


def order(due_us: int | None, state: str = "new") -> Snapshot:
    return with_(
        orders=(
            OrderFact(id="o1", title="报送", body="", state=state, received_at_us=AT_US, due_us=due_us),  # type: ignore[arg-type]
        )
    )


def test_a_box_that_is_well_has_nothing_to_say() -> None:
    """An alarm that is always there is never read."""
    assert findings(WELL, Thresholds()) == ()


CASES = [
    ("never started", with_(agent=Agent()), ("agent", "red")),
    ("silent", with_(agent=Agent(state="silent", at_us=AT_US - HOUR)), ("agent", "red")),
    ("1970", with_(now_us=5 * S, on_air=()), ("clock", "red")),
    ("clock off", with_(clock=Clock(synchronised=True, hub_offset_ms=-2500)), ("clock", "amber")),
    ("clock free", with_(clock=Clock(synchronised=False)), ("clock", "amber")),
    ("below reserve", with_(storage=Storage(total_bytes=9, free_bytes=1, reserve_bytes=2)), ("disk", "amber")),
    (
        "over quota",
        with_(
            storage=Storage(total_bytes=9, free_bytes=9, reserve_bytes=2, media_bytes=5 * GIB, cache_bytes_max=4 * GIB)
        ),
        ("cache-quota", "amber"),
    ),
    (
        "not read for long",
        with_(storage=Storage(total_bytes=9, free_bytes=9, reserve_bytes=2, assets_unread=2)),
        ("scrub", "amber"),
    ),
    ("nearly full", with_(storage=Storage(total_bytes=9, free_bytes=0, reserve_bytes=2 * GIB)), ("disk", "red")),
    (
        "rot",
        with_(storage=msgspec.structs.replace(WELL.storage, assets_bad=1)),
        ("bad-assets", "amber"),
    ),
    ("filler", channel(planned=False), ("filler:dengfeng-1", "amber")),
    ("ledger short", channel(ledger_until_us=AT_US + 6 * HOUR), ("ledger:dengfeng-1", "amber")),
    ("ledger over", channel(ledger_until_us=AT_US - HOUR), ("ledger:dengfeng-1", "red")),
    ("no ledger", channel(ledger_until_us=None), ("ledger:dengfeng-1", "red")),
    ("missing at once", coming("cannot", HOUR // 4), ("readiness:30min", "red")),
    ("missing now", coming("cannot", -S), ("readiness:30min", "red")),
    ("missing soon", coming("cannot", HOUR), ("readiness:6h", "amber")),
    ("late soon", coming("late_by", HOUR), ("readiness:6h", "amber")),
    ("missing tonight", coming("cannot", 9 * HOUR), ("readiness:24h", "amber")),
    ("no schedule tonight", channel(next_day_at_us=AT_US + 5 * HOUR), ("schedule:dengfeng-1", "amber")),
    ("no schedule now", channel(next_day_at_us=AT_US + HOUR // 4), ("schedule:dengfeng-1", "red")),
    (
        "only the default",
        channel(next_day_at_us=AT_US + 5 * HOUR, next_day_plan="default"),
        ("schedule:dengfeng-1", "amber"),
    ),
    ("no filler", channel(fillers=2, fillers_ready=0), ("fillers:dengfeng-1", "amber")),
    ("at risk soon", coming("ready_by", HOUR, is_at_risk=True), ("at-risk", "red")),
    ("at risk tonight", coming("ready_by", 9 * HOUR, is_at_risk=True), ("at-risk", "amber")),
    ("locked out", with_(link=Link(state="locked_out")), ("link", "red")),
    ("offline", with_(link=Link(state="offline", since_us=AT_US - HOUR)), ("link", "info")),
    ("offline long", with_(link=Link(state="offline", since_us=AT_US - 48 * HOUR)), ("link", "amber")),
    ("parked", with_(sync=Sync(parked_records=1)), ("parked", "amber")),
    ("transfer failed", with_(sync=Sync(up=Queue(failed=1))), ("transfers", "amber")),
    ("order", order(None), ("orders", "info")),
    ("order overdue", order(AT_US - S), ("orders", "amber")),
    ("hot", with_(machine=Machine(temperature_c=95)), ("temperature", "amber")),
    ("memory", with_(machine=Machine(memory_used_bytes=99, memory_total_bytes=100)), ("memory", "amber")),
]


@pytest.mark.parametrize(("seen", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_trouble_has_its_alarm_with_a_next_step(seen: Snapshot, expected: tuple[str, str]) -> None:
    """One trouble, one alarm, in both languages, and something to do."""
    found = findings(seen, Thresholds())
    assert [(each.id, each.severity) for each in found] == [expected]
    assert all((each.text.zh, each.text.en, each.hint.zh, each.hint.en) for each in found)


@pytest.mark.parametrize(
    "seen",
    [
        channel(planned=False, kind="emergency"),
        coming("ready_by", HOUR),
        order(AT_US - S, "answered"),
        channel(next_day_at_us=AT_US + 7 * HOUR),
        channel(next_day_at_us=AT_US + HOUR, next_day_plan="template"),
        with_(link=Link(state="alone")),
        with_(link=Link(state="connecting")),
        with_(clock=Clock()),
        with_(machine=Machine()),
        with_(storage=None),
    ],
    ids=range(10),
)
def test_what_is_normal_or_unknown_is_no_alarm(seen: Snapshot) -> None:
    """A technician learns to look away from alarms that mean nothing."""
    assert findings(seen, Thresholds()) == ()


def test_an_entry_is_told_anew_as_its_time_comes_and_once_at_a_time() -> None:
    """What was seen this morning and forgotten must be heard again; one trouble is one line."""
    seen = with_(
        coming=(*coming("cannot", 9 * HOUR).coming, *coming("cannot", HOUR).coming, *coming("late_by", S).coming)
    )
    assert [(each.id, each.severity) for each in findings(seen, Thresholds())] == [
        ("readiness:30min", "red"),
        ("readiness:6h", "amber"),
        ("readiness:24h", "amber"),
    ]
    for at, stages in ((7, ["readiness:24h"]), (5, ["readiness:6h"]), (0, ["readiness:30min"])):
        assert [each.id for each in findings(coming("cannot", at * HOUR + S), Thresholds())] == stages


def test_the_worst_stands_first_and_thresholds_are_the_callers() -> None:
    """The first line is what one must act on."""
    seen = with_(link=Link(state="locked_out"), sync=Sync(parked_records=1), clock=Clock(hub_offset_ms=300))
    assert [each.severity for each in findings(seen, Thresholds(clock_offset_ms=100))] == ["red", "amber", "amber"]
    assert [each.id for each in findings(seen, Thresholds())] == ["link", "parked"]


def test_an_alarm_keeps_the_moment_since_when_it_holds() -> None:
    """Also when its words change, as an age does."""
    first = alarms(findings(with_(agent=Agent(state="silent", at_us=AT_US - HOUR)), Thresholds()), (), AT_US)
    later = findings(with_(agent=Agent(state="silent", at_us=AT_US - 5 * HOUR)), Thresholds())
    assert [alarm.since_us for alarm in alarms(later, first, AT_US + HOUR)] == [AT_US]
    assert [alarm.since_us for alarm in alarms(later, (), AT_US + HOUR)] == [AT_US + HOUR]
