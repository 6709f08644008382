"""What records of the hub do to the box: once, in any order that they may come, and one bad one harms no other."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.core import records
from appliance.core.asset import Asset, Rendition
from appliance.core.errors import Text
from appliance.core.journal import append, genesis, position_after, sign_checkpoint
from appliance.core.judge import judge
from appliance.core.moment import US, to_text
from appliance.core.records import Filler, Insert, Order, Recall, Receipt, Resume, Schedule, Template
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import air, assets, desk, facts, items, journals, needs, reasons, work
from appliance.store.database import transaction, writing
from edge_agent import traffic
from edge_agent.apply import Applying
from edge_agent.core.outcomes import Ceased, Result
from tests.appliance.boxes import AT, AT_US, asset, dies, digest, item, watched
from tests.edge_agent.rig import Rig, config_for, rig, write
from tests.simulators.clock import SimulatedClock
from tests.simulators.hub import SimulatedHub

EARLIER, LATER = to_text(AT_US - 3600 * US), to_text(AT_US + 3600 * US)


def clip(letter: str) -> Asset:
    """An asset that the hub has brought to house format."""
    made = Rendition("sha256:" + (letter + "0") * 32, 900, 250, HOUSE_PROFILE)
    return msgspec.structs.replace(asset(letter), rendition=made, duration_s=10.0)


def parked(box: Rig) -> list[str]:
    return [each.reason.en for each in journals.parked(box.db)]


def schedule(*entries: dict[str, object], assets: tuple[Asset, ...] = (), version: int = 1) -> Schedule:
    document = {"channel": "dengfeng-1", "date": "2026-11-25", "version": version, "entries": entries}
    return Schedule("dengfeng-1", "2026-11-25", version, msgspec.Raw(msgspec.json.encode(document)), assets)


def test_a_record_that_cannot_be_applied_does_not_stop_the_others(tmp_path: Path) -> None:
    """One story with a mistake in it must not keep tonight's recall away."""
    with rig(tmp_path) as box:
        write(box.hub, "dengfeng/content", "item", "i1", item("i1", signed=False))
        write(box.hub, "dengfeng/content", "item", "i2", item("i2"))
        box.hub.append("dengfeng/control", "order", "o1", b'{"id": 7}')
        write(box.hub, "dengfeng/control", "order", "o2", Order(id="o2", title="报送画面"))
        box.talk()
        assert box.rows("SELECT id FROM items") == [("i2",)]
        assert box.rows("SELECT id FROM orders") == [("o2",)]
        assert len(parked(box)) == 2
        alarm = next(each for each in facts.snapshot(box.db, box.config, AT_US).alarms if each.id == "parked")
        assert "2 records" in alarm.text.en


def test_a_record_that_brings_a_fault_of_ours_to_light_is_parked(tmp_path: Path) -> None:
    """It would end the agent at every start, and with it all that comes after; mended, it is applied."""
    with rig(tmp_path) as box:
        endless = msgspec.structs.replace(clip("a"), duration_s=1e300)
        entries = [
            {"id": "e1", "start": "06:00:00", "start_type": "hard", "kind": "programme", "asset": digest("a")},
            {"id": "e2", "start_type": "follow", "kind": "programme", "asset": digest("b")},
        ]
        body = schedule(*entries, assets=(endless, clip("b")))
        write(box.hub, "dengfeng/content", "schedule", "dengfeng-1", body)
        write(box.hub, "dengfeng/content", "item", "i2", item("i2"))
        box.talk()
        assert len(parked(box)) == 1
        assert parked(box)[0].startswith("a fault of this version")
        assert box.rows("SELECT id FROM items") == [("i2",)]
        assert (box.rows("SELECT * FROM schedules"), work.to_fetch(box.db)) == ([], ())


