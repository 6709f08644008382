"""As-run (播出日志): what really aired, row by row in a hash chain. docs/formats.md, section 7.

The air ledger says what was to go out, and with it every frame of a channel's life has a row. Whether it did go out is
another question: a machine that was off has aired nothing, and where nobody kept watch nobody knows. So a stretch is
parted where what is known of it changes (`parts`), and each part is a row. Status words are those of BXF (SMPTE ST
2021, AsRunStatusType).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, Literal

import msgspec

from appliance.core import live
from appliance.core.airtime import Absence
from appliance.core.errors import Text
from appliance.core.ledger import LEDGER_ENDED, Stretch
from appliance.core.moment import to_text, to_us
from appliance.core.rundown import SLATE, tick_of, us_of
from appliance.core.ts import FRAMES_PER_S, SEGMENT_TICKS, TICKS_PER_FRAME, TICKS_PER_S

NO_HASH: Final = "0" * 64
SEAM_TICKS: Final = TICKS_PER_S
"""Between what was seen one after the other so much may lie: who reports does not time to the frame."""
OTHER_TICKS_MIN: Final = 2 * TICKS_PER_S
"""So long an engine must have shown something else, or the row is what it should be."""

Status = Literal[
    "Aired Without Discrepancy",
    "Technical Difficulty",
    "Did not air",
    "Aired with Duration Discrepancy",
    "Aired with Content Discrepancy",
    "Preempted",
    "Joined in Progress",
    "Inserted by Operator",
    "Unknown",
    "Missing Content",
]
Evidence = Literal["ledger", "ts_probe", "engine_callback"]
Presence = Literal["on", "off", "unattended", "unserved"]


class Meant(msgspec.Struct, frozen=True):
    """What an entry was to play: from which segment of its asset, how much of it, and when."""

    first_segment: int
    frames: int
    start_tick: int


Planned = Mapping[tuple[str, int, str], Meant]
"""By date, version and entry."""


class AiredRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `start` is RFC 3339 UTC; `from_s` is where in the asset it began; `prev` the hash of the row before."""

    channel: str
    seq: int
    prev: str
    start: str
    duration_s: float
    kind: str
    planned: bool
    title: str
    entry: str | None
    date: str | None
    version: int | None
    asset: str | None
    rendition: str
    from_s: float
    first_msn: int
    last_msn: int
    status: tuple[Status, ...]
    reason: Text | None
    planned_start: str | None = None
    planned_s: float | None = None
    evidence: tuple[Evidence, ...] = ("ledger",)
    """A set, in order: what vouches for all of this row. `ledger`: it was announced; the others: it was received."""


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody other than the ledger saw the channel from one tick to another. `asset`: what it was, if it was told."""

    start_tick: int
    end_tick: int
    evidence: Evidence
    errors: int = 0
    output: str = ""
    asset: str | None = None


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Some of a stretch of which the same is known all through. `preempted`: it never began, something else had its
    time; then it has no length."""

    stretch: Stretch
    start_tick: int
    end_tick: int
    presence: Presence = "on"
    preempted: bool = False


class Logged(msgspec.Struct, frozen=True):
    """A row as it is kept: the exact bytes of its JSON, and their SHA-256."""

    row: AiredRow
    document: bytes
    hash: str
    end_tick: int


def parts(ended: Iterable[Stretch], since_tick: int, absences: Sequence[Absence]) -> Iterator[Part]:
    """Stretches that have ended, in order, parted by what is known of the time. They tile it from `since_tick` on:
    where the ledger has a hole, as on a new disk, a part says so."""
    tick = since_tick
    for stretch in ended:
        if stretch.start_tick > tick:
            hole = _hole(stretch, tick)
            yield Part(stretch=hole, start_tick=tick, end_tick=stretch.start_tick, presence="unattended")
        edges = {stretch.start_tick, stretch.end_tick}
        for each in absences:
            edges |= {tick_of(us) for us in (each.start_us, each.end_us)}
        inside = sorted(edge for edge in edges if stretch.start_tick <= edge <= stretch.end_tick)
        for start, end in pairwise(inside):
            known = next((each.kind for each in absences if _covers(each, start, end)), "on")
            yield Part(stretch=stretch, start_tick=start, end_tick=end, presence=known)  # type: ignore[arg-type]
        tick = stretch.end_tick


