"""When the timers of a box last ran and will run next, and what its firewall says, from what the programs say. Pure.

Reading media again and signing the site's stream are the agent's own work, and have no timers (ADR 35); when it last
did so stands in the database.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec

from appliance.core.errors import Text
from appliance.core.moment import US, to_text
from appliance.core.upkeep import BACKUP_AMBER_US, age_of

PROPERTIES: Final = ("Id", "LoadState", "LastTriggerUSec", "NextElapseUSecRealtime", "Result")
DAY_US: Final = 86_400 * US
_FORMAT: Final = "%a %Y-%m-%d %H:%M:%S UTC"
"""How systemctl shows a moment where TZ is UTC."""


class Timer(msgspec.Struct, frozen=True):
    """What a timer is for, what it starts, and how long ago its last run may be."""

    name: Text
    service: str
    age_us_max: int


TIMERS: Final[dict[str, Timer]] = {
    "songshan-backup.timer": Timer(Text("夜间备份", "nightly backup"), "songshan-backup.service", BACKUP_AMBER_US),
    "apt-daily.timer": Timer(Text("更新清单", "lists of updates"), "apt-daily.service", 8 * DAY_US),
    "apt-daily-upgrade.timer": Timer(Text("安全更新", "security updates"), "apt-daily-upgrade.service", 8 * DAY_US),
}
ASKED: Final = (*TIMERS, *(each.service for each in TIMERS.values()))


class Ticked(msgspec.Struct, frozen=True):
    """A timer as it was found: `problem` None, with nothing to do; `service` is what to look at where there is one."""

    unit: str
    service: str
    found: Text
    problem: bool = False


def of_timers(states: dict[str, dict[str, str]], now_us: int) -> Iterator[Ticked]:
    """Each that is there; that one is missing or off is told by `unit_states`."""
    for unit, timer in TIMERS.items():
        told = states.get(unit)
        if told is None or told.get("LoadState") != "loaded":
            continue
        last_us, next_us = (_moment_us(told.get(name, "")) for name in PROPERTIES[2:4])
        last = to_text(last_us) if last_us is not None else None
        following = to_text(next_us) if next_us is not None else None
        when = Text(
            f"上次 {last or '从未'}，下次 {following or '未定'}", f"last {last or 'never'}, next {following or '-'}"
        )
        found = Text(f"{timer.name.zh}：{when.zh}", f"{timer.name.en}: {when.en}")
        result = states.get(timer.service, {}).get("Result", "success")
        if result not in ("", "success"):
            text = Text(f"{found.zh}；上次失败（{result}）", f"{found.en}; the last run failed ({result})")
            yield Ticked(unit, timer.service, text, problem=True)
        elif next_us is None:
            yield Ticked(unit, timer.service, found, problem=True)
        elif last_us is not None and now_us - last_us > timer.age_us_max:
            age = age_of(now_us - last_us)
            text = Text(f"{found.zh}；已 {age.zh}没有运行", f"{found.en}; it has not run for {age.en}")
            yield Ticked(unit, timer.service, text, problem=True)
        else:
            yield Ticked(unit, timer.service, found)


def _moment_us(shown: str) -> int | None:
    """A moment as systemctl shows it; None for `n/a`, nothing, and what nobody understands."""
    try:
        return round(datetime.strptime(shown, _FORMAT).replace(tzinfo=UTC).timestamp()) * US
    except ValueError:
        return None


def closes(rules: str) -> bool:
    """Whether `nft list table inet songshan` shows what keeps everything out that nobody named."""
    lines = [" ".join(line.split()) for line in rules.splitlines()]
    return any("hook input" in line and "policy drop" in line for line in lines)
