"""Snapshots: who starts from one ends where one ends who read everything; and what was compacted is not missed."""

from pathlib import Path

import msgspec
import pytest

from appliance.auditing import audit_folder
from appliance.core import records
from appliance.core.audit import Redactions
from appliance.core.item import Item, SignOff
from appliance.core.moment import US, to_text
from appliance.store import audit, journals
from edge_agent import arriving
from provisioning.hub import acknowledged, compaction, redactions, snapshots
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.verify import check
from tests.provisioning.live import LiveHub
from tests.provisioning.pair import OWN_KEY, SITE, Pair, enrol, pair

STREAMS = ("all/control", "all/content", "dengfeng/control", "dengfeng/content")
COMPARED = (
    "SELECT id, state, taken, title, document FROM items ORDER BY id",
    "SELECT item, digest FROM item_assets ORDER BY item, digest",
    "SELECT target, recalled_at_us FROM tombstones ORDER BY target",
    "SELECT id, title, body, state FROM orders ORDER BY id",
    "SELECT channel, date, version FROM schedules ORDER BY channel, date, version",
    "SELECT channel, digest, ordinal FROM fillers ORDER BY channel, ordinal",
    "SELECT id, channel, state FROM inserts ORDER BY id",
    "SELECT stream, epoch, seq FROM redactions ORDER BY stream, epoch, seq",
    "SELECT stream, epoch, seq, head FROM cursors ORDER BY stream",
)
"""All that the streams of a hub make of a box."""


@pytest.fixture
def hub(quiet_hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> LiveHub:
    """A hub with a site, for which ten records are far."""
    monkeypatch.setattr(snapshots, "FAR_RECORDS", 10)
    monkeypatch.setattr(arriving, "BATCH_RECORDS", 3)
    enrol(quiet_hub.folder)
    return quiet_hub


def item(hub: LiveHub, name: str, title: str) -> Item:
    at = to_text(hub.folder.now_us())
    return Item(name, title, "news", "hub", at, sign_offs=(SignOff("final", "songshan", at),))


def live_on(hub: LiveHub, days: int = 12) -> None:
    """Months in short: stories mended and recalled, orders, fillers, redactions; most of it replaced since."""
    write = hub.journals.append
    for day in range(days):
        for number in range(5):
            write("all/content", "offer", f"i{number}", item(hub, f"i{number}", f"第 {day} 天"))
        write("all/content", "item", f"d{day}", item(hub, f"d{day}", f"日报 {day}"))
        write("dengfeng/control", "order", f"o{day}", records.Order(f"o{day}", f"任务 {day}"))
        write("dengfeng/control", "order", "again", records.Order("again", f"改 {day}"))
        write("dengfeng/content", "filler", "dengfeng-1", records.Filler("dengfeng-1", ()))
        if day % 3 == 0:
            at = to_text(hub.folder.now_us())
            write("all/control", "recall", f"d{day}", records.Recall(f"d{day}", "误发", at))
            write("all/control", "recall", f"x{day}", records.Recall(f"x{day}", "误发", at))
    seq = hub.journals.stream("all/content").position().seq
    redactions.order(hub.folder, "all/content", 1, seq, "含个人信息")


def snapshot_all(hub: LiveHub) -> None:
    for stream in STREAMS:
        snapshots.make(hub.journals, stream)


def state(box: Pair) -> list[list[tuple[object, ...]]]:
    return [box.rows(sql) for sql in COMPARED]


def is_clean(box: Pair, hub: LiveHub) -> bool:
    seen, missing = Redactions(), []
    for stream in audit.streams(box.db):
        key = OWN_KEY.public_key() if stream.startswith(f"{SITE}/report") else hub.journals.key.public_key()
        found, without = audit.audit_table(box.db, stream, (key,), seen)
        assert found.problems == (), found.problems
        missing += without
    return seen.unaccounted(missing) == ()


def test_a_box_that_starts_from_the_snapshot_ends_where_one_ends_that_read_everything(
    hub: LiveHub, tmp_path: Path
) -> None:
    """Every table that the hub's words make, and the places in the streams; with a fraction of the records."""
    live_on(hub)
    with pair(hub.folder, tmp_path / "all") as box:
        box.talk()
        everything, read = state(box), box.rows("SELECT count(*) FROM journal")
    snapshot_all(hub)
    with pair(hub.folder, tmp_path / "new") as box:
        box.talk()
        assert state(box) == everything
        assert box.rows("SELECT count(*) FROM journal") < read
        assert box.rows("SELECT count(*) FROM snapshots") > [(0,)]
        assert journals.parked_count(box.db) == 0
        assert is_clean(box, hub)
        live_on(hub, 2)
        box.talk()
        after = state(box)
        assert is_clean(box, hub)
    with pair(hub.folder, tmp_path / "all") as box:
        box.talk()
        assert state(box) == after


def test_j17_journal_compaction_while_the_peer_is_400_days_behind(hub: LiveHub, tmp_path: Path) -> None:
    """It comes back to a hub that has let go of what it last saw: it gets the snapshot; nothing recalled lives on."""
    hub.journals.append("all/content", "item", "old", item(hub, "old", "旧闻"))
    live_on(hub, 3)
    with pair(hub.folder, tmp_path / "gone") as box:
        box.talk()
        assert ("old", "published") in box.rows("SELECT id, state FROM items")
        stood = box.stands("all/content")
    at = to_text(hub.folder.now_us())
    hub.journals.append("all/control", "recall", "old", records.Recall("old", "误发", at))
    live_on(hub, 6)
    long_ago = acknowledged.of_site(hub.folder, SITE)
    assert long_ago is not None
    heard = to_text(hub.folder.now_us() - 400 * 86_400 * US)
    path = hub.folder.site(SITE).path / "acknowledged.json"
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(long_ago, heard_at=heard)))
    snapshot_all(hub)
    for stream in STREAMS:
        compacted = compaction.compact_one(hub.folder, stream, 30)
        assert compacted is not None
        assert (compacted.waiting_for, compacted.reason) == ((), None)
    assert check(hub.folder, with_assets=False).problems == ()
    assert hub.journals.stream("all/content").start().position.seq > stood
    with pair(hub.folder, tmp_path / "gone") as box:
        box.talk()
        assert ("old", "recalled") in box.rows("SELECT id, state FROM items")
        assert is_clean(box, hub)
        back = state(box)
    with pair(hub.folder, tmp_path / "new") as box:
        box.talk()
        assert state(box)[3:] == back[3:]
        live = "SELECT id, title FROM items WHERE state != 'recalled' ORDER BY id"
        shown = box.rows(live)
    with pair(hub.folder, tmp_path / "gone") as box:
        assert box.rows(live) == shown


