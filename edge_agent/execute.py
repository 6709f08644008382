"""Does what the plan says. What takes long is begun and left to a child process (its end: edge_agent/endings.py).

What came of it is data for `record`; nothing is raised for what the world did.
"""

import errno
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from appliance import files, handing, spool
from appliance.config import Config
from appliance.core.command import Import, Submit
from appliance.core.errors import DiskFull, OperatorError, SongshanError, Text
from appliance.core.source_url import shown
from appliance.durable import unlink_durably
from appliance.store import air, work
from edge_agent import basis, carry, carrying, library, live, reading, transfer
from edge_agent.children import Children
from edge_agent.conversation import Conversation
from edge_agent.core.observation import Child, Work
from edge_agent.core.outcomes import (
    Began,
    CommandRead,
    CommandUnusable,
    DropsToTell,
    Due,
    Failed,
    LetGo,
    Outcome,
    RoomToTell,
    Spoilt,
)
from edge_agent.core.steps import (
    Adopt,
    AdoptAll,
    Arrange,
    Ask,
    AskFor,
    Base,
    Carry,
    Compile,
    Connect,
    Deliver,
    Discard,
    DropQuarantined,
    Fetch,
    Follow,
    LogAired,
    Package,
    Remove,
    RenewKeys,
    Report,
    Serve,
    Share,
    Step,
    Stop,
    TakeCommand,
    TakeDrop,
    TakeStock,
    TellOfDrops,
    TellOfMedia,
    TellOfRoom,
    Upload,
    Verify,
    Withdraw,
)
from edge_agent.core.travel import SHARED
from edge_agent.drop import tell
from edge_agent.endings import of_reading, packaged_path
from edge_agent.line import Line
from edge_agent.memory import Memory

PACKAGING_LIMIT_S: Final = 4 * 86400.0
"""The packager bounds itself by the length of the clip; this is for one that does not."""
RENEWING_LIMIT_S: Final = 15 * 60.0
"""A hub with accounts lets a new key in when its timer has run; each question to it has its own timeout."""
READING_LIMIT_S: Final = 12 * 3600.0
DISK_FAULTS: Final = files.BROKEN | {errno.EROFS}
YIELDING: Final = ("nice", "-n", "10", "ionice", "-t", "-c", "3")
"""Packaging takes whole processors and disks; what serves the air comes first."""

_GONE: Final = Text("文件不见了", "its file is gone")


@dataclass(frozen=True)
class World:
    """What steps are done to. `environ` is that of children that are programs of ours: it says which box this is."""

    config: Config
    db: Database
    memory: Memory
    children: Children
    line: Line
    conversation: Conversation
    route: transfer.Route | None
    environ: Mapping[str, str]


def execute(step: Step, world: World, deadlines: Mapping[str, int | None]) -> Iterator[Outcome]:
    """Do one step. `deadlines` are those of the assets that travel."""
    try:
        yield from _do(step, world, deadlines)
    except SongshanError as error:
        is_disk = isinstance(error.__cause__, OSError) and error.__cause__.errno in DISK_FAULTS
        yield Failed(subject_of(step), error.problems[0], isinstance(error, DiskFull), is_disk)
    except OSError as error:
        why = error.strerror or str(error)
        yield Failed(subject_of(step), Text(why, why), is_disk=error.errno in DISK_FAULTS)


def subject_of(step: Step) -> str:
    """What a failure of this step is remembered by: the asset, command or drop that it is about, else its name."""
    match step:
        case Fetch(digests) | Stop(digests) | Upload(digests) | Serve(digests) | AdoptAll(digests) | Carry(digests):
            return digests[0]
        case AskFor(digests, _sizes_bytes, behind):
            return digests[0] if digests else behind[0][0]
        case Ask(url):
            return shown(url)
        case Package(subject) | Follow(subject) | TakeCommand(subject) | TakeDrop(subject):
            return subject
        case Adopt(subject) | Deliver(subject) | Remove(subject) | Discard(subject):
            return subject
        case Withdraw(subject) | DropQuarantined(subject) | Verify(subject) | Base(subject):
            return subject
    return type(step).__name__


