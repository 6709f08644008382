"""Commands and dropped files happen once, wherever the agent is killed in between; what fails leaves no half behind."""

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from appliance import files, spool
from appliance.config import ChannelConfig
from appliance.core.asset import Rendition, parse_digest
from appliance.core.command import (
    Answer,
    Asrun,
    Command,
    Insert,
    Observed,
    Reapply,
    Repackage,
    Retry,
    Submit,
    Take,
    Tip,
    Untake,
)
from appliance.core.errors import OperatorError, Text
from appliance.core.findings import Check, Finding
from appliance.core.moment import US, to_text
from appliance.core.records import Filler, Order
from appliance.core.rundown import Packed, tick_of
from appliance.core.scrub import next_reading
from appliance.core.stock import RenditionState
from appliance.core.ts import HOUSE_PROFILE, SegmentInfo, pack_table
from appliance.store import air, asrun, assets, cache, desk, items, journals, line_rates, needs, plans, reasons, work
from appliance.store.database import transaction
from edge_agent import drop
from edge_agent.apply import Applying
from edge_agent.children import Children
from edge_agent.core import retry
from edge_agent.core.observation import Child
from edge_agent.core.outcomes import Answered, Carried, Ceased, NotPackaged, Packaged, Result, Spoilt
from edge_agent.core.steps import TakeCommand
from edge_agent.endings import of_reading
from edge_agent.execute import World, execute
from edge_agent.memory import Memory
from edge_agent.reading import read
from edge_agent.record import Recording
from tests.appliance.boxes import AT, AT_US, asset, dies, digest, item, watched
from tests.edge_agent.rig import OWN, SITE, Rig, rig, write
from tests.simulators.hub import SimulatedHub


@contextmanager
def agent_in(home: Path, hub: SimulatedHub) -> Iterator[tuple[Rig, World, Recording]]:
    """The part of an agent that does and records, on a box as it was left."""
    with rig(home, hub) as box:
        world = World(box.config, watched(box.db), Memory(), Children(), box.line, box.conversation, None, {})
        yield box, world, Recording(world, box.applying, AT_US)


def take_commands(home: Path, hub: SimulatedHub) -> None:
    """Carry out what lies in the spool; files are read here instead of in a process."""
    with agent_in(home, hub) as (box, world, recording):
        for name in spool.pending(box.config):
            for blob, called in files_of(box, name):
                taken = read(box.config, ["blob", str(blob), called])
                recording.record(of_reading(Child("take", (name,)), taken, world.memory), AT_US, 0.5)
            if spool.pending(box.config):
                recording.record(execute(TakeCommand(name), world, {}), AT_US, 0.5)


def files_of(box: Rig, name: str) -> list[tuple[Path, str]]:
    """What came with a command, and how it is called."""
    try:
        command, blobs = spool.read(box.config, name)
    except OperatorError:
        return []
    return list(zip(blobs, getattr(command, "files", ()), strict=True))


def take_drops(home: Path, hub: SimulatedHub) -> None:
    """Take what lies settled in the drop folder."""
    with agent_in(home, hub) as (box, world, recording):
        before = drop.look(box.config.drop, drop.Look(), {}, AT_US - 10**7, 0)
        world.memory.drops = drop.look(box.config.drop, before, {}, AT_US, 0)
        for entry in world.memory.drops.settled:
            taken = read(box.config, ["drop", str(entry.path)])
            recording.record(of_reading(Child("take", (entry.key,)), taken, world.memory), AT_US, 0.5)


def own_records(box: Rig) -> list[tuple[str, str]]:
    return [(each.header.kind, each.header.key) for each in journals.read_from(box.db, OWN, (1, 0))]


def put(box: Rig, command: Command, *attachments: Path) -> str:
    return spool.put(box.config, command, attachments)


def by() -> dict[str, str]:
    return {"by": "王编辑", "via": "cli", "at": AT}


