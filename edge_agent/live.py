"""Live sources: the processes that follow them, what these say, and the chunks that they leave.

A chunk is written and synced by the process that imports it, staged under a name of its own, and takes its place among
the assets here, when it is told of. The staged name goes when the chunk is noted, so what a cut leaves is told apart at
the next start: what the database does not know of is nobody's.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Final

import msgspec
from sqlite_utils import Database

from appliance import files
from appliance.config import Config
from appliance.core.errors import SongshanError, Text, WorldError
from appliance.core.moment import US
from appliance.durable import unlink_durably
from appliance.importing import Chunk, adopt, left_over, noted
from appliance.store import assets, live
from appliance.store.relays import LiveEntry, live_entries
from edge_agent.children import Children, Ended
from edge_agent.core import retry
from edge_agent.core.observation import Airing, Child
from edge_agent.core.outcomes import ChunkCame, ImportBroke, Outcome, SourceAnswered
from edge_agent.memory import Memory

BEFORE_US: Final = 60 * US
"""A source is followed from so long before its entry on: that it does not come is known before, and it is there when
the entry begins."""
ASK_EVERY_US: Final = 60 * US
ASK_LIMIT_S: Final = 60.0
LINGER_S: Final = 5.0
"""The process ends by itself; this much later it is killed."""
DAY_US: Final = 86_400 * US
LISTED_US: Final = (4 * 3600 + 60) * US
"""So long what aired can be asked for, whatever may be seen again."""
COLLECT_EVERY_US: Final = 60 * US


class Said(msgspec.Struct, frozen=True):
    """A line of `python -m appliance.importing`."""

    chunk: Chunk | None = None
    trouble: Text | None = None
    well: bool = False


IMPORTER: Final = (sys.executable, "-m", "appliance.importing")
"""It is told its source on its standard input: an address may hold a password."""


def start_import(
    config: Config, children: Children, key: str, url: str, left_us: int, environ: Mapping[str, str]
) -> None:
    """Follow a source for so long. The process is not made nice: its chunks are on the air in seconds."""
    seconds = max(0.0, left_us / US)
    argv = (*IMPORTER, str(config.incoming), f"{seconds:.1f}")
    children.start(Child("import", (key, url)), argv, seconds + LINGER_S, environ, url.encode())


def start_asking(children: Children, url: str, environ: Mapping[str, str]) -> None:
    """Ask a source."""
    children.start(Child("ask", (url,)), (*IMPORTER, "--ask"), ASK_LIMIT_S, environ, url.encode())


def airing(entries: Iterable[LiveEntry], memory: Memory, now_us: int) -> tuple[Airing, ...]:
    """The entries whose sources are to be followed now."""
    return tuple(
        Airing(entry.key, entry.url, entry.end_us, memory.is_due(entry.key, now_us))
        for entry in entries
        if entry.start_us - BEFORE_US <= now_us < entry.end_us
    )


def unasked(entries: Iterable[LiveEntry], memory: Memory, now_us: int) -> tuple[str, ...]:
    """The sources that it is time to ask: of entries that come, every minute."""
    urls = dict.fromkeys(entry.url for entry in entries if now_us < entry.start_us - BEFORE_US)
    return tuple(url for url in urls if memory.asked_us.get(url, 0) + ASK_EVERY_US <= now_us)


def entries_of(config: Config, db: Database, now_us: int) -> tuple[LiveEntry, ...]:
    """The live entries that run or come soon."""
    return live_entries(db, config.channels, now_us)


def moments(entries: Iterable[LiveEntry], memory: Memory, now_us: int) -> Iterator[int]:
    """When there is something to do for them."""
    for entry in entries:
        coming = (entry.start_us - BEFORE_US, entry.end_us, memory.asked_us.get(entry.url, 0) + ASK_EVERY_US)
        yield from (moment for moment in coming if moment > now_us)


def over(config: Config, db: Database, memory: Memory, now_us: int) -> tuple[str, ...]:
    """Chunks that may go; looked for now and then."""
    if now_us >= memory.collected_us + COLLECT_EVERY_US:
        memory.collected_us = now_us
        return live.over(db, now_us, config.limits.catchup_days * DAY_US + LISTED_US)
    return ()


def channels_of(outcomes: Iterable[Outcome]) -> tuple[str, ...]:
    """The channels for which chunks came."""
    came = {outcome.key.partition("/")[0] for outcome in outcomes if isinstance(outcome, ChunkCame)}
    return tuple(sorted(came))


def note(
    db: Database, outcome: ChunkCame | SourceAnswered | ImportBroke, memory: Memory, now_us: int, jitter: float
) -> None:
    """Write down what came of a source."""
    match outcome:
        case ChunkCame(key, digest, size_bytes, frames, burst_s, source_us):
            title = next((each.title for each in memory.known.live if each.key == key), "")
            channel, date, entry_id = key.split("/")
            chunk = live.NewChunk(
                digest=digest, size_bytes=size_bytes, frames=frames, burst_s=burst_s, source_us=source_us
            )
            live.came(db, channel, date, entry_id, title, chunk, now_us)
            memory.failures.pop(key, None)
        case SourceAnswered(url, reason):
            live.asked(db, url, reason, now_us)
        case ImportBroke(key, url, reason):
            live.asked(db, url, reason, now_us)
            memory.failed(key, now_us, jitter, retry.IMPORT)


def tidy(config: Config, outcomes: Iterable[Outcome]) -> None:
    """These are noted. A name that the disk keeps for now is swept away at the next start."""
    for outcome in outcomes:
        if isinstance(outcome, ChunkCame):
            with suppress(WorldError):
                noted(config.incoming, outcome.digest)


def sweep(config: Config, db: Database) -> None:
    """What a cut left between a chunk's coming and its being noted, at the start, when nobody imports."""
    for staged, digest in left_over(config.incoming):
        if assets.holding(db, digest) is None:
            files.remove(config, digest)
        unlink_durably(staged)