def _do(step: Step, world: World, deadlines: Mapping[str, int | None]) -> Iterator[Outcome]:
    config, memory = world.config, world.memory
    match step:
        case Withdraw(digest):
            files.withdraw_link(config, digest)
            memory.serving.hide(digest)
        case Serve(digests):
            missing = files.publish_links(config, digests)
            memory.serving.serve(digests, missing)
            for digest in missing:
                yield Spoilt(digest, _GONE, was_here=True)
        case Remove(digest):
            files.remove(config, digest)
            memory.serving.hide(digest)
            yield LetGo(digest)
        case Discard(digest):
            unlink_durably(files.stage_path(config, digest))
            basis.discard(config, digest)
        case DropQuarantined(name):
            files.drop_quarantined(config, name)
        case Compile():
            yield Due("compile")
        case LogAired():
            yield Due("log_aired")
        case Arrange():
            # Noted first: what the disk does not take is tried again after the next compilation, not in every turn.
            memory.arranged_us = air.now_us(world.db, config.clock)
            library.arrange(config, world.db, memory.arranged_us)
        case Report():
            yield Due("report")
        case TellOfMedia():
            yield Due("media_away")
        case TakeStock():
            yield Due("take_stock")
        case Connect():
            world.line.dial()
        case RenewKeys():
            program = str(Path(sys.executable).with_name("songshan"))
            world.children.start(Child("renew", ("keys",)), (program, "rotate-keys"), RENEWING_LIMIT_S, world.environ)
        case Deliver(digest):
            world.conversation.deliver(digest, is_backup=handing.path_of(config, digest).exists())
        case AskFor(digests, sizes_bytes, behind, bytes_max):
            world.conversation.given.go_on_with(behind, bytes_max)
            if digests:
                world.conversation.ask_for(digests, sizes_bytes, air.now_us(world.db, config.clock))
        case Stop(digests):
            world.children.stop(digests)
        case Share():
            _share(world)
        case Fetch() | Upload():
            yield from _transfer(step, world, deadlines)
        case Carry(digests):
            yield from _carry(digests, world, deadlines)
        case Base(digest, base):
            _lay_basis(digest, base, world)
        case Adopt(digest):
            word = "adopt-rendition" if work.is_rendition(world.db, digest) else "adopt"
            yield from _read("adopt", digest, files.stage_path(config, digest), (word, digest), world)
        case AdoptAll(digests):
            renditions = work.renditions_among(world.db, digests)
            for digest in renditions:
                yield from _read("adopt", digest, files.stage_path(config, digest), ("adopt-rendition", digest), world)
            others = tuple(digest for digest in digests if digest not in renditions)
            if others:
                argv = reading.argv("adopt-all", *others)
                world.children.start(Child("adopt", others), argv, READING_LIMIT_S, world.environ)
        case Verify(digest, bytes_per_s):
            words = ("verify", digest, str(bytes_per_s))
            yield from _read("verify", digest, files.path_of(config, digest), words, world)
        case Package(source):
            _package(source, world)
        case Follow(key, url, until_us):
            left_us = until_us - air.now_us(world.db, config.clock)
            live.start_import(config, world.children, key, url, left_us, world.environ)
        case Ask(url):
            memory.asked_us[url] = air.now_us(world.db, config.clock)
            live.start_asking(world.children, url, world.environ)
        case TakeCommand(name):
            yield from _take_command(name, world)
        case TakeDrop(key):
            _take_drop(key, world)
        case TellOfRoom(short_bytes):
            memory.room_told = short_bytes > 0
            yield RoomToTell(short_bytes)
        case TellOfDrops():
            tell(config.drop, memory.drops.refused)
            memory.told_drops = tuple(entry.key for entry in memory.drops.refused)
            yield DropsToTell(
                tuple((entry.key, entry.shown, entry.problem) for entry in memory.drops.refused if entry.problem)
            )


def _transfer(step: Fetch | Upload, world: World, deadlines: Mapping[str, int | None]) -> Iterator[Outcome]:
    assert world.route is not None, "nothing travels on a box without a hub"
    config = world.config
    if isinstance(step, Fetch):
        compared = basis.folder_of(config) if step.is_difference else None
        argv = transfer.fetch_argv(world.route, step.digests, config.incoming, step.bytes_per_s, compared)
        now_us = air.now_us(world.db, config.clock)
        for digest in step.digests:
            staged = files.stage_path(config, digest)
            world.memory.progress[digest] = (staged.stat().st_size if staged.exists() else 0, now_us)
        child = Child("fetch", step.digests, deadlines.get(step.digests[0]), step.bytes_per_s)
    else:
        waiting = {each: handing.path_of(config, each) for each in step.digests}
        paths = [path if path.exists() else files.path_of(config, each) for each, path in waiting.items()]
        argv = transfer.upload_argv(world.route, paths, step.bytes_per_s)
        child = Child("upload", step.digests, bytes_per_s=step.bytes_per_s)
    world.children.start(child, argv, transfer.LIMIT_S, transfer.ENVIRON)
    yield Began(child.subjects, child.work == "upload")