def test_compaction_waits_for_a_site_that_was_heard_and_has_not_got_everything(hub: LiveHub, tmp_path: Path) -> None:
    """It is dropped on acknowledgement, never by age alone."""
    live_on(hub, 3)
    with pair(hub.folder, tmp_path / "box") as box:
        box.talk()
    live_on(hub, 3)
    snapshot_all(hub)
    waiting = compaction.compact_one(hub.folder, "all/content", 30)
    assert waiting is not None
    assert waiting.waiting_for == (SITE,)
    assert hub.journals.stream("all/content").start().position.seq == 0
    with pair(hub.folder, tmp_path / "box") as box:
        box.talk()
    with pair(hub.folder, tmp_path / "box") as box:
        box.talk()
    done = compaction.compact_one(hub.folder, "all/content", 30)
    assert done is not None
    assert done.waiting_for == ()
    assert hub.journals.stream("all/content").start().position.seq > 0


def test_a_compacted_hub_goes_on_as_if_nothing_were_missing(hub: LiveHub, tmp_path: Path) -> None:
    """Catalogue, appending, verifying, reading on from a place that somebody holds, and a new snapshot on top."""
    live_on(hub, 4)
    stream = hub.journals.stream("all/content")
    before = Catalogue().read(hub.journals, (SITE,))
    held = stream.find(stream.position())
    snapshots.compact(hub.journals, "all/content", snapshots.make(hub.journals, "all/content"))
    (stream.folder / "told").unlink(missing_ok=True)
    after = Catalogue().read(hub.journals, (SITE,))
    alive = {name for name in before.offered if before.live_offer(name)}
    assert {name for name in after.offered if after.live_offer(name)} == alive
    assert held is not None
    assert stream.page(held) == []
    hub.journals.append("all/content", "offer", "new", item(hub, "new", "新"))
    assert [record.header.key for record, _place in stream.page(held)] == ["new"]
    assert [record.header.key for record in stream.records()] == ["new"]
    snapshots.compact(hub.journals, "all/content", snapshots.make(hub.journals, "all/content"))
    assert set(Catalogue().read(hub.journals, ()).offered) >= {"new", *alive}
    assert check(hub.folder, with_assets=False).problems == ()
    zeros = (stream.folder / "1.records").read_bytes()
    assert zeros == bytes(len(zeros))


