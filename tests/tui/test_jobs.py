"""The jobs of a technician's day, each at most ten keys from the overview, on a real box's folder and database.

docs/operating.md lists them. Each page's owner adds what is done there.
"""

import json
import re
import shutil
import tarfile
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from sqlite_utils import Database

from appliance import files, releases, upgrading
from appliance.core import records
from appliance.core.asset import Asset
from appliance.core.errors import Text
from appliance.core.health import Link
from appliance.core.moment import US
from appliance.core.release import Release, Request, Undo, Upgrade
from appliance.core.rundown import tick_of
from appliance.core.stock import RenditionState, Transfer
from appliance.core.ts import HOUSE_PROFILE, SegmentInfo, pack_table
from appliance.store import air, asrun, assets, desk, facts, items, journals, needs
from tests.appliance.boxes import item, small_disk
from tests.carrying import pair
from tests.tui.boxes import make_box, run_agent_once
from tests.tui.readings import ZONE
from tests.tui.technician import KEYS_MAX, Technician
from tui.gather import usb as gather_usb
from tui.pages import PAGES

CHANNEL, HOUR_US = "dengfeng-1", 3600 * US


@pytest.fixture
def li(tmp_path: Path) -> Technician:
    """On duty at a box whose agent has been running."""
    config = make_box(tmp_path)
    run_agent_once(config)
    return Technician(tmp_path)