def _share(world: World) -> None:
    """Where there can be no socket, each transfer goes on having a connection of its own."""
    assert world.route is not None, "nothing travels on a box without a hub"
    if world.route.socket is not None:
        child = Child("share", SHARED)
        world.children.start(child, transfer.share_argv(world.route), transfer.LIMIT_S, transfer.ENVIRON)


def _carry(digests: tuple[str, ...], world: World, deadlines: Mapping[str, int | None]) -> Iterator[Outcome]:
    if world.memory.journey is not None:
        sizes = {each.digest: each.size_bytes for each in world.memory.known.to_fetch}
        named = (f"{digest}={sizes[digest]}" for digest in digests)
        argv = carrying.argv("copy", world.memory.journey.path, *named)
        child = Child("carry", digests, deadlines.get(digests[0]))
        world.children.start(child, argv, carry.COPY_LIMIT_S, world.environ)
        yield Began(digests, is_upload=False)


def _lay_basis(digest: str, base: str, world: World) -> None:
    """A second name of a file at once; a copy, which a cut makes necessary, in a process."""
    if files.stage_path(world.config, digest).exists():
        argv = reading.argv("basis", digest, base)
        world.children.start(Child("base", (digest,)), argv, READING_LIMIT_S, world.environ)
    else:
        basis.lay(world.config, digest, base)


def _read(work_: Work, subject: str, path: Path, words: tuple[str, ...], world: World) -> Iterator[Outcome]:
    """A small file here and now, a large one in a process."""
    child = Child(work_, (subject,))
    if work_ == "verify" and not path.exists():
        yield Spoilt(subject, _GONE, was_here=True)
        return
    if path.stat().st_size <= reading.INLINE_BYTES_MAX:
        yield from of_reading(child, reading.read(world.config, list(words)), world.memory)
    else:
        patient = reading.PATIENTLY if work_ == "verify" else ()
        world.children.start(child, (*patient, *reading.argv(*words)), READING_LIMIT_S, world.environ)


def _package(source: str, world: World) -> None:
    config = world.config
    argv = (*YIELDING, sys.executable, "-m", "appliance.packager")
    paths = (str(files.path_of(config, source)), str(packaged_path(config, source)))
    how = (str(config.air.loudness_lufs), str(config.transcoder))
    world.children.start(Child("package", (source,)), (*argv, *paths, *how), PACKAGING_LIMIT_S, world.environ)


def _take_command(name: str, world: World) -> Iterator[Outcome]:
    """Read a command; the files that come with it are read one after the other by processes, then it is carried out."""
    try:
        command, blobs = spool.read(world.config, name)
    except OperatorError as error:
        yield CommandUnusable(name, error.problems[0])
        return
    if isinstance(command, Import):
        yield from carry.go_on(name, command, world.config, world.db, world.memory, world.children, world.environ)
        return
    if not isinstance(command, Submit):
        yield CommandRead(name, command)
        return
    if world.memory.media != "here":
        yield Failed(name, Text("媒资盘未挂载", "the disk of the assets is not mounted"))
        return
    if len(blobs) != len(command.files):
        missing = Text("随附文件不全", "files that should come with it are not there")
        yield CommandUnusable(name, missing, command)
        return
    done = world.memory.reading.setdefault(name, [])
    if len(done) == len(blobs):
        yield CommandRead(name, command, tuple(done))
        return
    words = ("blob", str(blobs[len(done)]), command.files[len(done)])
    world.children.start(Child("take", (name,)), reading.argv(*words), READING_LIMIT_S, world.environ)


def _take_drop(key: str, world: World) -> None:
    entry = world.memory.drop_of(key)
    if entry is not None:
        argv = reading.argv("drop", bytes(entry.path))
        world.children.start(Child("take", (key,)), argv, READING_LIMIT_S, world.environ)