def test_a_submission_happens_once_wherever_the_agent_is_killed(tmp_path: Path) -> None:
    """Killed before each statement and each change on the disk, and started again: one item, one record, one file."""
    home, hub, clip = tmp_path / "box", SimulatedHub(), tmp_path / "story.txt"
    clip.write_text("嵩山秋色")
    with rig(home, hub) as box:
        put(box, Submit(title="秋色", files=("story.txt",), **by()), clip)  # type: ignore[arg-type]
    step = kills = 0
    while dies(lambda: take_commands(home, hub), step := step + 3):
        kills += 1
        with rig(home, hub) as box:
            assert len(own_records(box)) == len(desk.submissions(box.db)) == len(desk.audit(box.db)), step
            if not own_records(box):
                assert spool.pending(box.config), "neither carried out nor waiting"
    assert kills > 15
    take_commands(home, hub)
    with rig(home, hub) as box:
        assert [kind for kind, _key in own_records(box)] == ["submission"]
        assert [fact.state for fact in desk.submissions(box.db)] == ["waiting"]
        # Killed between command and blob, it leaves the blob to the sweep of the next day.
        spool.sweep(box.config, time.time() + 2 * spool.ORPHAN_S)
        assert (spool.pending(box.config), list((box.config.spool / "blob").iterdir())) == ([], [])
        assert len(list(files.held(box.config))) == 1


def test_a_dropped_file_is_sent_once_wherever_the_agent_is_killed(tmp_path: Path) -> None:
    """Between the note that it was taken and its removal from the folder lies the kill that would send it twice."""
    home, hub = tmp_path / "box", SimulatedHub()
    with rig(home, hub) as box:
        (box.config.drop / "秋色.txt").write_text("嵩山秋色")
    step = kills = 0
    while dies(lambda: take_drops(home, hub), step := step + 3):
        kills += 1
        with rig(home, hub) as box:
            assert len(own_records(box)) == len(desk.submissions(box.db)), step
            assert own_records(box) or (box.config.drop / "秋色.txt").exists(), "lost"
    assert kills > 15
    take_drops(home, hub)
    with rig(home, hub) as box:
        assert [kind for kind, _key in own_records(box)] == ["submission"]
        assert [(fact.title, fact.file_name) for fact in desk.submissions(box.db)] == [("秋色", "秋色.txt")]
        assert [fact.via for fact in desk.audit(box.db)] == ["drop"]
        assert list(box.config.drop.iterdir()) == []


def test_what_people_ask_becomes_rows_and_records(tmp_path: Path) -> None:
    """The hub's desk must hear of a take, an answer and a tip; the box must act on them at once."""
    hub = SimulatedHub()
    with rig(tmp_path, hub) as box:
        with transaction(box.db):
            items.keep(box.db, item("i1", assets=(asset("a"),)), "offered", AT_US)
            desk.receive_order(box.db, Order(id="o1", title="报送画面"), AT_US)
        put(box, Take(item="i1", **by()))  # type: ignore[arg-type]
        put(box, Answer(order="o1", answer="accepted", note="已派记者", **by()))  # type: ignore[arg-type]
        put(box, Tip(text="路灯坏了", contact="138", **by()))  # type: ignore[arg-type]
    take_commands(tmp_path, hub)
    with rig(tmp_path, hub) as box:
        assert [kind for kind, _key in own_records(box)] == ["take", "answer", "tip"]
        assert [each.digest for each in work.to_fetch(box.db)] == [digest("a")]
        assert [order.answer for order in desk.orders(box.db)] == ["accepted"]
        put(box, Untake(item="i1", **by()))  # type: ignore[arg-type]
    take_commands(tmp_path, hub)
    with rig(tmp_path, hub) as box:
        assert own_records(box)[-1] == ("untake", "i1")
        assert work.to_fetch(box.db) == ()