def test_words_that_stand_in_a_snapshot_alone_can_be_redacted(hub: LiveHub, tmp_path: Path) -> None:
    """The statement vouches for headers, so it stays true without the body."""
    words = "张三的电话一三八〇〇"
    hub.journals.append("all/content", "item", "p", item(hub, "p", words))
    live_on(hub, 3)
    snapshots.compact(hub.journals, "all/content", snapshots.make(hub.journals, "all/content"))
    redactions.order(hub.folder, "all/content", 1, 1, "含个人信息")
    assert [path for path in hub.path.rglob("*") if path.is_file() and words.encode() in path.read_bytes()] == []
    assert check(hub.folder, with_assets=False).problems == ()
    with pair(hub.folder, tmp_path / "new") as box:
        box.talk()
        assert box.rows("SELECT * FROM items WHERE id = 'p'") == []
        assert journals.parked_count(box.db) == 0
        assert is_clean(box, hub)


@pytest.mark.parametrize("part", [0, 1, 3])
def test_a_box_that_dies_while_it_takes_a_snapshot_takes_it_again(hub: LiveHub, tmp_path: Path, part: int) -> None:
    """At any of its transactions; and what it had begun does no harm if the hub then sends the records one by one."""
    live_on(hub, 6)
    with pair(hub.folder, tmp_path / "all") as box:
        box.talk()
        everything = state(box)
    snapshot_all(hub)
    with pytest.MonkeyPatch.context() as patch, pair(hub.folder, tmp_path / "new") as box:
        left, take_part = [part], journals.take_part

        def dies(*given: object) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise _PowerCutError
            take_part(*given)  # type: ignore[arg-type]

        patch.setattr(journals, "take_part", dies)
        with pytest.raises(_PowerCutError):
            box.talk()
    if part % 2:
        for stream in STREAMS:
            (hub.journals.stream(stream).folder / snapshots.SNAPSHOT).unlink()
    with pair(hub.folder, tmp_path / "new") as box:
        box.talk()
        assert state(box) == everything
        assert is_clean(box, hub)


class _PowerCutError(BaseException):
    pass


@pytest.mark.parametrize("harm", ["record", "order", "missing", "statement"])
def test_a_snapshot_that_is_not_what_was_signed_changes_nothing(hub: LiveHub, tmp_path: Path, harm: str) -> None:
    """The digest is over every header, and the signature over the digest: it is all of it or nothing."""
    live_on(hub, 4)
    made = snapshots.make(hub.journals, "all/content")
    folder = hub.journals.stream("all/content").folder
    path = folder / f"{made.statement.digest}.snapshot"
    lines = path.read_bytes().splitlines(keepends=True)
    match harm:
        case "record":
            other = hub.journals.append("all/content", "offer", "z", item(hub, "z", "别的"))
            lines[:2] = [other.header_bytes + b"\n", (other.body or b"") + b"\n"]
        case "order":
            lines[0:2], lines[2:4] = lines[2:4], lines[0:2]
        case "missing":
            lines = [*lines[:2], *lines[4:], *lines[2:4]]
        case _:
            payload, _signature, offset = (folder / snapshots.SNAPSHOT).read_text().split()
            (folder / snapshots.SNAPSHOT).write_text(f"{payload}\n{'A' * 86}==\n{offset}\n")
    path.write_bytes(b"".join(lines))
    with pair(hub.folder, tmp_path / "new") as box:
        for _turn in range(40):
            box.turn()
        assert box.stands("all/content") == 0
        assert box.rows("SELECT * FROM items") == []
        assert box.rows("SELECT id FROM alarms WHERE id LIKE '%all/content'") != []
        assert box.stands("all/control") > 0, "the other streams go on"
        assert list(box.config.database.parent.glob("*.part")) == []


