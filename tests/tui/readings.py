"""Readings of boxes in all states: what the screens are shown in tests."""

from zoneinfo import ZoneInfo

import msgspec

from appliance.core.alarms import Thresholds, alarms, findings
from appliance.core.errors import Text
from appliance.core.health import (
    Agent,
    Clock,
    Finding,
    Link,
    NotReady,
    OnAir,
    OrderFact,
    Queue,
    Snapshot,
    Storage,
    StreamFact,
    SubmissionFact,
    Sync,
    Web,
)
from appliance.core.moment import US, to_us
from tui.catalogue import looks
from tui.look import Look
from tui.view.reading import Reading

ZONE = ZoneInfo("Asia/Shanghai")
LOOKS: dict[str, Look] = looks(ZONE)
WIDE: dict[str, Look] = looks(ZONE, is_wide=True)
"""For terminals that draw signs of ambiguous width, borders among them, over two cells."""
PLAIN: Look = looks(ZONE, ("en",), plain=True)["en"]
NOW_US = to_us("2026-11-24T06:03:00Z")
MIN_US = 60 * US
HOUR_US = 60 * MIN_US
GB = 10**9


def reading(snapshot: Snapshot) -> Reading:
    """With the alarms that such a box has, each since a quarter of an hour."""
    found = alarms(findings(snapshot, Thresholds()), (), NOW_US - 15 * MIN_US)
    return Reading(NOW_US, msgspec.structs.replace(snapshot, alarms=(*snapshot.alarms, *found)))


def changed(**facts: object) -> Reading:
    """The healthy box, but for these."""
    return reading(msgspec.structs.replace(SNAPSHOT, **facts))


CHANNEL = OnAir(
    channel="dengfeng-1",
    name="登封综合频道",
    title="早间新闻联播",
    kind="programme",
    planned=True,
    fillers=2,
    fillers_ready=2,
    since_us=NOW_US - 18 * MIN_US,
    until_us=NOW_US + 12 * MIN_US,
    next_title="午间剧场：少林往事 第十二集",
    next_kind="programme",
    next_at_us=NOW_US + 12 * MIN_US,
    schedule_version=3,
    ledger_until_us=NOW_US + 25 * HOUR_US,
)
SECOND = msgspec.structs.replace(
    CHANNEL, channel="dengfeng-2", name="登封文旅频道", title="嵩山四季", kind="filler", next_title="Shaolin (repeat)"
)
LINK = Link(state="connected", hub="songshan", since_us=NOW_US - 3 * HOUR_US, round_trip_ms=23.4, at_us=NOW_US - 4 * US)
SYNC = Sync(
    streams=(StreamFact(stream="all/control", epoch=1, seq=7, checkpoint_at_us=NOW_US - 42 * US),),
    down=Queue(waiting=3, running=1, left_bytes=1_240_000_000, rate_bytes_per_s=1_200_000),
)
STORAGE = Storage(
    total_bytes=2000 * GB,
    free_bytes=1200 * GB,
    reserve_bytes=2 * GB,
    media_bytes=760 * GB,
    assets_here=1204,
    assets_wanted=4,
)
SNAPSHOT = Snapshot(
    site="dengfeng",
    name="登封市融媒体中心",
    zone="Asia/Shanghai",
    now_us=NOW_US,
    version="0.1.0",
    on_air=(CHANNEL, SECOND),
    link=LINK,
    sync=SYNC,
    storage=STORAGE,
    clock=Clock(synchronised=True, hub_offset_ms=-30, at_us=NOW_US - 8 * US),
    agent=Agent(state="running", pid=7, started_at_us=NOW_US - 3 * HOUR_US, version="0.1.0", at_us=NOW_US - 4 * US),
)
HEALTHY = reading(SNAPSHOT)

SUBMISSION = SubmissionFact(
    id="s1",
    item="i1",
    title="庙会开幕",
    file_name="庙会.mp4",
    digest="sha256:" + "0" * 64,
    state="waiting",
    created_at_us=NOW_US - HOUR_US,
    changed_at_us=NOW_US - HOUR_US,
)
ORDER = OrderFact(id="o1", title="防汛报道", body="", state="new", received_at_us=NOW_US - HOUR_US)
OFFLINE = changed(
    link=Link(
        state="offline",
        hub="songshan",
        since_us=NOW_US - 2 * HOUR_US,
        reason=Text("连接超时", "the connection timed out"),
        next_try_us=NOW_US + 40 * US,
        at_us=NOW_US - 20 * US,
    ),
    sync=msgspec.structs.replace(SYNC, down=Queue(waiting=4, left_bytes=1_240_000_000), unsent_records=2),
    submissions=(SUBMISSION,),
)
NO_AGENT = Text("agent 没有运行", "the agent does not run")
AGENT_DEAD = changed(
    agent=msgspec.structs.replace(SNAPSHOT.agent, state="silent", at_us=NOW_US - 3 * HOUR_US),
    link=Link(
        state="offline",
        hub="songshan",
        since_us=NOW_US - 3 * HOUR_US,
        reason=Text("agent 没有运行", "the agent does not run"),
    ),
    sync=msgspec.structs.replace(SYNC, down=Queue(waiting=4, left_bytes=1_240_000_000), spool_waiting=3),
)