def now_us() -> int:
    return time.time_ns() // 1000


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def clip(db: Database, number: int, name: str, frames: int, *, is_here: bool = True) -> str:
    """A clip of the hub's and its rendition, here or on its way."""
    source, made = digest(number), digest(number + 4096)
    assets.want(db, Asset(source, 9, media_type="video/mp4", name=name, role="video"), "air", now_us())
    assets.want(db, Asset(made, 9, media_type="video/mp2t", name=name, role="rendition"), "air", now_us())
    table = pack_table([SegmentInfo(n * 1000, 1000, 50) for n in range(-(-frames // 50))])
    state = RenditionState(source=source, profile=HOUSE_PROFILE, digest=made, frames=frames)
    assets.set_rendition(db, state, table)
    if is_here:
        assets.arrived(db, made, 9, now_us())
    return source


def schedule(db: Database, day: datetime, *entries: dict[str, str]) -> None:
    date = f"{day:%Y-%m-%d}"
    document = {"channel": CHANNEL, "date": date, "version": 1, "entries": entries}
    body = records.Schedule(CHANNEL, date, 1, msgspec.Raw(json.dumps(document).encode()))
    air.receive_schedule(db, body, "Asia/Shanghai", [CHANNEL], now_us())


def entry(identity: str, at: datetime, title: str, asset: str) -> dict[str, str]:
    start = {"start": f"{at:%H:%M:%S}", "start_type": "hard", "kind": "programme"}
    return {"id": identity, "title": title, "asset": asset, **start}


def local(moment_us: int) -> datetime:
    return datetime.fromtimestamp(moment_us / US, ZONE)


def test_find_why_tonights_film_is_red_and_mend_it(li: Technician) -> None:
    """Its transfer failed five times and waits; the screen says so, and one key tries it now."""
    with li.database() as db:
        air.ensure_channel(db, CHANNEL, "Asia/Shanghai", now_us())
        film = clip(db, 1, "少林寺传奇.mp4", 25 * 5400, is_here=False)
        airs = local(now_us() + 6 * HOUR_US)
        schedule(db, airs, entry("film", airs, "晚间电影：少林寺传奇", film))
        facts.set_status(db, Link(state="offline", reason=Text("断线", "away")), now_us())
        transfer = Transfer(digest=digest(4097), direction="down", size_bytes=10**9, state="failed", attempts=5)
        broke = Text("连接中断", "the connection broke")
        later_us = now_us() + 240 * US
        assets.set_transfer(db, msgspec.structs.replace(transfer, not_before_us=later_us, reason=broke))
    li.keys("2")
    assert "晚间电影：少林寺传奇" in li.shown
    assert "不能播：等待与嵩山云的线路恢复" in li.shown
    li.keys("enter")
    assert "试过 5 次" in li.shown
    assert "连接中断" in li.shown
    li.keys("f", "enter", "enter")
    assert li.pressed <= KEYS_MAX
    li.agent()
    assert "立即重传：已执行" in li.shown
    with li.database() as db:
        (after,) = assets.transfers(db)
    assert (after.state, after.not_before_us) == ("queued", 0)


def test_insert_an_emergency_clip_and_return(li: Technician) -> None:
    """The clip is on within seconds; it ends by itself, and `u` ends it sooner: all of it is one job of ten keys."""
    begun_us = now_us()
    with li.database() as db:
        air.ensure_channel(db, CHANNEL, "Asia/Shanghai", begun_us)
        for number, name in enumerate(("公益广告.mp4", "台标.mp4", "天气.mp4"), 2):
            clip(db, number, name, 25 * 10)
        clip(db, 1, "汛情提示.mp4", 25 * 60)
        air.recompile(db, CHANNEL, begun_us, 1)
    li.keys("2", "i", "enter", "x", "enter")
    assert "立即中断，插播：汛情提示.mp4" in li.shown
    li.confirm()
    li.agent()
    with li.database() as db:
        air.recompile(db, CHANNEL, now_us(), 1)
    assert plays(li, 10) == "emergency"
    assert plays(li, 90) != "emergency"
    assert "u 撤销" in li.shown
    li.keys("u")
    li.confirm()
    assert li.pressed <= KEYS_MAX
    li.agent()
    with li.database() as db:
        air.recompile(db, CHANNEL, now_us(), 1)
    assert plays(li, 20) != "emergency"


def plays(li: Technician, ahead_s: int) -> str:
    """What is on the ledger for a moment ahead."""
    tick = tick_of(now_us() + ahead_s * US)
    with li.database() as db:
        return air.stretches(db, CHANNEL, tick, tick + 1)[0].kind


def test_find_what_aired_at_19_03_yesterday(li: Technician) -> None:
    """Somebody has called and says that they saw something then."""
    yesterday = local(now_us()) - timedelta(days=1)
    evening = yesterday.replace(hour=18, minute=50, second=0, microsecond=0)
    begun_us = round(evening.timestamp()) * US
    with li.database() as db:
        air.ensure_channel(db, CHANNEL, "Asia/Shanghai", begun_us)
        news, weather = clip(db, 1, "news.mp4", 25 * 200), clip(db, 2, "weather.mp4", 25 * 120)
        at = evening.replace(hour=19, minute=0)
        schedule(
            db,
            at,
            entry("e1", at, "登封新闻", news),
            entry("e2", at.replace(minute=5), "天气预报", weather),
        )
        air.recompile(db, CHANNEL, begun_us, 1)
        asrun.log_aired(db, CHANNEL, begun_us + HOUR_US)
    asrun_letter = "abcdefghijklmnopqrstuvwxyz"[[page.name for page in PAGES].index("asrun")]
    li.keys("ctrl+o", asrun_letter, "/", *"-1903", "enter")
    assert li.pressed <= KEYS_MAX
    answer = next(line for line in li.shown.splitlines() if line.startswith(">"))
    assert "登封新闻" in answer
    assert " 19:00:00" in answer


def test_make_a_doctor_bundle(li: Technician, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who helps asked for it on the telephone."""
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(out))
    li.keys(":", "t", "j", "enter")
    assert "体检码" in li.shown
    li.keys("b")
    assert "不含密钥、口令和群众线索" in li.shown
    li.keys("enter", "enter")
    assert li.pressed <= KEYS_MAX
    (made,) = out.glob("doctor-dengfeng-*.tar.gz")
    with tarfile.open(made) as packed:
        assert "songshan-doctor/status.json" in packed.getnames()


def in_one_line(technician: Technician) -> str:
    """What is shown, where a path decides how it is wrapped."""
    return re.sub(r"\s", "", technician.shown)


@pytest.mark.root
def test_replace_a_disk(li: Technician) -> None:
    """The new one is in and mounted: the screen shows which it is, and one key takes it."""
    media = li.config.media
    files.make_folders(li.config)
    shutil.rmtree(media)
    li.keys("7")
    assert "没有挂载磁盘" in in_one_line(li)
    with small_disk(media, "4m"):
        li.keys("r")
        assert "已挂载空盘" in in_one_line(li)
        li.keys("n", "enter")
        assert "缺少的内容自动重新传输" in li.shown
        li.keys("enter")
        assert li.pressed <= KEYS_MAX
        li.agent()
        assert "启用新盘：已执行" in li.shown
        assert files.media_are_there(li.config)
        assert "媒资盘在位" in li.shown


def test_roll_back_an_upgrade(li: Technician) -> None:
    """The picture is wrong since the night; the reason is chosen, and the upgrade's own unit takes it up."""
    config = li.config
    for version in ("1.0", "1.1"):
        folder = releases.folder_of(config, version)
        folder.mkdir(parents=True)
        (folder / releases.MARK).write_bytes(msgspec.json.encode(Release(version=version)))
    releases.point(config, "previous", "1.0")
    releases.point(config, "current", "1.1")
    done = Upgrade(state="committed", old="1.0", new="1.1", undo=Undo(old="1.0", new="1.1"), changed_us=now_us())
    releases.keep(config, done)
    li.keys(":", "h", "t", "enter")
    assert re.search(r"可回退到 +1\.0 ", li.shown)
    li.keys("b", "enter")
    assert "从 1.1 回退到 1.0" in li.shown
    li.keys("down", "enter")
    assert li.pressed <= KEYS_MAX
    ((_path, asked),) = releases.waiting(config)
    assert isinstance(asked, Request)
    assert (asked.do, asked.by, asked.reason) == ("rollback", "li", "升级后画面或声音异常")
    upgrading.begin_rollback(config, asked.by, asked.reason, now_us())
    li.look()
    assert "回退中" in li.shown


def test_take_a_story(li: Technician) -> None:
    """Found by its section and a word, read, taken; then it is followed until it is published."""
    with li.database() as db:
        for number in range(30):
            made = item(f"i{number}", title=f"第 {number} 号", section="shop", assets=(Asset(digest(number), 9),))
            items.keep(db, made, "offered", now_us())
        items.keep(db, item("flood", title="防汛值守要点", assets=(Asset(digest(99), 900),)), "offered", now_us())
    li.keys("4", "/")
    li.type("xw")
    li.keys("enter", "enter")
    assert "防汛值守要点" in li.shown
    assert "签发" in li.shown
    li.keys("t", "enter")
    assert "媒资到齐后在本站发布：防汛值守要点" in li.shown
    li.keys("enter")
    assert li.pressed <= KEYS_MAX
    li.agent()
    assert "选用：已执行" in li.shown
    assert "已到 0%" in li.shown
    with li.database() as db:
        assets.arrived(db, digest(99), 900, now_us())
    li.look()
    assert "防汛值守要点 已发布" in li.shown


def test_retry_a_failed_transfer(li: Technician) -> None:
    """The line was mended a minute ago; nobody waits for the next try, and the audit trail has who did not."""
    with li.database() as db:
        for number in (1, 2):
            made = item(f"i{number}", assets=(Asset(digest(number), 9, name=f"现场 {number}.mp4"),))
            items.keep(db, made, "published", now_us())
            needs.want_item(db, made, "item", now_us() + number * HOUR_US, now_us())
        broke, later_us = Text("连接中断", "the connection broke"), now_us() + 240 * US
        failed = Transfer(digest=digest(2), direction="down", size_bytes=9, state="failed", attempts=5)
        assets.set_transfer(db, msgspec.structs.replace(failed, not_before_us=later_us, reason=broke))
    li.keys("3", "j", "enter")
    assert "现场 2.mp4 失败 A" in li.shown
    assert "连接中断" in li.shown
    li.keys("t", "enter", "enter")
    assert li.pressed <= KEYS_MAX
    li.agent()
    assert "立即重试：已执行" in li.shown
    with li.database() as db:
        assert [(each.state, each.not_before_us) for each in assets.transfers(db)] == [("queued", 0)] * 2
        (done,) = desk.audit(db)
    assert (done.kind, done.by, done.via, done.about) == ("retry", "li", "tui", f"down {digest(2)}")


def test_import_from_a_stick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stick is found by itself and says what it brings; the real agent takes it in, and the screen follows."""
    with pair(tmp_path) as ends:
        ends.run_agent()
        ends.publish(b"news" * 1000, "i1")
        ends.order("o1")
        ends.export()
        table = tmp_path / "mountinfo"
        table.write_text(f"1 0 254:1 / / rw - ext4 /dev/vda1 rw\n2 1 8:17 / {ends.stick} rw - vfat /dev/sdb1 rw\n")
        monkeypatch.setattr(gather_usb, "MOUNTINFO", table)
        monkeypatch.setattr(gather_usb, "PLACES", (str(tmp_path),))
        monkeypatch.setattr(gather_usb, "LOOK_LIMIT_S", 60.0)
        li = Technician(ends.home)
        li.keys("5", "i", "enter")
        assert "将收下约 2 条记录、1 个媒资" in li.shown
        li.keys("enter")
        assert li.pressed <= KEYS_MAX
        ends.run_agent()
        li.look()
        assert "导入 完成，可以拔出 G" in li.shown
        assert "2 条记录、1 个媒资" in li.shown
        assert ends.rows("SELECT id FROM orders") == [("o1",)]


def test_answer_an_order(li: Technician) -> None:
    """Accepted with a note from the list, on a console that cannot type Chinese; the hub is told in a record."""
    with li.database() as db:
        for number in range(3):
            desk.receive_order(db, records.Order(f"o{number}", f"任务 {number}", "今晚七点前", None), now_us() + number)
            if number != 1:
                desk.answer_order(db, f"o{number}", "done", "", "王编辑", now_us())
    li.keys("0")
    assert "调度指令 1 条待答" in li.shown
    li.keys("a", "enter", "enter", "enter", "enter")
    assert "答复指挥台：任务 1，接受" in li.shown
    li.keys("enter")
    assert li.pressed <= KEYS_MAX
    li.agent()
    assert "调度指令 已全部答复 G" in li.shown
    with li.database() as db:
        answered = desk.order(db, "o1")
        (said,) = journals.read_from(db, "dengfeng/report", (1, 0))
    assert answered is not None
    assert (answered.answer, answered.note, answered.answered_by) == ("accepted", "已派记者", "li")
    assert (said.header.kind, said.header.key) == ("answer", "o1")