def test_what_is_over_is_not_fetched_any_more(tmp_path: Path) -> None:
    """A box comes back after a month: the hub has collected what aired then, and nobody waits for it."""
    with rig(tmp_path) as box:
        entry = {"id": "e1", "start": "06:00:00", "start_type": "hard", "kind": "programme", "asset": digest("a")}
        document = {"channel": "dengfeng-1", "date": "2026-10-25", "version": 1, "entries": [entry]}
        old = Schedule("dengfeng-1", "2026-10-25", 1, msgspec.Raw(msgspec.json.encode(document)), (clip("a"),))
        write(box.hub, "dengfeng/content", "schedule", "dengfeng-1", old)
        write(box.hub, "dengfeng/content", "item", "i1", item("i1", assets=(asset("b"),), until=EARLIER))
        write(box.hub, "dengfeng/content", "item", "i2", item("i2", assets=(asset("c"),)))
        box.talk()
        assert [each.digest for each in work.to_fetch(box.db)] == [digest("c")]


def test_a_transfer_whose_time_went_by_while_it_waited_is_let_go(tmp_path: Path) -> None:
    """Else it would be asked for and refused for ever, with an alarm."""
    with rig(tmp_path) as box:
        write(box.hub, "dengfeng/content", "item", "i1", item("i1", assets=(asset("a"),), until=LATER))
        write(box.hub, "dengfeng/content", "item", "i2", item("i2", assets=(asset("b"),)))
        box.talk()
        for each in work.to_fetch(box.db):
            missing = Ceased(each.digest, False, Result.MISSING, Text("", ""))
            with transaction(box.db):
                traffic.cease(box.db, missing, box.now_us + 30 * 86_400 * US, 0.5)
        assert [each.digest for each in work.to_fetch(box.db)] == [digest("b")]
        assert box.rows("SELECT digest FROM assets") == [(digest("b"),)]


def test_a_kind_of_tomorrow_is_kept_and_applied_after_the_upgrade(tmp_path: Path) -> None:
    """A newer hub speaks to older boxes for weeks: what they do not understand must not be lost."""
    hub = SimulatedHub()
    with rig(tmp_path, hub) as box:
        hub.append("dengfeng/control", "dance", "d1", b'{"id":"d1","title":"x"}')
        box.talk()
        assert parked(box) == ["a kind that this version does not know: dance"]
        cursor = journals.cursor(box.db, "dengfeng/control")
    with writing(config_for(hub, tmp_path).database) as db:
        learned: list[str] = []
        assert journals.apply_parked(db, lambda _db, record: learned.append(record.header.kind)) == 1
        assert (learned, journals.parked(db)) == (["dance"], ())
        assert journals.cursor(db, "dengfeng/control") == cursor


def test_what_was_parked_does_not_undo_what_a_newer_record_said(tmp_path: Path) -> None:
    """The corrected story came while the first version was parked; the upgrade must not bring the mistake back."""
    with rig(tmp_path) as box:
        write(box.hub, "dengfeng/content", "item", "i1", item("i1", signed=False, title="初稿"))
        write(box.hub, "dengfeng/content", "item", "i1", item("i1", title="定稿"))
        box.talk()
        first = append(genesis("dengfeng/content"), "item", "i1", records.encode(item("i1", title="初稿")), AT_US)
        with transaction(box.db):
            box.applying.again(box.db, first)
        assert box.rows("SELECT title FROM items") == [("定稿",)]


def test_a_recall_that_comes_before_its_item_holds(tmp_path: Path) -> None:
    """Control goes before content: after an outage the recall is here first, and the story must not appear at all."""
    with rig(tmp_path) as box:
        write(box.hub, "all/control", "recall", "i1", Recall("i1", "误发", LATER))
        box.talk()
        write(box.hub, "dengfeng/content", "item", "i1", item("i1", assets=(asset("a"),)))
        write(box.hub, "all/content", "offer", "i1", item("i1", assets=(asset("a"),)))
        box.talk()
        assert box.rows("SELECT id FROM items") == []
        assert (parked(box), work.to_fetch(box.db)) == ([], ())


