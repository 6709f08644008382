"""Writes down what came of the steps: outcomes in, rows changed. What cannot be written now is kept for the next turn.

Commands and dropped files are carried out here, each in one transaction with the note that it was; only then is the
file that asked for it taken away. So each happens once, wherever the agent is killed in between.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, islice, takewhile
from typing import Final

import msgspec
import structlog
from sqlite_utils import Database

from appliance import files, spool
from appliance.core.asset import Asset
from appliance.core.clip import made_by
from appliance.core.command import Command, Insert, Repackage, Resume, Submit
from appliance.core.errors import Refused, SongshanError, Text
from appliance.core.findings import Check
from appliance.core.health import Media
from appliance.core.item import TITLE_CHARS_MAX
from appliance.core.moment import US, to_text
from appliance.core.stock import RenditionState
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import assets, desk, facts, line_rates, needs
from appliance.store.database import transaction
from edge_agent import alarms, backing_up, carry, drop, health, live, report, stocktaking, traffic
from edge_agent.apply import Applying
from edge_agent.core import retry
from edge_agent.core.outcomes import (
    Answered,
    Arrived,
    Began,
    Carried,
    Ceased,
    ChunkCame,
    CommandRead,
    CommandUnusable,
    Copied,
    DropRead,
    DropsToTell,
    DropUnusable,
    Due,
    Failed,
    ImportBroke,
    KeysRenewed,
    LetGo,
    Looked,
    Moved,
    NotPackaged,
    Outcome,
    Packaged,
    Reached,
    Result,
    RoomToTell,
    SourceAnswered,
    Spoilt,
    Unusable,
    Verified,
)
from edge_agent.core.steps import RenewKeys
from edge_agent.desk import effect_of
from edge_agent.execute import World
from edge_agent.memory import Known
from edge_agent.telling import tell
from edge_agent.witness import Witness

DISK_SOUND_US: Final = 86_400 * US
"""A disk that has given back all that was asked of it for so long is taken to be sound again."""
JOURNEY_TOLD_EVERY_US: Final = 1 * US
FULL_FOR_US: Final = retry.NO_ROOM.longest_us
"""So long after the disk said that it is full it is taken to be; what was tried waits no longer than that."""

ROWS_MAX: Final = 1000
"""Outcomes that are noted in one transaction: some tens of milliseconds, in which no record can be applied."""

FOR_READINESS: Final = (Unusable, Spoilt, Packaged, NotPackaged)
"""What changes how ready the coming entries are, beside failed transfers and what the ledger is compiled anew for."""
TOLD_EVERY_US: Final = 10 * US
"""So often the hub is told how the box is; the box itself knows within a second."""
DEEDS: Final = (CommandRead, CommandUnusable, DropRead, DropUnusable, Copied, Due, Looked)
"""What is more than a change of rows, and has its own transaction where it has one."""

log = structlog.get_logger()


class Recording:
    """Writes for one run of the agent."""

    def __init__(self, world: World, applying: Applying, started_us: int) -> None:
        self._world, self._applying, self._started_us = world, applying, started_us
        self._db, self._config, self._memory = world.db, world.config, world.memory
        self._witness = Witness(world.db, world.config)
        self._waiting: deque[Outcome] = deque()
        self._memory.disk_fault_us = started_us
        self._told_of = alarms.raised_drops(world.db, world.config, started_us)

    def record(self, outcomes: Iterable[Outcome], now_us: int, jitter: float) -> None:
        """Note all of them, in order. Raises WorldError when the database cannot be written; none is lost by that."""
        self._waiting.extend(outcomes)
        while self._waiting:
            rows = tuple(islice(takewhile(_is_rows, self._waiting), ROWS_MAX))
            if rows:
                with transaction(self._db):
                    self._note_all_rows(rows, self._db, now_us, jitter)
            else:
                self._note(self._waiting[0], now_us, jitter)
            if any(_is_for_readiness(outcome) for outcome in rows or (self._waiting[0],)):
                self._memory.changed_us = now_us
            noted = [self._waiting.popleft() for _outcome in rows or (None,)]
            for outcome in noted:
                carry.heed(outcome, self._config, self._memory)
            tell(noted)
            live.tidy(self._config, noted)
            for channel in live.channels_of(noted):
                # At once: every tenth of a second counts, and other channels have nothing to do with it.
                report.compile_channel(self._db, self._config, channel)

    def _note(self, outcome: Outcome, now_us: int, jitter: float) -> None:
        match outcome:
            case CommandRead(name, command, taken):
                self._carry_out(name, command, taken, now_us, jitter)
            case CommandUnusable():
                self._refuse(outcome, now_us, jitter)
            case DropRead(key, taken):
                self._take_drop(key, taken, now_us, jitter)
            case DropUnusable(key, reason):
                self._memory.refused_drops[key] = reason
            case Copied(digest):
                if assets.holding(self._db, digest) is None:
                    files.remove(self._config, digest)
            case Due("compile"):
                self._applying.air_changed = False
                self._memory.compiled_us = self._memory.changed_us = now_us
                report.compile_air(self._db, self._config)
            case Looked():
                recovery = self._world.conversation.recovery
                carry.hear(outcome, self._config, self._db, self._memory, self._applying, recovery, now_us)
            case Due("carrying"):
                self._tell_of_journey()
            case Due("log_aired"):
                self._memory.aired_us = now_us
                report.log_aired(self._db, self._config, now_us)
            case Due("media_away"):
                self._memory.media = "told"
                with transaction(self._db):
                    facts.set_status(self._db, Media(is_away=True), now_us)
                    alarms.of_media(self._db, self._config.media, now_us, is_away=True)
                self._applying.air_changed = True
            case Due("take_stock"):
                stocktaking.take_stock(self._config, self._db, now_us)
                self._memory.media, self._memory.known = "here", Known()
                self._memory.serving.links_are(files.served(self._config))
                self._applying.air_changed = True
            case Due():
                is_news = self._memory.reported_link != self._world.line.fact.state
                self._memory.reported_us, self._memory.reported_link = now_us, self._world.line.fact.state
                with transaction(self._db):
                    self._witness.tell(now_us)
                line, conversation = self._world.line, self._world.conversation
                status = report.keep_status(
                    self._db, self._config, line, conversation, self._world.children, self._started_us
                )
                is_due = is_news or now_us >= self._memory.told_us + TOLD_EVERY_US
                self._memory.told_us = now_us if is_due else self._memory.told_us
                conversation.report(status if is_due else None, now_us)
            case _:
                raise AssertionError(f"nobody notes {outcome}")

    def _note_all_rows(self, outcomes: Sequence[Outcome], db: Database, now_us: int, jitter: float) -> None:
        """Many together: what a batch of small assets left behind is one transaction."""
        for is_plain, together in groupby(outcomes, _is_plain_arrival):
            if is_plain:
                sizes = [(each.digest, each.size_bytes) for each in together if isinstance(each, Arrived)]
                assets.all_arrived(db, sizes, now_us)
                continue
            for outcome in together:
                self._note_rows(outcome, db, now_us, jitter)
        if any(isinstance(outcome, Began | Ceased | Answered) and traffic.is_up(outcome) for outcome in outcomes):
            traffic.stand(db, now_us)

    def _note_rows(self, outcome: Outcome, db: Database, now_us: int, jitter: float) -> None:
        """What is a change of rows and nothing else."""
        match outcome:
            case Began(digests, is_upload):
                for digest in digests:
                    needs.begun(db, digest, "up" if is_upload else "down")
            case Moved(digest, is_upload, done_bytes, rate_bytes_per_s):
                needs.moved(db, digest, "up" if is_upload else "down", done_bytes, rate_bytes_per_s)
            case Carried(is_upload, bytes_, busy_us):
                line_rates.carried(db, "up" if is_upload else "down", bytes_, busy_us, now_us)
            case Ceased(digest, is_upload, result):
                self._memory.progress.pop(digest, None)
                traffic.cease(db, outcome, now_us, jitter)
                backing_up.note(outcome, self._config, self._memory, now_us, jitter)
                if result is Result.DISK:
                    self._disk_fault(db, outcome.reason, now_us)
                if result is Result.NO_ROOM and not is_upload:
                    self._memory.full_until_us = now_us + FULL_FOR_US
            case Arrived():
                traffic.arrive(db, outcome, now_us)
                self._applying.air_changed |= outcome.segments is not None
            case Unusable(digest, reason):
                known = assets.holding(db, digest)
                assets.arrived(db, digest, known.size_bytes if known else 0, now_us)
                needs.unusable(db, digest, reason)
            case Spoilt(digest, reason, _was_here, is_disk):
                if is_disk:
                    self._disk_fault(db, reason, now_us)
                self._memory.read_again(digest, 0, now_us)
                traffic.spoil(db, outcome, now_us, jitter)
                self._applying.air_changed = True
            case Verified(digest, size_bytes):
                assets.verified(db, digest, now_us)
                self._memory.read_again(digest, size_bytes, now_us)
                if self._memory.disk_fault_us + DISK_SOUND_US <= now_us:
                    facts.clear_alarm(db, "media-disk", now_us)
            case Packaged(source, _rendition, _check, segments):
                traffic.keep_packaged(db, outcome, now_us)
                self._applying.air_changed |= segments is not None
                self._memory.failures.pop(source, None)
                alarms.of_clip(db, source, "", None, now_us)
            case NotPackaged():
                self._not_packaged(db, outcome, now_us, jitter)
            case Answered():
                traffic.answer(db, outcome, now_us, jitter)
                backing_up.note(outcome, self._config, self._memory, now_us, jitter)
            case LetGo(digest):
                needs.gone(db, digest)
                live.let_go(db, digest)
                self._applying.air_changed = True
            case ChunkCame() | SourceAnswered() | ImportBroke():
                live.note(db, outcome, self._memory, now_us, jitter)
            case Reached():
                needs.reached(db)
            case KeysRenewed():
                self._memory.failures.pop(RenewKeys.__name__, None)
                self._world.conversation.take_up_keys()
            case DropsToTell(entries):
                self._told_of = alarms.of_drops(db, entries, self._told_of, now_us)
            case Failed(subject, reason, no_room, is_disk):
                if is_disk:
                    self._disk_fault(db, reason, now_us)
                self._memory.failed(subject, now_us, jitter, retry.NO_ROOM if no_room else retry.TRANSFER)
                if no_room:
                    self._memory.full_until_us = now_us + FULL_FOR_US
            case RoomToTell(short_bytes):
                alarms.of_room(db, short_bytes, now_us)
            case _:
                raise AssertionError(f"nobody notes {outcome}")

    def _disk_fault(self, db: Database, reason: Text, now_us: int) -> None:
        self._memory.disk_fault_us = now_us
        alarms.of_disk(db, health.device_of(self._config.media), reason, now_us)

    def _not_packaged(self, db: Database, outcome: NotPackaged, now_us: int, jitter: float) -> None:
        if outcome.no_room:
            self._memory.full_until_us = now_us + FULL_FOR_US
        if not outcome.is_final:
            self._memory.failed(outcome.source, now_us, jitter, retry.PACKAGING)
            return
        state = RenditionState(source=outcome.source, profile=HOUSE_PROFILE, state="failed", reason=outcome.reason)
        before = assets.rendition(db, outcome.source, HOUSE_PROFILE)
        if before is not None and before.state == "here":
            # It was made by an older recipe; what this one finds red airs no more.
            check = outcome.check or before.check or Check()
            recipe = made_by(self._config.air.loudness_lufs)
            check = msgspec.structs.replace(check, made_by=recipe)
            assets.set_rendition(db, msgspec.structs.replace(before, check=check))
            self._applying.air_changed = True
        else:
            assets.set_rendition(db, msgspec.structs.replace(state, check=outcome.check))
        known = assets.holding(db, outcome.source)
        alarms.of_clip(db, outcome.source, known.name if known else outcome.source, outcome.reason, now_us)

    def _carry_out(self, name: str, command: Command, taken: Sequence[Asset], now_us: int, jitter: float) -> None:
        """Do what a command of the spool asks; its file goes when that is committed."""
        effect = effect_of(self._config, name, command, _named(command, taken), now_us, self._applying.again)
        done = desk.carry_out(self._db, name, command, effect)
        why = done.reason.en if done.reason else ""
        log.info("command", name=name, kind=done.kind, by=done.by, outcome=done.outcome, reason=why)
        self._applying.air_changed |= isinstance(command, Insert | Resume)
        if isinstance(command, Repackage):
            self._memory.failures.pop(command.digest, None)
        self._memory.reading.pop(name, None)
        self._end_journey(name, done.reason)
        if done.outcome == "refused":
            self._take_away(name, lambda: spool.refuse(self._config, name, done.reason or Text("", "")), now_us, jitter)
        else:
            self._take_away(name, lambda: spool.finish(self._config, name), now_us, jitter)

    def _refuse(self, unusable: CommandUnusable, now_us: int, jitter: float) -> None:
        """A command that cannot be carried out is on record, with the reason."""
        name, reason, command = unusable.name, unusable.reason, unusable.command

        def refuse(_db: Database) -> None:
            raise Refused(reason)

        if command is not None:
            desk.carry_out(self._db, name, command, refuse)
        else:
            desk.note_unreadable(self._db, name, reason, now_us)
        self._memory.reading.pop(name, None)
        self._end_journey(name, reason)
        self._take_away(name, lambda: spool.refuse(self._config, name, reason), now_us, jitter)

    def _tell_of_journey(self) -> None:
        """About once a second."""
        memory, clock = self._memory, self._config.clock
        if memory.journey is not None and clock.running_us() >= memory.journey_told_us + JOURNEY_TOLD_EVERY_US:
            memory.journey_told_us = clock.running_us()
            with transaction(self._db):
                wall_us = clock.wall_us()
                facts.set_status(self._db, carry.fact_of(self._db, memory.journey, wall_us), wall_us)

    def _end_journey(self, name: str, reason: Text | None) -> None:
        """An import from a stick is over, if that is what the command was."""
        journey, wall_us = self._memory.journey, self._config.clock.wall_us()
        if journey is not None and journey.name == name:
            with transaction(self._db):
                facts.set_status(self._db, carry.fact_of_end(self._db, journey, reason, wall_us), wall_us)
            carry.end(self._memory)

    def _take_drop(self, key: str, taken: Asset, now_us: int, jitter: float) -> None:
        """A dropped file becomes a submission, called as it is called; then it goes from the folder."""
        title = taken.name.rpartition(".")[0] or taken.name
        command = Submit(title=title[:TITLE_CHARS_MAX], files=(taken.name,), by="drop", via="drop", at=to_text(now_us))
        name = f"drop-{key}"
        done = desk.carry_out(self._db, name, command, effect_of(self._config, name, command, (taken,), now_us))
        if done.outcome == "refused":
            self._memory.refused_drops[key] = done.reason or Text("", "")
            return
        entry = self._memory.drop_of(key)
        if entry is not None:
            self._take_away(key, lambda: drop.take_away(entry), now_us, jitter)

    def _take_away(self, subject: str, take_away: Callable[[], None], now_us: int, jitter: float) -> None:
        """It is done; should the file that asked for it stay, it is read again later, and not done again."""
        try:
            take_away()
        except (SongshanError, OSError):
            self._memory.failed(subject, now_us, jitter, retry.TRANSFER)


def _is_plain_arrival(outcome: Outcome) -> bool:
    """Of an asset that is no rendition."""
    return isinstance(outcome, Arrived) and outcome.segments is None


def _is_for_readiness(outcome: Outcome) -> bool:
    """Whether a coming entry may be ready otherwise than before. Of what arrives, and is to air, the compiler hears."""
    if isinstance(outcome, Ceased):
        return outcome.result is not Result.DONE and not outcome.is_upload
    return isinstance(outcome, FOR_READINESS)


def _is_rows(outcome: Outcome) -> bool:
    """Whether noting it is a change of rows and nothing else."""
    return not isinstance(outcome, DEEDS)


def _named(command: Command, taken: Sequence[Asset]) -> tuple[Asset, ...]:
    """The files that came with a command, called as whoever sent them called them."""
    if not isinstance(command, Submit):
        return ()
    return tuple(
        Asset(asset.digest, asset.size_bytes, name, asset.media_type, asset.role, asset.duration_s)
        for asset, name in zip(taken, command.files, strict=True)
    )