def with_preempted(made: Iterable[Part], breaks: Sequence[tuple[int, int]], meant: Sequence[Stretch]) -> Iterator[Part]:
    """The parts, and behind each emergency the entries whose last frame it took, where emergencies had all of their
    time: they have no stretch of their own. `breaks`: from when to when those ran; `meant`: entries as planned."""
    for part in made:
        yield part
        stretch = part.stretch
        if stretch.kind != "emergency" or part.end_tick != stretch.end_tick:
            continue
        for each in meant:
            ends_here = stretch.start_tick < each.end_tick <= stretch.end_tick
            if ends_here and any(start <= each.start_tick and each.end_tick <= end for start, end in breaks):
                yield Part(stretch=each, start_tick=part.end_tick, end_tick=part.end_tick, preempted=True)


def logged(
    channel: str,
    made: Iterable[Part],
    seq: int,
    prev: str,
    planned: Planned,
    sightings: Sequence[Sighting] = (),
) -> Iterator[Logged]:
    """Rows for parts, in order, chained to the row numbered `seq` (0 for none) with hash `prev`."""
    for part in made:
        seq += 1
        stretch, start = part.stretch, part.start_tick
        evidence = () if part.preempted else evidence_of(part, sightings)
        status, reason = status_of(part, planned, sightings, evidence)
        meant = planned.get(_key(stretch))
        number = (start - stretch.start_tick) // SEGMENT_TICKS
        row = AiredRow(
            channel=channel,
            seq=seq,
            prev=prev,
            start=to_text(us_of(start)),
            duration_s=(part.end_tick - start) // TICKS_PER_FRAME / FRAMES_PER_S,
            kind=stretch.kind,
            planned=stretch.planned,
            title=stretch.title,
            entry=stretch.entry_id,
            date=stretch.date,
            version=stretch.version,
            asset=stretch.source,
            rendition=stretch.rendition,
            from_s=stretch.first_segment * 2.0 + (start - stretch.start_tick) / TICKS_PER_S,
            first_msn=stretch.first_msn + number,
            last_msn=stretch.first_msn + max(number, -(-(part.end_tick - stretch.start_tick) // SEGMENT_TICKS) - 1),
            status=status,
            reason=reason,
            planned_start=to_text(us_of(meant.start_tick)) if meant else None,
            planned_s=meant.frames / FRAMES_PER_S if meant else None,
            evidence=evidence,
        )
        document = msgspec.json.encode(row)
        prev = hashlib.sha256(document).hexdigest()
        yield Logged(row, document, prev, part.end_tick)


def status_of(
    part: Part, planned: Planned, sightings: Sequence[Sighting], evidence: Sequence[Evidence]
) -> tuple[tuple[Status, ...], Text | None]:
    """How what aired compares with what was planned, and why not as planned."""
    stretch = part.stretch
    if part.preempted:
        return ("Preempted",), PREEMPTED
    if not evidence and part.presence == "off":
        return ("Did not air", "Technical Difficulty"), OFF
    if not evidence:
        why = UNSERVED if part.presence == "unserved" else UNWATCHED
        return ("Unknown",), LOST if stretch.reason == LOST else why
    other = _shown_instead(part, sightings)
    if other:
        return ("Aired with Content Discrepancy",), other
    errors = sum(
        each.errors for each in sightings if each.start_tick < part.end_tick and each.end_tick > part.start_tick
    )
    status, reason = _as_planned(part, planned), stretch.reason
    if errors:
        status, reason = (*_less(status), "Technical Difficulty"), reason or _errors(errors)
    return status, reason


def _as_planned(part: Part, planned: Planned) -> tuple[Status, ...]:
    stretch = part.stretch
    if stretch.kind == "emergency":
        return ("Inserted by Operator",)
    if not stretch.planned:
        if stretch.reason in (LEDGER_ENDED, live.LOST):
            return ("Technical Difficulty",)
        return ("Did not air", "Missing Content") if stretch.entry_id else ("Missing Content",)
    frames = (part.end_tick - part.start_tick) // TICKS_PER_FRAME
    meant = planned.get(_key(stretch), Meant(stretch.first_segment, stretch.frames, stretch.start_tick))
    found: list[Status] = []
    is_late = stretch.kind == "live" and stretch.start_tick > meant.start_tick
    if is_late or stretch.first_segment > meant.first_segment or part.start_tick > stretch.start_tick:
        found.append("Joined in Progress")
    if frames < meant.frames and stretch.kind not in ("filler", "slate"):
        found.append("Aired with Duration Discrepancy")
    return tuple(found) or ("Aired Without Discrepancy",)


def evidence_of(part: Part, sightings: Sequence[Sighting]) -> tuple[Evidence, ...]:
    """What vouches for all of a part: the ledger where the box kept watch, others where what they saw covers it without
    a hole. () where nothing does."""
    announced: tuple[Evidence, ...] = ("ledger",) if part.presence == "on" else ()
    return (*announced, *seen_by(part.start_tick, part.end_tick, sightings))


def seen_by(start_tick: int, end_tick: int, sightings: Sequence[Sighting]) -> tuple[Evidence, ...]:
    """Who saw all of a time."""
    found: list[Evidence] = []
    words: tuple[Evidence, ...] = ("ts_probe", "engine_callback")
    for word in words:
        tick = start_tick
        for each in sorted((each.start_tick, each.end_tick) for each in sightings if each.evidence == word):
            if each[0] <= tick + SEAM_TICKS:
                tick = max(tick, each[1])
        if tick > start_tick and tick >= end_tick - SEAM_TICKS:
            found.append(word)
    return tuple(found)


def later_words(rows: Iterable[AiredRow], sightings: Sequence[Sighting]) -> dict[int, tuple[Evidence, ...]]:
    """Who saw all of a row and said so when it had been written, by its number. A row is never written anew; what came
    late stands beside it."""
    found = {}
    for row in rows:
        start = tick_of(to_us(row.start))
        seen = seen_by(start, start + round(row.duration_s * TICKS_PER_S), sightings)
        found[row.seq] = tuple(word for word in seen if word not in row.evidence)
    return {seq: words for seq, words in found.items() if words}


class _Link(msgspec.Struct, frozen=True):
    seq: int
    prev: str


def first_break(documents: Iterable[tuple[bytes, str]]) -> int | None:
    """Check a chain from its first row on: documents with their hashes. The number of the first bad row, or None."""
    prev = NO_HASH
    for seq, (document, hash_) in enumerate(documents, 1):
        try:
            link = msgspec.json.decode(document, type=_Link)
        except msgspec.DecodeError:
            return seq
        if (link.seq, link.prev, hashlib.sha256(document).hexdigest()) != (seq, prev, hash_):
            return seq
        prev = hash_
    return None


def _covers(absence: Absence, start: int, end: int) -> bool:
    return tick_of(absence.start_us) <= start and end <= tick_of(absence.end_us)


def _hole(following: Stretch, tick: int) -> Stretch:
    frames = (following.start_tick - tick) // TICKS_PER_FRAME
    return Stretch(
        first_msn=following.first_msn,
        segments=1,
        start_tick=tick,
        frames=frames,
        rendition=SLATE,
        planned=False,
        reason=LOST,
    )


def _key(stretch: Stretch) -> tuple[str, int, str]:
    return stretch.date or "", stretch.version or 0, stretch.entry_id or ""


def _less(status: tuple[Status, ...]) -> tuple[Status, ...]:
    return tuple(word for word in status if word not in ("Aired Without Discrepancy", "Technical Difficulty"))


def _shown_instead(part: Part, sightings: Sequence[Sighting]) -> Text | None:
    """What an engine says that it showed, where that is not what it was to show."""
    for each in sightings:
        common = min(part.end_tick, each.end_tick) - max(part.start_tick, each.start_tick)
        if each.asset is not None and each.asset != part.stretch.source and common >= OTHER_TICKS_MIN:
            return Text(f"播出引擎播的是 {each.asset}", f"the engine aired {each.asset}")
    return None


def _errors(count: int) -> Text:
    return Text(f"输出有 {count} 处连续计数错误", f"{count} continuity errors on the output")


OFF: Final = Text("本机未运行，或时钟跳过了这段时间", "the box did not run, or its clock leapt over this time")
UNWATCHED: Final = Text("agent 未运行，这段时间无人证实", "the agent did not run: nobody vouches for this time")
UNSERVED: Final = Text("网页服务未运行，这段时间无人证实", "the web server did not run: nobody vouches for this time")
LOST: Final = Text("这段时间没有播出账（换过磁盘）", "there is no ledger of this time (a new disk)")
PREEMPTED: Final = Text("被应急插播取代", "an emergency insertion had its time")
