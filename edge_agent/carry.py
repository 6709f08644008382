"""Takes in what a stick brings: a command that goes on over many turns, with a process that looks and one that copies.

    go_on    begin what is to be looked at next; the command is done when nothing is left
    hear     what the looking process found: pages are judged and applied here, each as a session's batch is
    heed     what became of an asset that lies on the stick

The agent itself never touches the stick: a bad one can make whoever reads it wait for minutes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlite_utils import Database

from appliance.config import Config
from appliance.core import carry, wire
from appliance.core.command import Import
from appliance.core.errors import Text
from appliance.core.health import Carrying
from appliance.core.journal import Broken, Checkpoint, Record, parse_checkpoint_text, parse_public_key
from appliance.core.judge import Verdict
from appliance.core.moment import US
from appliance.core.snapshot import judge_snapshot, parse_statement_text
from appliance.store import desk, hub_keys, journals, work
from edge_agent import carrying
from edge_agent.apply import Applying
from edge_agent.arriving import SNAPSHOT_SUFFIX, Arriving
from edge_agent.children import Children
from edge_agent.core import journey as journeys
from edge_agent.core.journey import Answer, Journey
from edge_agent.core.observation import Child
from edge_agent.core.outcomes import Ceased, CommandRead, CommandUnusable, Due, Looked, Outcome, Result, Spoilt
from edge_agent.keeping import Holding, receive
from edge_agent.memory import Memory
from edge_agent.recovery import Recovery

LOOK_LIMIT_S: Final = 600.0
COPY_LIMIT_S: Final = 86_400.0
STALLED_US: Final = 30 * US
"""When for so long nothing of what lies on the stick could be begun, there is no room for it."""
WANTED_MAX: Final = 20_000

log = structlog.get_logger()


def go_on(
    name: str,
    command: Import,
    config: Config,
    db: Database,
    memory: Memory,
    children: Children,
    environ: Mapping[str, str],
) -> Iterator[Outcome]:
    """One step further. One stick at a time: another command waits."""
    if config.hub is None:
        yield CommandUnusable(name, Text("本节点未加入嵩山云", "this box belongs to no hub"), command)
        return
    if desk.audited(db, name) is not None:
        yield CommandRead(name, command)
        return
    now_us = config.clock.running_us()
    if memory.journey is None:
        memory.journey = Journey(name, command.path, wire.streams_of_hub(config.site), config.clock.wall_us())
        memory.journey_moved_us = now_us
    journey = memory.journey
    if journey.name != name or any(child.work == "look" for child in children.running()):
        return
    yield Due("carrying")
    wanted = [(each.digest, each.size_bytes) for each in work.to_fetch(db, WANTED_MAX)]
    places = {stream: journals.cursor(db, stream).position.place for stream in journey.streams}
    words = journeys.next_look(journey, places, wanted)
    if words is not None:
        argv = carrying.argv(words[0], journey.path, *words[1:])
        children.start(Child("look", (name, *words)), argv, LOOK_LIMIT_S, environ)
        return
    copying = any(child.work == "carry" for child in children.running())
    left = journeys.to_copy(journey, {digest for digest, _size in wanted})
    if copying or (left and now_us < memory.journey_moved_us + STALLED_US):
        return
    if left:
        no_room = Text(f"本机没有空间放 {len(left)} 个媒资", f"no room on this box for {len(left)} assets")
        journey = memory.journey = msgspec.structs.replace(journey, problems=(*journey.problems, no_room))
    if journey.problems:
        yield CommandUnusable(name, _together(journey.problems), command)
    else:
        yield CommandRead(name, command)


def hear(
    looked: Looked,
    config: Config,
    db: Database,
    memory: Memory,
    applying: Applying,
    recovery: Recovery,
    now_us: int,
) -> None:
    """Note what was found on the stick. Raises WorldError when our own disk fails; then it is heard again."""
    journey = memory.journey
    if journey is None or journey.name != looked.name:
        return
    assert config.hub is not None, "it would not have been looked for"
    memory.journey_moved_us = config.clock.running_us()
    found = looked.answer
    if found.verdict != "done" and looked.words[0] != "find":
        # Without the label or the records there is nothing to go on with.
        problem = found.problem or Text("读不出", "it cannot be read")
        memory.journey = msgspec.structs.replace(
            journey,
            is_labelled=True,
            streams=(),
            asked=frozenset(),
            problems=(*journey.problems, problem),
            is_over=True,
        )
        return
    match looked.words[0]:
        case "label":
            note = found.note
            own = wire.stream_of_site(config.site)
            if note is not None and own in note.have:
                recovery.hear_by_stick(wire.position_of(own, note.have[own]), now_us)
            memory.journey = msgspec.structs.replace(
                journey,
                is_labelled=True,
                loaded_at=note.at if note else None,
                left_assets=note.left_assets if note else 0,
            )
        case "pages" if found.statement is not None:
            memory.journey = _expect(found.statement, journey, config, db, memory)
        case "part":
            hold = recovery.hold(None, now_us=now_us, hub_now_us=None)
            memory.journey = _take_part(found, journey, db, memory, applying, hold)
        case "pages":
            way = _Way(
                db,
                applying,
                parse_public_key(hub_keys.trusted(db, config.hub.sign_key)),
                partial(recovery.hold, now_us=now_us, hub_now_us=None),
            )
            memory.journey = _keep_pages(found, journey, way)
            recovery.release(now_us, None)
        case _:
            asked = [word.partition("=")[0] for word in looked.words[1:]]
            memory.journey = journeys.with_found(journey, asked, found.digests)
            if found.problem is not None:
                memory.journey = msgspec.structs.replace(memory.journey, problems=(*journey.problems, found.problem))


def heed(outcome: Outcome, config: Config, memory: Memory) -> None:
    """What became of an asset: one that could not be copied, or was not what it is called, is not tried again."""
    journey = memory.journey
    if journey is None:
        return
    match outcome:
        case Ceased(digest, False, result, reason, done_bytes) if digest in journey.here:
            memory.journey_moved_us = config.clock.running_us()
            if result is Result.DONE:
                memory.journey = journeys.with_copied(journey, digest, done_bytes)
            elif result is not Result.STOPPED:
                memory.journey = journeys.with_failed(journey, digest, reason)
        case Spoilt(digest, reason) if digest in journey.here:
            memory.journey_moved_us = config.clock.running_us()
            memory.journey = journeys.with_failed(journey, digest, reason)
        case _:
            pass


def fact_of(db: Database, journey: Journey, wall_us: int) -> Carrying:
    """What screens show of one that runs."""
    coming = {each.digest: each for each in work.to_fetch(db, WANTED_MAX)}
    left = [coming[digest] for digest in journeys.to_copy(journey, coming)]
    elapsed_s = max(1, wall_us - journey.began_us) / US
    return Carrying(
        state="copying" if journey.is_labelled and not journey.streams else "reading",
        command=journey.name,
        path=journey.path,
        began_us=journey.began_us,
        loaded_at=journey.loaded_at,
        records=journey.records,
        assets_done=journey.copied_assets,
        assets_left=len(left),
        assets_failed=len(journey.failed),
        bytes_done=journey.copied_bytes,
        bytes_left=sum(each.size_bytes for each in left),
        rate_bytes_per_s=journey.copied_bytes / elapsed_s if journey.copied_bytes else None,
        not_carried=journey.left_assets,
    )


def fact_of_end(db: Database, journey: Journey, reason: Text | None, wall_us: int) -> Carrying:
    """And of one that is over."""
    ended = fact_of(db, journey, wall_us)
    return msgspec.structs.replace(ended, state="failed" if reason else "done", reason=reason)


def end(memory: Memory) -> None:
    """Nothing is left of an import but what it brought."""
    memory.journey = None
    if memory.carried_snapshot is not None:
        memory.carried_snapshot.forget()
        memory.carried_snapshot = None


def _expect(said: tuple[str, str], journey: Journey, config: Config, db: Database, memory: Memory) -> Journey:
    """The stick has a snapshot of a place beyond what is here: its parts are asked for, if the hub signed it."""
    assert config.hub is not None, "it would not have been looked for"
    stream = journey.streams[0]
    try:
        statement = parse_statement_text(*said)
    except Broken as error:
        return journeys.without_stream(journey, _of_stream(stream, error.problems[0]))
    last, trusted = journals.cursor(db, stream).position, hub_keys.trusted(db, config.hub.sign_key)
    verdict, reason = judge_snapshot(last, statement, parse_public_key(trusted))
    if verdict is not Verdict.ACCEPTED:
        return journeys.without_stream(journey, _of_stream(stream, reason))
    memory.carried_snapshot = Arriving(config.database.with_name(f"carried-{SNAPSHOT_SUFFIX}"), statement)
    return msgspec.structs.replace(journey, next_part=1)


def _take_part(
    found: Answer, journey: Journey, db: Database, memory: Memory, applying: Applying, hold: journals.Hold
) -> Journey:
    """One part more; when it is whole and fits what was signed it counts, and the pages behind it follow.

    What it destroys waits for the checkpoint that follows, as on the line.
    """
    arriving, stream = memory.carried_snapshot, journey.streams[0]
    assert arriving is not None, "its parts are asked for"
    try:
        records = carry.parse_records(found.pages[0].encode()) if found.pages else ()
        arriving.add(records)
        if arriving.is_whole:
            arriving.take(db, applying, hold)
        elif not records:
            raise Broken(found.problem or Text("快照缺了一部分", "a part of the snapshot is missing"))
    except Broken as error:
        arriving.forget()
        memory.carried_snapshot = None
        return journeys.without_stream(journey, _of_stream(stream, error.problems[0]))
    if not arriving.is_whole:
        return msgspec.structs.replace(journey, next_part=journey.next_part + 1)
    memory.carried_snapshot = None
    log.info("snapshot_carried", stream=stream, seq=arriving.statement.position.seq)
    return msgspec.structs.replace(journey, next_part=0, records=journey.records + arriving.statement.records)


@dataclass(frozen=True)
class _Way:
    """How a page gets in: the one way that there is (edge_agent/keeping.py), held to the same rules as on the line."""

    db: Database
    applying: Applying
    key: Ed25519PublicKey
    holding: Holding

    def keep(
        self, journey: Journey, stream: str, records: tuple[Record, ...], checkpoint: Checkpoint
    ) -> tuple[Journey, Text | None]:
        """What came of it, and what is wrong where it was not accepted."""
        judgement = receive(self.db, self.applying, self.key, stream, records, checkpoint, self.holding)
        match judgement.verdict:
            case Verdict.ACCEPTED:
                return msgspec.structs.replace(journey, records=journey.records + len(judgement.accepted)), None
            case Verdict.DUPLICATE | Verdict.STALE:
                return journey, None
            case verdict:
                log.error("stick_refused", stream=stream, verdict=verdict.value, reason=judgement.reason.en)
                return journey, _of_stream(stream, judgement.reason)


def _keep_pages(found: Answer, journey: Journey, way: _Way) -> Journey:
    """Judge and apply page after page. What cannot be accepted ends this stream; the others go on."""
    stream = journey.streams[0]
    before = journals.cursor(way.db, stream).position
    for page in found.pages:
        records, checkpoint = carry.parse_page(page.encode())
        journey, problem = way.keep(journey, stream, records, checkpoint)
        if problem is not None:
            return journeys.without_stream(journey, problem)
    if found.problem is not None:
        return journeys.without_stream(journey, _of_stream(stream, found.problem))
    if not found.is_last:
        is_further = journals.cursor(way.db, stream).position != before
        return journey if is_further else journeys.without_stream(journey, _of_stream(stream, _NO_FURTHER))
    if found.head is None:
        return journeys.without_stream(journey)
    try:
        head = parse_checkpoint_text(*found.head)
    except Broken as broken:
        return journeys.without_stream(journey, _of_stream(stream, broken.problems[0]))
    journey, problem = way.keep(journey, stream, (), head)
    return journeys.without_stream(journey, problem)


def _of_stream(stream: str, reason: Text) -> Text:
    return Text(
        f"盘上的流 {stream}：{reason.zh}；请嵩山云重新导出（usb export --all）",
        f"stream {stream} on the stick: {reason.en}; have the hub export again (usb export --all)",
    )


def _together(problems: tuple[Text, ...]) -> Text:
    return Text("；".join(each.zh for each in problems), "; ".join(each.en for each in problems))


_NO_FURTHER: Final = Text("与本机所有不衔接", "it does not go on from what is here")
