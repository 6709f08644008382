"""Senders take up another release one after the other, so that one of the two always sends."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from appliance import renewing, senders
from appliance.config import ChannelConfig, Config
from appliance.core.errors import Refused
from appliance.senders import Probe, Role, Sender
from tests.appliance.boxes import box
from tests.simulators.clock import SimulatedClock

CHANNEL = "dengfeng-1"
STANDBY, MAIN = f"songshan-playout-standby@{CHANNEL}.service", f"songshan-playout@{CHANNEL}.service"
WATCH = f"songshan-playout-watch@{CHANNEL}.service"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Both senders and the probe run, since before the switch."""
    made = replace(box(tmp_path / "box"), channels=(ChannelConfig(CHANNEL, "登封综合", udp="239.0.0.1:5000"),))
    for role in ("main", "standby"):
        runs(made, role, ago_us=3_600_000_000)  # type: ignore[arg-type]
    now_us = made.clock.wall_us()
    numbers = {name: 0 for name in Probe.__struct_fields__ if name not in ("output", "last_fault")}
    probe = msgspec.convert({**numbers, "output": "x", "last_fault": None}, Probe)
    senders.tell(made, CHANNEL, msgspec.structs.replace(probe, at_us=now_us, started_at_us=now_us - 3_600_000_000))
    return made


def runs(config: Config, role: Role, ago_us: int) -> None:
    now_us = config.clock.wall_us()
    numbers = dict.fromkeys(Sender.__struct_fields__, 0)
    said = {**numbers, "role": role, "leads": role == "main", "output": "x", "network": None, "note": None}
    said |= {"database": None, "at_us": now_us, "started_at_us": now_us - ago_us}
    senders.tell(config, CHANNEL, msgspec.convert(said, Sender))


def starts(config: Config, asked: list[str], fails: str = "") -> Callable[[Sequence[str]], None]:
    def run(arguments: Sequence[str]) -> None:
        asked.append(arguments[1])
        if arguments[1] != fails and arguments[1] in (STANDBY, MAIN):
            runs(config, "main" if arguments[1] == MAIN else "standby", ago_us=renewing.SETTLED_US)

    return run


def test_the_standby_goes_first_and_a_second_time_nothing_is_touched(config: Config) -> None:
    """What was started since the switch runs the new code already."""
    asked: list[str] = []
    since_us = config.clock.wall_us() - 60_000_000
    assert list(renewing.renew(config, starts(config, asked), since_us)) == [STANDBY, MAIN, WATCH]
    assert asked == [STANDBY, MAIN, WATCH]
    del asked[:]
    senders.told(config, CHANNEL)
    (config.playout / f"{CHANNEL}.probe.json").unlink()
    assert list(renewing.renew(config, starts(config, asked), since_us)) == asked == []


def test_time_goes_by_while_one_comes_back(config: Config) -> None:
    """On a slow machine it takes longer than a sender's word is good for: the other ones are restarted all the same."""
    clock = SimulatedClock(config.clock.wall_us())
    slow = replace(config, clock=clock)
    asked: list[str] = []

    def run(arguments: Sequence[str]) -> None:
        clock.pass_us(3 * senders.FRESH_US)
        main, standby, probe = senders.told(slow, CHANNEL)
        for each in (main, standby, probe):
            assert each is not None
            senders.tell(slow, CHANNEL, msgspec.structs.replace(each, at_us=clock.wall_us()))
        starts(slow, asked)(arguments)

    assert list(renewing.renew(slow, run, clock.wall_us())) == asked == [STANDBY, MAIN, WATCH]


def test_a_standby_that_does_not_come_back_leaves_the_main_alone(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sends by the old code, and the county sees nothing of it."""
    monkeypatch.setattr(renewing, "READY_S", 0.05)
    asked: list[str] = []
    with pytest.raises(Refused, match="not come back"):
        list(renewing.renew(config, starts(config, asked, fails=STANDBY), config.clock.wall_us()))
    assert asked == [STANDBY]


def test_a_main_without_a_standby_is_left_alone(config: Config) -> None:
    """Nobody would send while it starts."""
    (config.playout / f"{CHANNEL}.standby.json").unlink()
    asked: list[str] = []
    with pytest.raises(Refused, match="left alone"):
        list(renewing.renew(config, starts(config, asked), config.clock.wall_us()))
    assert asked == []