@pytest.mark.parametrize("name", ["begins", "snapshot", "records"])
def test_an_audit_finds_what_is_wrong_with_a_compacted_stream(hub: LiveHub, name: str) -> None:
    """It begins at the statement, and takes nothing before it on trust."""
    live_on(hub, 4)
    made = snapshots.make(hub.journals, "all/content")
    snapshots.compact(hub.journals, "all/content", made)
    hub.journals.append("all/content", "offer", "new", item(hub, "new", "新"))
    folder, keys = hub.journals.stream("all/content").folder, (hub.journals.key.public_key(),)
    seen = Redactions()
    for stream in ("all/control", "all/content"):
        found, missing = audit_folder(hub.folder.stream(stream), stream, keys, seen)
        assert found.problems == ()
    assert (found.snapshots, seen.unaccounted(missing)) == (1, ())
    target = {
        "begins": folder / "begins",
        "snapshot": folder / f"{made.statement.digest}.snapshot",
        "records": folder / "1.records",
    }[name]
    data = bytearray(target.read_bytes())
    at = {"begins": 40, "snapshot": 100, "records": len(data) - 30}[name]
    data[at] ^= 1
    target.write_bytes(data)
    assert audit_folder(folder, "all/content", keys, Redactions())[0].problems != ()


def test_who_reads_on_while_the_hub_compacts_reads_the_snapshot_instead(hub: LiveHub) -> None:
    """A session that has not looked for a while holds a place that is no more."""
    live_on(hub, 2)
    running = Catalogue().read(hub.journals, (SITE,))
    live_on(hub, 2)
    hub.journals.append("all/content", "offer", "late", item(hub, "late", "晚"))
    snapshots.compact(hub.journals, "all/content", snapshots.make(hub.journals, "all/content"))
    assert "late" in running.read(hub.journals, (SITE,)).offered


def test_a_redaction_while_a_snapshot_is_made_makes_it_anew(hub: LiveHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words were read already when the order to remove them came."""
    words = "张三的电话一三八〇〇"
    hub.journals.append("all/content", "item", "p", item(hub, "p", words))
    gauges = [0]

    class Late(snapshots.Gauge):
        @property
        def digest(self) -> str:
            """Asked when all is written and the file has no name yet."""
            gauges[0] += 1
            if gauges[0] == 1:
                redactions.order(hub.folder, "all/content", 1, 1, "含个人信息")
            return super().digest

    monkeypatch.setattr(snapshots, "Gauge", Late)
    snapshots.make(hub.journals, "all/content")
    assert [path for path in hub.path.rglob("*") if path.is_file() and words.encode() in path.read_bytes()] == []
    assert snapshots.newest(hub.journals.stream("all/content")) is not None


def test_a_recall_in_a_snapshot_waits_for_a_fresh_checkpoint(
    hub: LiveHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement may be played again a year later: it must not make a box delete anything by itself."""
    live_on(hub, 8)
    for number in range(20):
        hub.journals.append(
            "all/control", "recall", f"z{number}", records.Recall(f"z{number}", "误发", "2026-01-01T00:00:00Z")
        )
    snapshot_all(hub)
    with pair(hub.folder, tmp_path / "new") as box:
        with monkeypatch.context() as patch:
            patch.setattr("edge_agent.recovery.Recovery.release", lambda *_given: None)
            box.talk()
        held = box.rows("SELECT count(*) FROM journal WHERE stream = 'all/control' AND state = 'held'")
        assert held > [(20,)]
        assert box.rows("SELECT * FROM tombstones") == []
        hub.journals.append("all/control", "order", "o", records.Order("o", "x"))
        box.turn()
        box.talk()
        assert box.rows("SELECT count(*) FROM tombstones") > [(20,)]
        assert box.rows("SELECT count(*) FROM journal WHERE state = 'held'") == [(0,)]


def test_the_commands_tell_what_they_did(hub: LiveHub) -> None:
    """For a timer that runs them at night, and whoever reads its log in the morning."""
    live_on(hub, 2)
    made = hub.facts("snapshot")["snapshots"]
    assert [row["stream"] for row in made] == list(STREAMS[:1] + STREAMS[1:])
    compacted = hub.facts("compact")["streams"]
    assert {row["stream"] for row in compacted} == set(STREAMS)
    assert "no stream" in hub.run("snapshot", "dengfeng/report", status=2)
    assert hub.facts("verify")["problems"] == []