def without_database(text: Text, hint: Text) -> Reading:
    """What `appliance.store.facts.without_database` tells."""
    problem = Finding(id="database", severity="red", text=text, hint=hint)
    unknown = {"on_air": (), "link": Link(), "sync": Sync(), "clock": Clock(), "agent": Agent()}
    return Reading(NOW_US, msgspec.structs.replace(SNAPSHOT, **unknown, alarms=alarms((problem,), (), NOW_US)))


NO_DATABASE = without_database(
    Text("还没有数据库 /var/lib/songshan/state/box.db", "there is no database yet"),
    Text("请启动 agent：songshan agent", "start the agent: songshan agent"),
)
DATABASE_LOCKED = without_database(
    Text("数据库正被别的程序占用：box.db", "another program holds the database: box.db"),
    Text(
        "它一放开就自己恢复；一直不放：停下拷贝或备份的程序",
        "all is well once it lets go; if it does not, end what copies or saves it",
    ),
)
WEB_DEAD = changed(web=Web(is_known=True, down_since_us=NOW_US - 5 * MIN_US, at_us=NOW_US - 4 * US))
NO_CONFIG = Reading(
    NOW_US,
    None,
    (Text("没有配置文件 /etc/songshan/appliance.toml", "there is no /etc/songshan/appliance.toml"),),
    Text("先用 songshan join 加入嵩山云", "enrol this box first: songshan join BUNDLE"),
)
NOTHING_TO_PLAY = changed(
    on_air=(
        OnAir(
            channel="dengfeng-1",
            name="登封综合频道",
            reason=Text("没有节目单", "there is no schedule"),
            ledger_until_us=None,
        ),
    )
)
MISSING_TONIGHT = changed(
    on_air=(CHANNEL,),
    coming=(
        NotReady(
            channel="dengfeng-1",
            title="晚间电影",
            start_us=NOW_US + 6 * HOUR_US,
            state="late_by",
            reason=Text("带宽不足，晚 20 分钟", "20 min late: the line is too slow"),
        ),
        NotReady(channel="dengfeng-1", title="夜间新闻", start_us=NOW_US + 8 * HOUR_US, state="ready_by"),
        NotReady(
            channel="dengfeng-1",
            title="Broken clip",
            start_us=NOW_US + 9 * HOUR_US,
            state="cannot",
            reason=Text("文件损坏", "the file is damaged"),
        ),
    ),
)
FILLER = changed(
    on_air=(
        msgspec.structs.replace(
            CHANNEL, title="", kind="filler", planned=False, reason=Text("素材未到", "its asset has not come")
        ),
    )
)
INSERTED = changed(on_air=(msgspec.structs.replace(CHANNEL, title="", insert="sha256:" + "1" * 64),))
LOCKED_OUT = changed(link=Link(state="locked_out", hub="songshan", since_us=NOW_US - HOUR_US, at_us=NOW_US))
DISK_FULL = changed(storage=msgspec.structs.replace(STORAGE, free_bytes=GB // 10, assets_bad=2))
DISK_LOW = changed(storage=msgspec.structs.replace(STORAGE, free_bytes=GB))
CLOCK_OFF = changed(clock=Clock(synchronised=False, hub_offset_ms=7200, at_us=NOW_US))
STUCK = changed(
    sync=msgspec.structs.replace(SYNC, parked_records=2, down=Queue(waiting=1, failed=3, left_bytes=GB)),
    orders=(ORDER, msgspec.structs.replace(ORDER, id="o2", due_us=NOW_US - HOUR_US)),
)
ALONE = changed(link=Link(state="alone"), sync=Sync())

ALL: dict[str, Reading] = {
    "healthy": HEALTHY,
    "offline": OFFLINE,
    "agent-dead": AGENT_DEAD,
    "web-dead": WEB_DEAD,
    "no-database": NO_DATABASE,
    "database-locked": DATABASE_LOCKED,
    "no-config": NO_CONFIG,
    "nothing-to-play": NOTHING_TO_PLAY,
    "missing-tonight": MISSING_TONIGHT,
    "filler": FILLER,
    "inserted": INSERTED,
    "locked-out": LOCKED_OUT,
    "disk-full": DISK_FULL,
    "disk-low": DISK_LOW,
    "clock-off": CLOCK_OFF,
    "stuck": STUCK,
    "alone": ALONE,
}
