"""What a technician is told of an output for a modulator: each fault by its own alarm, and in both languages."""

import msgspec
import pytest

from appliance.core.errors import Text
from appliance.core.health import OutputFact
from appliance.core.moment import US
from appliance.core.outputs import line_of, of_outputs

NOW = 1_795_500_000 * US
WELL = OutputFact(
    channel="dengfeng-1",
    name="登封综合",
    address="239.0.0.1:5000",
    sender="main",
    sent_until_us=NOW,
    told_at_us=NOW,
    standby="ready",
    probe_at_us=NOW,
    is_probed=True,
    continuity_errors=0,
    pcr_interval_max_ms=20.3,
)


def found(**changed: object) -> list[tuple[str, str]]:
    return [(one.id, one.severity) for one in of_outputs((msgspec.structs.replace(WELL, **changed),), NOW)]


def test_a_picture_that_stands_for_a_moment_or_is_meant_to_is_no_alarm() -> None:
    """A title stands for seconds, the slate for ever; and of the slate another alarm tells."""
    assert found(black_since_us=NOW - 5 * US, still_since_us=NOW - 19 * US) == []
    still = msgspec.structs.replace(WELL, still_since_us=NOW - 60 * US)
    assert list(of_outputs((still,), NOW, {"dengfeng-1"})) == []


def test_an_output_that_is_well_raises_nothing() -> None:
    """A red line that is always there is not read."""
    assert found() == []
    assert found(sender="standby") == [], "the main sender is behind it: it does not matter which of two sends"
    assert found(standby="none") == [], "a standby that there never was is not missed"
    assert found(probe_at_us=None, is_probed=False) == []


@pytest.mark.parametrize(
    ("changed", "alarm"),
    [
        ({"sender": None}, ("output:dengfeng-1", "red")),
        ({"network": Text("无路由", "no route")}, ("output-network:dengfeng-1", "red")),
        ({"note": Text("缺", "missing")}, ("output-slate:dengfeng-1", "amber")),
        ({"late_pictures": 3}, ("output-rate:dengfeng-1", "amber")),
        ({"standby": "gone"}, ("output-standby:dengfeng-1", "amber")),
        ({"sender": "standby", "standby": "gone"}, ("output-standby:dengfeng-1", "amber")),
        ({"is_probed": False}, ("probe:dengfeng-1", "amber")),
        ({"black_since_us": NOW - 6 * US}, ("picture:dengfeng-1", "amber")),
        ({"still_since_us": NOW - 20 * US}, ("picture:dengfeng-1", "amber")),
        ({"fault": Text("断", "broke off"), "fault_at_us": NOW - 5 * US}, ("probe:dengfeng-1", "red")),
    ],
)
def test_each_fault_has_its_alarm(changed: dict[str, object], alarm: tuple[str, str]) -> None:
    """Who sees it knows what to look at."""
    assert found(**changed) == [alarm]
    (finding,) = of_outputs((msgspec.structs.replace(WELL, **changed),), NOW)
    assert "登封综合" in finding.text.zh and "dengfeng-1" in finding.text.en and finding.hint.zh and finding.hint.en


def test_what_the_probe_found_long_ago_is_no_alarm() -> None:
    """It is in the as-run log."""
    assert found(fault=Text("断", "broke off"), fault_at_us=NOW - 120 * US) == []


def test_the_overview_has_a_line_for_each_output() -> None:
    """Who sends, what is behind it, and what is heard."""
    assert line_of(WELL).en == (
        "output dengfeng-1 239.0.0.1:5000: the main sender, standby ready, probe: 0 continuity errors,"
        " PCR every 20 ms at most"
    )
    assert "无人发送" in line_of(msgspec.structs.replace(WELL, sender=None)).zh