def test_a_story_made_after_the_recall_comes_back(tmp_path: Path) -> None:
    """The desk recalls a story with a mistake and publishes it corrected, with the same clip."""
    with rig(tmp_path) as box:
        write(box.hub, "dengfeng/content", "item", "i1", item("i1", assets=(clip("a"),), created_at=EARLIER))
        write(box.hub, "all/control", "recall", "i1", Recall("i1", "有误", AT))
        box.talk()
        assert work.to_fetch(box.db) == ()
        write(box.hub, "dengfeng/content", "item", "i1", item("i1", assets=(clip("a"),), created_at=LATER))
        box.talk()
        assert box.rows("SELECT state FROM items") == [("published",)]
        assert {each.digest for each in work.to_fetch(box.db)} == {digest("a"), "sha256:" + "a0" * 32}


def test_a_recall_takes_what_nothing_else_uses(tmp_path: Path) -> None:
    """The clip of a recalled story vanishes with it, here and on the air; one that another story shows stays."""
    with rig(tmp_path) as box:
        shared, alone = clip("a"), clip("b")
        write(box.hub, "dengfeng/content", "item", "i1", item("i1", assets=(shared, alone)))
        write(box.hub, "dengfeng/content", "item", "i2", item("i2", assets=(shared,)))
        box.talk()
        with transaction(box.db):
            for each in (shared, alone):
                assert each.rendition is not None
                assets.arrived(box.db, each.digest, each.size_bytes, AT_US)
                assets.arrived(box.db, each.rendition.digest, 900, AT_US)
        write(box.hub, "all/control", "recall", "i1", Recall("i1", "误发", LATER))
        box.applying.air_changed = False
        box.talk()
        assert box.applying.air_changed
        assert items.servable(box.db, AT_US) == {shared.digest}
        assert set(work.recalled_here(box.db, AT_US)) == {alone.digest, "sha256:" + "b0" * 32}