def let_go(db: Database, digest: str) -> None:
    """A file is gone: if it was a chunk, there is none such any more."""
    live.forget(db, digest)


def heard(config: Config, children: Children) -> Iterator[Outcome]:
    """What the processes that follow sources have said."""
    for child in children.running():
        if child.work == "import":
            yield from _of_lines(config, child, children.lines(child))


def of_import(ended: Ended, config: Config) -> Iterator[Outcome]:
    """One has ended: what it said last, and why it ended if it should not have."""
    yield from _of_lines(config, ended.child, ended.said.splitlines())
    if ended.status and not ended.was_stopped:
        key, url = ended.child.subjects
        last = ended.complained.strip().rpartition("\n")[2][:200]
        yield ImportBroke(key, url, Text(f"接收进程中断：{last}", f"the process that follows it broke off: {last}"))


def of_ask(ended: Ended) -> Iterator[Outcome]:
    """A source was asked."""
    (url,) = ended.child.subjects
    said = _said(ended.said.strip().rpartition(b"\n")[2])
    if said is None:
        yield SourceAnswered(url, Text("询问直播源的进程中断", "the process that asked the source broke off"))
    else:
        yield SourceAnswered(url, said.trouble)


def _of_lines(config: Config, child: Child, lines: Iterable[bytes]) -> Iterator[Outcome]:
    key, url = child.subjects
    for line in lines:
        said = _said(line)
        if said is None:
            continue
        if said.chunk is None:
            yield SourceAnswered(url, said.trouble)
            continue
        chunk = said.chunk
        try:
            adopt(config.incoming, chunk.digest, files.path_of(config, chunk.digest))
        except SongshanError as error:
            yield ImportBroke(key, url, error.problems[0])
        else:
            yield ChunkCame(key, chunk.digest, chunk.size_bytes, chunk.frames, chunk.burst_s, chunk.source_us)


def _said(line: bytes) -> Said | None:
    try:
        return msgspec.json.decode(line, type=Said)
    except msgspec.DecodeError:
        return None