@pytest.mark.parametrize(
    "command",
    [
        Take(item="nothing", by="x", via="cli", at=AT),
        Untake(item="nothing", by="x", via="cli", at=AT),
        Answer(order="nothing", answer="done", by="x", via="cli", at=AT),
        Insert(channel="dengfeng-1", digest=digest("a"), by="x", via="cli", at=AT),
        Insert(channel="nothing", digest=digest("a"), by="x", via="cli", at=AT),
        Observed(
            channel="nothing", first_tick=0, last_tick=9, continuity_errors=0, output="", by="x", via="playout", at=AT
        ),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_cannot_be_done_is_refused_on_record_and_changes_nothing(tmp_path: Path, command: Command) -> None:
    """Who asked must learn why not; and nobody else may see half of it."""
    hub = SimulatedHub()
    with rig(tmp_path, hub) as box:
        put(box, command)
    take_commands(tmp_path, hub)
    with rig(tmp_path, hub) as box:
        assert [(each.outcome, each.reason is not None) for each in desk.audit(box.db)] == [("refused", True)]
        assert (own_records(box), spool.pending(box.config)) == ([], [])
        assert len(list((box.config.spool / "refused").iterdir())) == 2


def test_a_command_that_is_none_is_refused_and_the_next_one_goes_on(tmp_path: Path) -> None:
    """One torn file in the spool must not be the end of the desk."""
    hub = SimulatedHub()
    with rig(tmp_path, hub) as box:
        (box.config.spool / "new" / f"{1:020d}-{'a' * 12}").write_bytes(b'{"kind":"explode"}')
        put(box, Tip(text="路灯坏了", **by()))  # type: ignore[arg-type]
    take_commands(tmp_path, hub)
    with rig(tmp_path, hub) as box:
        assert sorted(each.outcome for each in desk.audit(box.db)) == ["done", "refused"]
        assert [kind for kind, _key in own_records(box)] == ["tip"]


def test_a_break_in_from_the_desk_needs_a_clip_that_is_ready(tmp_path: Path) -> None:
    """Whoever presses the button must see it happen; a black channel is worse than a refusal."""
    hub = SimulatedHub()
    with rig(tmp_path, hub) as box:
        with transaction(box.db):
            made = RenditionState(
                source=digest("a"), profile=HOUSE_PROFILE, digest=digest("b"), frames=50, size_bytes=9, state="here"
            )
            assets.set_rendition(box.db, made, b"\0" * 16)
        put(box, Insert(channel="dengfeng-1", digest=digest("a"), reason="山洪", **by()))  # type: ignore[arg-type]
    take_commands(tmp_path, hub)
    with rig(tmp_path, hub) as box:
        assert box.rows("SELECT channel, digest, state FROM inserts") == [("dengfeng-1", digest("a"), "waiting")]


@pytest.mark.parametrize(
    "times",
    [
        {"until": to_text(AT_US + 3 * US)},
        {"at_air": to_text(AT_US - 40 * 60 * US), "until": to_text(AT_US - 30 * 60 * US)},
        {"at_air": to_text(AT_US - 16 * 60 * US)},
    ],
    ids=["ends too soon", "over since", "too late"],
)
def test_a_break_in_whose_time_went_by_while_it_waited_is_refused(tmp_path: Path, times: dict[str, str]) -> None:
    """'Done' of what nobody saw is a lie; the agent was away, or the end was typed seconds ahead."""
    hub = SimulatedHub()
    with rig(tmp_path, hub) as box:
        with transaction(box.db):
            made = RenditionState(
                source=digest("a"), profile=HOUSE_PROFILE, digest=digest("b"), frames=50, size_bytes=9, state="here"
            )
            assets.set_rendition(box.db, made, b"\0" * 16)
        put(box, Insert(channel="dengfeng-1", digest=digest("a"), reason="山洪", **times, **by()))  # type: ignore[arg-type]
    take_commands(tmp_path, hub)
    with rig(tmp_path, hub) as box:
        (done,) = desk.audit(box.db)
        assert (done.outcome, done.reason is not None and "gone by" in done.reason.en) == ("refused", True)
        assert box.rows("SELECT id FROM inserts") == []


def test_what_a_probe_received_is_kept_as_evidence(tmp_path: Path) -> None:
    """The ledger says what was announced; only who listened can say what came out."""
    hub = SimulatedHub()
    with rig(tmp_path, hub) as box:
        ticks = {"first_tick": tick_of(AT_US), "last_tick": tick_of(AT_US) + 59 * 90_000}
        seen = {"channel": "dengfeng-1", "continuity_errors": 2, "output": "239.0.0.1:5000", **ticks}
        put(box, Observed(**seen, **by()))  # type: ignore[arg-type]
    take_commands(tmp_path, hub)
    with rig(tmp_path, hub) as box:
        (found,) = asrun.sightings(box.db, "dengfeng-1", ticks["first_tick"], ticks["last_tick"])
        assert (found.evidence, found.errors, found.end_tick) == ("ts_probe", 2, ticks["last_tick"] + 3600)


def test_what_an_engine_reports_is_evidence_and_goes_up_without_a_place_in_the_log(tmp_path: Path) -> None:
    """A rendition counts as the asset that it was made of; what it says is its own word, not a row of ours."""
    hub = SimulatedHub()
    with rig(tmp_path, hub) as box:
        with transaction(box.db):
            made = RenditionState(
                source=digest("a"), profile=HOUSE_PROFILE, digest=digest("b"), frames=50, size_bytes=9, state="here"
            )
            assets.set_rendition(box.db, made, b"\0" * 16)
        said = {"start": AT, "duration_s": 60.0, "asset": digest("b"), "title": "新闻"}
        put(box, Asrun(channel="dengfeng-1", rows=(said,), **by()))  # type: ignore[arg-type]
        forged = {**said, "seq": 1, "prev": "0" * 64, "hash": "0" * 64}
        put(box, Asrun(channel="dengfeng-1", rows=(forged,), **by()))  # type: ignore[arg-type]
    take_commands(tmp_path, hub)
    with rig(tmp_path, hub) as box:
        (seen,) = asrun.sightings(box.db, "dengfeng-1", tick_of(AT_US), tick_of(AT_US) + 90_000)
        assert (seen.evidence, seen.asset) == ("engine_callback", digest("a"))
        assert sorted(each.outcome for each in desk.audit(box.db)) == ["done", "refused"]
        assert own_records(box) == [("asrun", "dengfeng-1")]


def test_a_file_that_is_not_what_it_says_is_refused_and_not_kept(tmp_path: Path) -> None:
    """A picture called .mp4 would fail hours later, on the air."""
    hub, picture = SimulatedHub(), tmp_path / "x.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with rig(tmp_path / "box", hub) as box:
        put(box, Submit(title="x", files=("clip.mp4",), **by()), picture)  # type: ignore[arg-type]
    take_commands(tmp_path / "box", hub)
    with rig(tmp_path / "box", hub) as box:
        assert [each.outcome for each in desk.audit(box.db)] == ["refused"]
        assert list(files.held(box.config)) == []
        assert (own_records(box), desk.submissions(box.db)) == ([], ())


def test_the_same_bytes_sent_twice_are_two_submissions_of_one_asset(tmp_path: Path) -> None:
    """Two editors may send the same clip under two titles; neither is the other's mistake."""
    hub, clip = SimulatedHub(), tmp_path / "clip.txt"
    clip.write_text("x")
    with rig(tmp_path / "box", hub) as box:
        for title in ("一", "二"):
            put(box, Submit(title=title, files=("clip.txt",), **by()), clip)  # type: ignore[arg-type]
    take_commands(tmp_path / "box", hub)
    with rig(tmp_path / "box", hub) as box:
        assert sorted(fact.title for fact in desk.submissions(box.db)) == ["一", "二"]
        held = list(files.held(box.config))
        assert [each.digest for each in work.to_send(box.db)] == held == [parse_digest(held[0])]


def test_what_the_line_carried_is_noted(tmp_path: Path) -> None:
    """The forecast stands on it; and an outcome that nobody notes would end the agent in the middle of a transfer."""
    with agent_in(tmp_path, SimulatedHub()) as (box, _world, recording):
        recording.record([Carried(is_upload=False, bytes=5_000_000, busy_us=5_000_000)], AT_US, 0.5)
        assert line_rates.rate_of(box.db, "down").now_bytes_per_s == 1_000_000


BLACK = Check("2/-24LUFS", (Finding("black_throughout", "red", Text("画面全黑", "black")),))


def made_here(box: Rig, check: Check) -> None:
    whole = msgspec.structs.replace(asset("a"), rendition=Rendition(digest("b"), 9, 50, HOUSE_PROFILE), check=check)
    assets.want(box.db, whole, needs.MADE_HERE, AT_US)
    needs.packed(box.db, digest("b"), 50, pack_table([SegmentInfo(0, 1000, 50)]))
    for each in (digest("a"), digest("b")):
        assets.arrived(box.db, each, 9, AT_US)


def test_a_clip_found_red_never_airs_and_says_why(tmp_path: Path) -> None:
    """No command makes it air; what was found is on the screen of whoever scheduled it."""
    red = NotPackaged(digest("a"), Text("画面全黑", "black"), is_final=True, check=BLACK)
    with agent_in(tmp_path, SimulatedHub()) as (box, _world, recording):
        assets.want(box.db, asset("a"), "item", AT_US)
        recording.record([red], AT_US, 0.5)
        made = assets.rendition(box.db, digest("a"), HOUSE_PROFILE)
        assert made is not None and (made.state, made.check) == ("failed", BLACK)
        assert plans.ready_assets(box.db) == {}


def test_what_a_newer_recipe_finds_red_airs_no_more_and_what_it_cannot_judge_stays(tmp_path: Path) -> None:
    """Made again for its loudness, a clip turns out to be black: it was so before, and nobody looked."""
    red = NotPackaged(digest("a"), Text("画面全黑", "black"), is_final=True, check=BLACK)
    with agent_in(tmp_path, SimulatedHub()) as (box, _world, recording):
        made_here(box, Check("1/-24LUFS"))
        late = NotPackaged(digest("a"), Text("转码超时", "in time"), is_final=True)
        recording.record([late], AT_US, 0.5)
        assert set(plans.ready_assets(box.db)) == {digest("a")}
        recording.record([red], AT_US, 0.5)
        assert plans.ready_assets(box.db) == {}
        air.set_fillers(box.db, "dengfeng-1", [digest("a")])
        assert work.to_package(box.db, "2/-24LUFS", AT_US) == (), "it would be made for ever"


def test_a_clip_that_came_in_house_format_is_ready_at_once(tmp_path: Path) -> None:
    """Nothing is staged: the asset is its own rendition."""
    table = pack_table([SegmentInfo(0, 1000, 50)])
    done = Packaged(digest("a"), Rendition(digest("a"), 5, 50, HOUSE_PROFILE), Check("2/-24LUFS"), table)
    with agent_in(tmp_path, SimulatedHub()) as (box, _world, recording):
        assets.want(box.db, asset("a"), "item", AT_US)
        assets.arrived(box.db, digest("a"), 5, AT_US)
        recording.record([done], AT_US, 0.5)
        assert plans.ready_assets(box.db) == {digest("a"): Packed(digest("a"), 50)}
        assert box.applying.air_changed


def test_a_story_whose_only_copy_went_bad_is_said_to_be_lost(tmp_path: Path) -> None:
    """The hub refuses the bytes for ever; whoever sent them must hear of it and send them again."""
    clip = tmp_path / "story.txt"
    clip.write_text("嵩山秋色")
    with rig(tmp_path / "box", SimulatedHub()) as box:
        put(box, Submit(title="秋色", files=("story.txt",), **by()), clip)  # type: ignore[arg-type]
    take_commands(tmp_path / "box", SimulatedHub())
    with agent_in(tmp_path / "box", SimulatedHub()) as (box, _world, recording):
        sent = work.to_send(box.db)[0].digest
        recording.record([Answered(sent, "corrupt", Text("", "not what its name says"))], AT_US, 0.5)
        assert next_reading(cache.unread(box.db, AT_US), None, AT_US, 30 * air.DAY_US, 12).digests == (sent,)
        assert [fact.state for fact in desk.submissions(box.db)] == ["waiting"], "the line may have done it"
        recording.record([Spoilt(sent, Text("", "bit rot"), was_here=True)], AT_US, 0.5)
        (lost,) = desk.submissions(box.db)
        assert (lost.state, lost.reason is not None, work.to_send(box.db)) == ("refused", True, ())


def test_a_person_who_does_not_want_to_wait_has_a_transfer_tried_at_once(tmp_path: Path) -> None:
    """The line was mended a minute ago, and the next try is five minutes away. Whoever asked stands in the audit."""
    with agent_in(tmp_path, SimulatedHub()) as (box, _world, recording):
        for letter in "ab":
            with transaction(box.db):
                needs.need_item(box.db, asset(letter), "item", "i1", AT_US, AT_US)
            failed = Ceased(digest(letter), False, Result.FAILED, Text("", "it broke"))
            recording.record([failed] * 3, AT_US, 0.5)
        assert [each.not_before_us > AT_US for each in work.to_fetch(box.db)] == [True, True]
        put(box, Retry(digest=digest("a"), direction="down", **by()))  # type: ignore[arg-type]
    take_commands(tmp_path, SimulatedHub())
    with rig(tmp_path, SimulatedHub()) as box:
        first, second = sorted(work.to_fetch(box.db), key=lambda each: each.digest)
        assert (first.not_before_us, first.attempts, first.has_failed) == (0, 0, False)
        assert (second.not_before_us > AT_US, second.attempts, second.has_failed) == (True, 3, True)
        put(box, Retry(**by()))  # type: ignore[arg-type]
        put(box, Retry(**by()))  # type: ignore[arg-type]
    take_commands(tmp_path, SimulatedHub())
    with rig(tmp_path, SimulatedHub()) as box:
        assert {each.not_before_us for each in work.to_fetch(box.db)} == {0}
        assert [(each.kind, each.by, each.outcome) for each in desk.audit(box.db)] == [
            ("retry", "王编辑", "refused"),
            ("retry", "王编辑", "done"),
            ("retry", "王编辑", "done"),
        ]


def test_a_clip_that_could_not_be_packaged_is_tried_at_once_when_a_person_asks(tmp_path: Path) -> None:
    """Also where the next attempt is half an hour away by what the agent remembers."""
    with agent_in(tmp_path, SimulatedHub()) as (box, world, recording):
        with transaction(box.db):
            assets.want(box.db, asset("a"), "air", AT_US)
            assets.arrived(box.db, digest("a"), 9, AT_US)
            assets.set_rendition(box.db, RenditionState(source=digest("a"), profile=HOUSE_PROFILE, state="failed"))
        world.memory.failed(digest("a"), AT_US, 0.5, retry.PACKAGING)
        name = put(box, Repackage(digest=digest("a"), **by()))  # type: ignore[arg-type]
        recording.record(execute(TakeCommand(name), world, {}), AT_US, 0.5)
        assert world.memory.is_due(digest("a"), AT_US)
        assert [each.source for each in work.to_package(box.db, "2", AT_US)] == [digest("a")]


@pytest.mark.parametrize("result", [Result.FAILED, Result.STOPPED, Result.LINE, Result.NO_ROOM])
def test_why_an_asset_comes_outlives_each_way_in_which_its_transfer_ends(tmp_path: Path, result: Result) -> None:
    """What the air waits for is exempt from the timetable, and preempts; broken off once it is so still."""
    with agent_in(tmp_path, SimulatedHub()) as (box, _world, recording):
        with transaction(box.db):
            needs.need_item(box.db, asset("a"), "air", "dengfeng-1/2026-11-24", AT_US, AT_US)
        recording.record([Ceased(digest("a"), False, result, Text("", "it ended"))], AT_US, 0.5)
        (left,) = work.to_fetch(box.db)
        assert (left.is_for_air, left.deadline_us) == (True, AT_US)
        assert reasons.reasons_of(box.db, digest("a")) == (("air:dengfeng-1/2026-11-24", AT_US),)


def test_a_parked_record_is_applied_once_a_person_has_mended_what_was_wrong(tmp_path: Path) -> None:
    """Where nothing was mended the answer is the reason why it is parked, and it stays so."""
    hub = SimulatedHub()
    command = Reapply(stream=f"{SITE}/content", epoch=1, seq=1, **by())  # type: ignore[arg-type]
    with rig(tmp_path, hub) as box:
        write(hub, f"{SITE}/content", "filler", "new-1", Filler("new-1", (asset("a"),)))
        box.talk()
        assert [each.key for each in journals.parked(box.db)] == ["new-1"]
        put(box, command)
    take_commands(tmp_path, hub)
    with agent_in(tmp_path, hub) as (box, world, _recording):
        (refused,) = desk.audit(box.db)
        assert (refused.outcome, refused.reason) == ("refused", journals.parked(box.db)[0].reason)
        name = put(box, command)
        mended = dataclasses.replace(box.config, channels=(*box.config.channels, ChannelConfig("new-1", "新频道")))
        applying = Applying(mended, lambda: AT_US)
        Recording(world, applying, AT_US).record(execute(TakeCommand(name), world, {}), AT_US, 0.5)
        assert (journals.parked(box.db), desk.audit(box.db)[0].outcome) == ((), "done")
        assert (applying.air_changed, [each.digest for each in work.to_fetch(box.db)]) == (True, [digest("a")])