def test_a_recalled_rendition_stays_while_an_announced_segment_may_be_asked_for(tmp_path: Path) -> None:
    """The rows within the freeze horizon are announced: a player that gets a 404 for one stops."""
    with rig(tmp_path) as box:
        write(box.hub, "dengfeng/content", "item", "i1", item("i1", assets=(clip("a"),)))
        box.talk()
        rendition = "sha256:" + "a0" * 32
        with transaction(box.db):
            assets.arrived(box.db, rendition, 900, AT_US)
            box.db.conn.execute(
                "INSERT INTO ledger (channel, first_msn, segments, start_tick, frames, rendition, first_segment, title,"
                " kind, planned) VALUES ('dengfeng-1', 1, 5, ?, 250, ?, 0, '', 'programme', 1)",
                (AT_US * 9 // 100, rendition),
            )
        write(box.hub, "all/control", "recall", digest("a"), Recall(digest("a"), "误发", LATER))
        box.talk()
        assert rendition not in work.recalled_here(box.db, AT_US + 60 * US)
        assert rendition in work.recalled_here(box.db, AT_US + 10 * US + work.LISTED_US + US)


def test_only_what_is_shown_here_is_fetched(tmp_path: Path) -> None:
    """The supermarket is large and the line is thin: an offer is a catalogue entry until it is taken."""
    with rig(tmp_path) as box:
        write(box.hub, "all/content", "offer", "i1", item("i1", assets=(asset("a"),)))
        write(box.hub, "dengfeng/content", "item", "i2", item("i2", assets=(asset("b"),)))
        box.talk()
        assert [each.digest for each in work.to_fetch(box.db)] == [digest("b")]


def test_a_schedule_wants_renditions_by_their_first_airing(tmp_path: Path) -> None:
    """What airs at six must be here before what airs at eight, and its source need not be here at all."""
    with rig(tmp_path) as box:
        body = schedule(
            {"id": "e1", "start": "06:00:00", "start_type": "hard", "kind": "programme", "asset": digest("a")},
            {"id": "e2", "start_type": "follow", "kind": "programme", "asset": digest("b")},
            {"id": "e3", "start": "08:00:00", "start_type": "hard", "kind": "programme", "asset": digest("a")},
            assets=(clip("b"), clip("a")),
        )
        write(box.hub, "dengfeng/content", "schedule", "dengfeng-1", body)
        box.talk()
        fetches = [(each.digest[7:9], each.deadline_us) for each in work.to_fetch(box.db)]
        six_us = AT_US + (22 - 6) * 3600 * US
        assert parked(box) == []
        assert [name for name, _deadline in fetches] == ["a0", "b0"]
        assert fetches[1][1] - fetches[0][1] == 10 * US  # type: ignore[operator]
        assert fetches[0][1] == six_us - needs.READY_BEFORE_US


def airing(start: str, letter: str) -> dict[str, object]:
    return {"id": "e1", "start": start, "start_type": "hard", "kind": "programme", "asset": digest(letter)}


def test_deadlines_follow_what_is_asked_for_and_an_asset_is_fetched_once_for_all(tmp_path: Path) -> None:
    """Two stories, a schedule and a take that name one film: one transfer, due when the first needs it; when that does
    not any more, when the next does."""
    with rig(tmp_path) as box:
        film, made = clip("a"), "sha256:" + "a0" * 32
        for name in ("i1", "i2"):
            write(box.hub, "dengfeng/content", "item", name, item(name, assets=(film,)))
        write(box.hub, "all/content", "offer", "i3", item("i3", assets=(film,)))
        write(box.hub, "dengfeng/content", "schedule", "c", schedule(airing("06:00:00", "a"), assets=(film,)))
        box.talk()
        with transaction(box.db):
            needs.want_item(box.db, items.take(box.db, "i3", AT_US), "taken", AT_US + 2 * 3600 * US, AT_US)
        assert [each.digest for each in work.to_fetch(box.db)] == [digest("a"), made]
        assert due(box, made) == due(box, digest("a")) + needs.FILLER_WITHIN_US
        six_us = AT_US + (22 - 6) * 3600 * US
        for version, hour in ((2, 7), (3, 5)):
            body = schedule(airing(f"{hour:02}:00:00", "a"), assets=(film,), version=version)
            write(box.hub, "dengfeng/content", "schedule", "c", body)
            box.talk()
            (on_air_us,) = box.rows("SELECT deadline_us FROM reasons WHERE reason LIKE 'air:%'")[0]
            assert on_air_us == six_us + (hour - 6) * 3600 * US - needs.READY_BEFORE_US
        write(box.hub, "dengfeng/content", "schedule", "c", schedule(airing("23:00:00", "b"), version=5))
        for name in ("i1", "i2"):
            write(box.hub, "all/control", "recall", name, Recall(name, "误发", LATER))
        box.talk()
        assert due(box, digest("a")) == AT_US + 2 * 3600 * US
        assert {each.is_for_air for each in work.to_fetch(box.db)} == {False}
        with transaction(box.db):
            items.untake(box.db, "i3", box.now_us)
            reasons.end(box.db, "taken:i3")
            needs.let_go(box.db, items.assets_of(box.db, "i3"))
        assert (work.to_fetch(box.db), box.rows("SELECT * FROM reasons")) == ((), [])


def due(box: Rig, name: str) -> int:
    (found,) = [each.deadline_us for each in work.to_fetch(box.db) if each.digest == name]
    assert found is not None
    return found


@pytest.mark.parametrize(
    "document",
    [b'{"channel":"dengfeng-1"}', b'{"channel":"zhongmu-1","date":"2026-11-25","version":1,"entries":[]}', b"{}"],
)
def test_a_schedule_that_is_none_is_parked_and_the_last_good_one_stays(tmp_path: Path, document: bytes) -> None:
    """An invalid schedule never reaches the air."""
    with rig(tmp_path) as box:
        entry = {"id": "e1", "start": "06:00:00", "start_type": "hard", "kind": "filler", "duration_s": 9.0}
        write(box.hub, "dengfeng/content", "schedule", "dengfeng-1", schedule(entry))
        bad = Schedule("dengfeng-1", "2026-11-25", 2, msgspec.Raw(document))
        write(box.hub, "dengfeng/content", "schedule", "dengfeng-1", bad)
        box.talk()
        assert len(parked(box)) == 1
        assert box.rows("SELECT version FROM schedules") == [(1,)]
        if document == b"{}":
            # What is planned for days that are over is no alarm: looked at on that day, whatever the day is now.
            config = replace(box.config, clock=SimulatedClock(AT_US))
            alarm = next(each for each in facts.snapshot(box.db, config, AT_US).alarms if each.id.startswith("plan:"))
            assert alarm.id == "plan:dengfeng-1" and "version 1 goes on" in alarm.text.en
            mended = msgspec.structs.replace(schedule(entry), version=3)
            document = msgspec.json.encode({**msgspec.json.decode(bytes(mended.document)), "version": 3})
            mended = msgspec.structs.replace(mended, document=msgspec.Raw(document))
            write(box.hub, "dengfeng/content", "schedule", "dengfeng-1", mended)
            box.talk()
            assert not any(each.id.startswith("plan:") for each in facts.snapshot(box.db, config, AT_US).alarms)


def test_a_break_in_of_another_site_is_not_ours_and_one_to_us_about_nothing_is_wrong(tmp_path: Path) -> None:
    """`insert all` names a channel of one county; the others must not count it as a fault."""
    with rig(tmp_path) as box:
        to_all = Insert(id="x1", channel="zhongmu-1", asset=clip("a"), not_after=LATER)
        write(box.hub, "all/control", "insert", "x1", to_all)
        write(box.hub, "all/control", "resume", "zhongmu-1", Resume("zhongmu-1"))
        box.talk()
        assert (parked(box), work.to_fetch(box.db)) == ([], ())
        write(box.hub, "dengfeng/control", "insert", "x2", msgspec.structs.replace(to_all, id="x2"))
        box.talk()
        assert parked(box) == ["this site has no channel zhongmu-1"]


def test_a_break_in_of_yesterday_does_not_air_today(tmp_path: Path) -> None:
    """After an outage yesterday's alarm would frighten the county, and cut what runs."""
    with rig(tmp_path) as box:
        stale = Insert(id="x1", channel="dengfeng-1", asset=clip("a"), at=EARLIER, not_after=to_text(AT_US - 60 * US))
        write(box.hub, "dengfeng/control", "insert", "x1", stale)
        box.talk()
        with transaction(box.db):
            air.recompile(box.db, "dengfeng-1", AT_US, 24)
        assert box.rows("SELECT state FROM inserts") == [("missed",)]
        assert box.rows("SELECT count(*) FROM ledger WHERE kind = 'emergency'") == [(0,)]


def test_fillers_are_replaced_as_a_whole(tmp_path: Path) -> None:
    """What the hub took out of the list must not fill gaps for ever."""
    with rig(tmp_path) as box:
        write(box.hub, "dengfeng/content", "filler", "dengfeng-1", Filler("dengfeng-1", (clip("a"), clip("b"))))
        write(box.hub, "dengfeng/content", "filler", "dengfeng-1", Filler("dengfeng-1", (clip("b"),)))
        box.talk()
        assert box.rows("SELECT digest FROM fillers") == [(digest("b"),)]


def test_a_receipt_for_something_else_changes_nothing(tmp_path: Path) -> None:
    """A box made anew gets the receipts of its predecessor's submissions."""
    with rig(tmp_path) as box:
        write(box.hub, "dengfeng/control", "receipt", "s9", Receipt("s9", "i9", "accepted", Text("已收", "accepted")))
        box.talk()
        assert (parked(box), box.rows("SELECT * FROM submissions")) == ([], [])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(["recall", "item", "offer", "again"]))
