"""A hub's folder with the sixteen counties in it, each as its box would have said; and whose session stands."""

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.config import ChannelConfig
from appliance.core import moment
from appliance.core.moment import US
from provisioning.hub.folder import HubFolder, HubSettings, render_settings
from provisioning.hub.sites import Site, State, write_site
from provisioning.hub.status import read_status, write_status

NAMES = {
    "zhongmu": "中牟县",
    "dengfeng": "登封市",
    "gongyi": "巩义市",
    "xinmi": "新密市",
    "xingyang": "荥阳市",
    "xinzheng": "新郑市",
    "zhongyuan": "中原区",
    "erqi": "二七区",
    "jinshui": "金水区",
    "guancheng": "管城区",
    "huiji": "惠济区",
    "shangjie": "上街区",
    "gaoxin": "高新区",
    "hangkonggang": "航空港区",
    "zhengdong": "郑东新区",
    "jingkai": "经开区",
}
AT_US = moment.to_us("2026-11-26T10:46:12Z")
GIB = 1024**3


@dataclass
class SetClock:
    """A clock that stands where a test puts it."""

    us: int = AT_US

    def wall_us(self) -> int:
        return self.us

    def running_us(self) -> int:
        return self.us


@dataclass
class Counties:
    """The hub, its clock, and the sessions that stand."""

    folder: HubFolder
    clock: SetClock
    held: dict[str, ExitStack] = field(default_factory=dict)

    def add(self, site: str, state: State = "approved", name: str | None = None) -> None:
        """A site, as `enrol` and `approve` leave it."""
        called = name or f"{NAMES.get(site, site)}融媒体中心"
        made = Site(
            site=site,
            name=called,
            zone="Asia/Shanghai",
            channels=(ChannelConfig(f"{site}-1", f"{NAMES.get(site, site)}综合"),),
            state=state,
            enrolled_at="2026-10-01T02:00:00Z",
        )
        write_site(self.folder, made)

    def say(self, site: str, ago_s: float = 3, **other: Any) -> None:
        """What its box said, so long ago."""
        at_us = self.clock.us - round(ago_s * US)
        write_status(self.folder.site(site), {**well(site, at_us), **other}, at_us)

    def speak(self) -> None:
        """Every box whose session stands says again what it said."""
        for site in self.held:
            said = read_status(self.folder.site(site))
            if said is not None:
                write_status(self.folder.site(site), said.status, self.clock.us)

    def connect(self, site: str) -> None:
        """Let its session stand."""
        kept = ExitStack()
        file = kept.enter_context(self.folder.site(site).session.open("wb"))
        fcntl.flock(file, fcntl.LOCK_EX)
        self.held[site] = kept

    def leave(self, site: str) -> None:
        """Let it end, as kill -9 does."""
        self.held.pop(site).close()

    def configure(self, table: dict[str, Any]) -> None:
        """The table [alarms] of hub.toml."""
        settings = HubSettings(id="songshan", host="127.0.0.1", port=2222, user="songshan-hub", alarms=table)
        self.folder.settings_file.write_text(render_settings(settings))

    def close(self) -> None:
        for site in list(self.held):
            self.leave(site)


@contextmanager
def counties(path: Path) -> Iterator[Counties]:
    """A hub with nobody in it yet."""
    clock = SetClock()
    folder = HubFolder(path, clock)
    for each in (folder.ssh, folder.journals, folder.sites, folder.log):
        each.mkdir(parents=True)
    made = Counties(folder, clock)
    made.configure({})
    try:
        yield made
    finally:
        made.close()


def well(site: str, at_us: int) -> dict[str, Any]:
    """What a box says that is well."""
    return {
        "version": "0.4.1",
        "on_air": [
            {
                "channel": f"{site}-1",
                "name": f"{NAMES.get(site, site)}综合",
                "title": "早间新闻",
                "kind": "programme",
                "planned": True,
            }
        ],
        "coming": [],
        "storage": {"free_bytes": 512 * GIB, "total_bytes": 1800 * GIB, "reserve_bytes": 2 * GIB},
        "clock": {"synchronised": True, "hub_offset_ms": 12.0},
        "sync": {"unsent_records": 0},
        "backup": {"last": moment.to_text(at_us - 8 * 3600 * US), "count": 7},
        "release": {"current": "0.4.1", "next_boot": "0.4.1", "state": "committed", "new": "0.4.1"},
        "alarms": [],
    }


def alarm(identity: str, severity: str, zh: str, en: str, hint_zh: str = "", hint_en: str = "") -> dict[str, Any]:
    """One as a box says it."""
    return {
        "id": identity,
        "severity": severity,
        "text": {"zh": zh, "en": en},
        "hint": {"zh": hint_zh, "en": hint_en},
        "since": moment.to_text(AT_US - 1800 * US),
    }


MISSING = alarm(
    "readiness:30min",
    "red",
    "3 条节目备播不足，最早《晚间新闻》18 分钟后开播：素材传输失败",
    "3 entries will not be ready, first '晚间新闻' in 18 min: its transfer failed",
    "现在就改节目单，或备好应急插播：songshan air insert",
    "change the schedule now, or have an insertion at hand: songshan air insert",
)
CLOCK = alarm(
    "clock",
    "amber",
    "时钟未与时间服务器同步",
    "the clock follows no time server",
    "请检查时间服务：chronyc tracking",
    "check the time service: chronyc tracking",
)
ROLLED_BACK = alarm(
    "upgrade",
    "amber",
    "升级到 0.4.2 已回退：检验未通过：网站接口：无应答",
    "0.4.2 was rolled back: the gate failed: API: no answer",
    "请把 songshan upgrade status 告诉嵩山云运维",
    "tell the hub's operator: songshan upgrade status",
)


def city(made: Counties) -> None:
    """The sixteen on a day when something is the matter with some of them."""
    for site in NAMES:
        made.add(site, "invited" if site == "jingkai" else "joined" if site == "zhengdong" else "approved")
    for site in NAMES:
        if site in ("jingkai", "zhengdong", "hangkonggang"):
            continue
        made.say(site)
        if site not in ("shangjie", "huiji"):
            made.connect(site)
    at_us = made.clock.us
    made.say("huiji", ago_s=20 * 60)
    made.say("shangjie", ago_s=3 * 86_400)
    airing = well("dengfeng", at_us)["on_air"][0]
    made.say(
        "dengfeng",
        alarms=[MISSING, alarm("link", "info", "提示一条", "a note")],
        coming=[{"channel": "dengfeng-1", "state": "cannot"}] * 3,
        on_air=[
            {
                **airing,
                "title": "城市风光",
                "kind": "filler",
                "planned": False,
                "reason": {"zh": "《午间新闻》未到", "en": "its file has not come"},
            },
            {"channel": "dengfeng-fm", "name": "登封广播", "title": "交通早高峰", "kind": "programme", "planned": True},
        ],
    )
    made.say("xinmi", alarms=[CLOCK], clock={"synchronised": False, "hub_offset_ms": -2400.0})
    made.say(
        "gongyi",
        alarms=[ROLLED_BACK],
        release={"current": "0.4.1", "next_boot": "0.4.1", "state": "rolled_back", "new": "0.4.2"},
    )
    made.say("erqi", release={"current": "0.4.1", "next_boot": "0.4.2", "state": "verifying", "new": "0.4.2"})