def test_recall_and_story_end_alike_in_whatever_order_they_come(
    order: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two boxes that were cut off at different times must show the same afterwards."""
    what = {
        "recall": ("all/control", "recall", Recall("i1", "误发", AT)),
        "item": ("dengfeng/content", "item", item("i1", assets=(asset("a"),), created_at=EARLIER)),
        "offer": ("all/content", "offer", item("i1", assets=(asset("a"),), created_at=EARLIER)),
        "again": ("all/control", "recall", Recall("i1", "再次", AT)),
    }
    with rig(tmp_path_factory.mktemp("box")) as box:
        for name in order:
            stream, kind, body = what[name]
            write(box.hub, stream, kind, "i1", body)
            box.talk(6)
        assert items.servable(box.db, AT_US) == frozenset()
        assert work.to_fetch(box.db) == ()
        assert box.rows("SELECT count(*) FROM items WHERE state NOT IN ('recalled', 'offered')") == [(0,)]


def test_killed_anywhere_a_batch_was_applied_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """Between the effect and the cursor lies the place where synchronisers lose or double: killed before each single
    statement, the box must have done all of the batch or nothing of it."""
    hub = SimulatedHub()
    config = config_for(hub, tmp_path)
    position, made = genesis("dengfeng/content"), []
    for kind, body in (
        ("item", item("i1", assets=(clip("a"), asset("b")))),
        ("item", item("i2", signed=False)),
        ("offer", item("i3")),
        ("filler", Filler("dengfeng-1", (clip("c"),))),
        ("dance", item("i4")),
        ("item", item("i5")),
    ):
        made.append(append(position, kind, "k", records.encode(body), AT_US))
        position = position_after(made[-1])
    signed = sign_checkpoint(position, AT_US, AT_US + 1, hub.key)
    whole = {"journal": 6, "items": 2, "fillers": 1}

    def apply() -> None:
        with writing(config.database) as db:
            cursor = journals.cursor(watched(db), "dengfeng/content")
            judgement = judge(cursor.position, made, signed, hub.key.public_key(), cursor.seen_us)
            journals.accept(db, judgement, signed, Applying(config, lambda: AT_US))

    def state() -> dict[str, int]:
        with writing(config.database) as db:
            seq = journals.cursor(db, "dengfeng/content").position.seq
            counts = {table: len(list(db[table].rows)) for table in whole}
            assert (seq == len(made)) == (counts == whole), (seq, counts)
            assert (seq == 0) == (sum(counts.values()) == 0), (seq, counts)
            return counts

    with rig(tmp_path, hub):
        pass
    step = 0
    while dies(apply, step := step + 1):
        state()
    assert step > 40, "it was killed before each of its statements"
    assert state() == whole


def test_a_recall_of_one_story_does_not_take_the_picture_from_another(tmp_path: Path) -> None:
    """After an outage the recall comes first. A story that was written before it and shows the same picture stands."""
    with rig(tmp_path) as box:
        shared = asset("a")
        write(box.hub, "all/content", "item", "i1", item("i1", assets=(shared,)))
        box.talk()
        write(box.hub, "all/control", "recall", "i1", Recall("i1", "误发", LATER))
        box.talk()
        assert work.to_fetch(box.db) == ()
        write(box.hub, "dengfeng/content", "item", "i2", item("i2", assets=(shared,)))
        box.talk()
        assert [each.digest for each in work.to_fetch(box.db)] == [shared.digest]
        assert items.assets_of(box.db, "i2") == {shared.digest}


def test_a_picture_that_was_recalled_by_itself_stays_gone(tmp_path: Path) -> None:
    """Whatever names it, and whatever the hub's clock said then: it may have been set back between story and recall."""
    with rig(tmp_path) as box:
        shared = asset("a")
        write(box.hub, "all/content", "item", "i1", item("i1", assets=(shared,)))
        write(box.hub, "all/control", "recall", "i1", Recall("i1", "误发", LATER))
        write(box.hub, "all/control", "recall", shared.digest, Recall(shared.digest, "误发", EARLIER))
        box.talk()
        write(box.hub, "dengfeng/content", "item", "i2", item("i2", assets=(shared,)))
        write(box.hub, "dengfeng/content", "item", "i3", item("i3", assets=(shared,), created_at=LATER))
        box.talk()
        assert work.to_fetch(box.db) == ()
        assert items.assets_of(box.db, "i2") == items.assets_of(box.db, "i3") == frozenset()


@pytest.mark.parametrize(("recalled_at", "airs"), [(EARLIER, True), (LATER, False)])
def test_a_schedule_made_after_a_story_was_recalled_airs_the_clip_of_the_story(
    tmp_path: Path, recalled_at: str, airs: bool
) -> None:
    """Only the story was recalled. A schedule of before loses the clip, also where it comes after the recall."""
    entries = {"id": "e1", "start": "06:00:00", "start_type": "hard", "kind": "programme", "asset": digest("a")}
    with rig(tmp_path) as box:
        write(box.hub, "all/content", "offer", "i1", item("i1", assets=(clip("a"),), created_at=EARLIER))
        box.talk()
        write(box.hub, "all/control", "recall", "i1", Recall("i1", "误发", recalled_at))
        box.talk()
        assert items.is_recalled(box.db, digest("a"))
        write(box.hub, "dengfeng/content", "schedule", "dengfeng-1", schedule(entries, assets=(clip("a"),)))
        box.talk()
        assert items.is_recalled(box.db, digest("a")) is not airs
        assert {each.digest for each in work.to_fetch(box.db)} == ({"sha256:" + "a0" * 32} if airs else set())


def test_a_recall_of_a_story_leaves_a_submission_its_picture(tmp_path: Path) -> None:
    """The same picture may be on its way up from here, and then this is the only copy that can be sent."""
    with rig(tmp_path) as box:
        shared = asset("a")
        write(box.hub, "all/content", "item", "i1", item("i1", assets=(shared,)))
        box.talk()
        own = item("dengfeng-1", assets=(shared,), signed=False)
        with transaction(box.db):
            desk.add_submission(box.db, "dengfeng-1", own, "a.jpg", AT_US)
            assets.arrived(box.db, shared.digest, shared.size_bytes, AT_US)
        write(box.hub, "all/control", "recall", "i1", Recall("i1", "误发", LATER))
        box.talk()
        assert work.recalled_here(box.db, AT_US) == ()
        write(box.hub, "all/control", "recall", shared.digest, Recall(shared.digest, "误发", LATER))
        box.talk()
        assert work.recalled_here(box.db, AT_US) == (shared.digest,)


def template(version: int, letter: str, default: str = "") -> Template:
    """Every Wednesday at six; the test's now is one, at ten in the evening."""
    days = [{"on": ["wed"], "entries": [airing("06:00:00", letter)]}] if letter else []
    clips = [{"id": "d1", "kind": "programme", "asset": digest(default)}] if default else []
    document = {"channel": "dengfeng-1", "version": version, "days": days, "default": clips}
    assets = tuple(clip(each) for each in (letter, default) if each)
    return Template("dengfeng-1", version, msgspec.Raw(msgspec.json.encode(document)), assets)


def test_a_template_wants_what_it_airs_by_when_it_first_may(tmp_path: Path) -> None:
    """What plays on days without a schedule must be here before such a day comes, and stay."""
    with rig(tmp_path) as box:
        write(box.hub, "dengfeng/content", "template", "dengfeng-1", template(1, "a", "b"))
        box.talk()
        wanted = {each.digest[7:9]: each.deadline_us for each in work.to_fetch(box.db)}
        assert parked(box) == [] and wanted.keys() == {"a0", "b0"}
        assert wanted["b0"] is not None and wanted["b0"] <= AT_US + needs.FILLER_WITHIN_US + US
        assert needs.is_over(box.db, digest("a"), AT_US + 90 * 86_400 * US) is False
        write(box.hub, "dengfeng/content", "template", "dengfeng-1", template(2, "", "b"))
        write(
            box.hub, "dengfeng/content", "template", "zhongmu-1", msgspec.structs.replace(template(3, "c"), channel="x")
        )
        box.talk()
        assert [each.digest[7:9] for each in work.to_fetch(box.db)] == ["b0"]
        assert parked(box) == ["this site has no channel x"]
        assert box.rows("SELECT max(version) FROM templates") == [(2,)]
