"""One coming entry, opened: all that its readiness hangs on, and what can be done about it. PURE."""

from appliance.core import findings
from appliance.core.clip_facts import ClipFacts
from appliance.core.health import LIVE_STATES, LiveFact
from appliance.core.moment import US
from appliance.core.readiness import Ready
from appliance.core.stock import Holding, Transfer
from tui.look import Look
from tui.rows import Advice, Fact, Level, Line, Tile
from tui.view.readiness import kind_word, level_of, standing
from tui.view.sheet import Block, Prose

LEVELS = {"red": Level.BAD, "amber": Level.WARN, "info": Level.NOTE}


def entry_blocks(
    row: Ready | None, clip: ClipFacts | None, live: LiveFact | None, at_us: int, look: Look
) -> tuple[Block, ...]:
    """The entry may have aired, or gone from the schedule, since the row was chosen. `live`: of one that is near."""
    if row is None:
        return (Prose((look.say("This has aired, or is not in the schedule any more."),)),)
    facts: list[Line] = [*_what_to_do(row, clip, at_us, look), *_airing(row, at_us, look)]
    if live is not None:
        facts += _source(live, at_us, look)
    if clip is not None:
        facts += _clip(clip, at_us, look)
    facts += _check(row, clip, look)
    if row.asset is not None:
        facts.append(Fact("SHA-256", row.asset.removeprefix("sha256:")))
    title = f"{look.clock(row.start_us, at_us)} {look.data(row.title, row.entry_id)}"
    return (Tile(title, _word(row, look), level_of(row, at_us), tuple(facts), scrolls=True),)


def can_fetch(clip: ClipFacts, at_us: int) -> Transfer | None:
    """The transfer that failed, or waits before it is tried again; None where none does."""
    return next(
        (
            each
            for each in clip.transfers
            if each.state == "failed" or (each.state == "queued" and each.not_before_us > at_us)
        ),
        None,
    )


def can_package(row: Ready, clip: ClipFacts) -> bool:
    """Whether it may help to bring the clip to house format once more."""
    made = clip.rendition
    is_here = clip.source is not None and clip.source.state == "here"
    is_red = made is not None and made.check is not None and made.check.is_red
    return row.state != "ready" and made is not None and made.digest is None and is_here and not is_red


def _word(row: Ready, look: Look) -> str:
    words = {
        "ready": look.say("ready"),
        "ready_by": look.say("in time"),
        "late_by": look.say("comes too late"),
        "cannot": look.say("cannot air"),
    }
    return words[row.state]


def _what_to_do(row: Ready, clip: ClipFacts | None, at_us: int, look: Look) -> list[Line]:
    """Why it is not ready, what to do, and the key that does it."""
    if row.state == "ready" and not row.is_dropped:
        return []
    level = level_of(row, at_us)
    lines: list[Line] = [Advice(level, standing(row, at_us, look), look.of(row.todo) if row.todo is not None else "")]
    if clip is not None and can_fetch(clip, at_us) is not None:
        lines.append(Fact("f", look.say("try the transfer again at once")))
    if clip is not None and can_package(row, clip):
        lines.append(Fact("p", look.say("bring it to house format once more")))
    lines.append(Fact("c", look.say("put another clip in its place")))
    return lines


def _airing(row: Ready, at_us: int, look: Look) -> list[Line]:
    airs = f"{look.second(row.start_us)} - {look.second(row.end_us)}"
    ahead = (row.start_us - at_us) / US
    left = look.say("in {duration}").format(duration=look.duration(ahead)) if ahead > 0 else look.say("on the air")
    lines: list[Line] = [Fact(look.say("Airs"), airs, left), Fact(look.say("Kind"), kind_word(row.kind, look))]
    if row.cut_s and not row.is_dropped:
        cut = look.say("{n} s by a hard start").format(n=f"{row.cut_s:.2f}")
        lines.append(Fact(look.say("Cut"), cut, level=Level.WARN))
    if row.ready_at_us is not None and row.ready_at_us > at_us:
        early = (row.start_us - row.ready_at_us) / US
        said = look.say("{duration} before") if early >= 0 else look.say("{duration} late")
        beside = said.format(duration=look.duration(abs(early)))
        lines.append(Fact(look.say("Forecast"), look.clock(row.ready_at_us, at_us), beside, level_of(row, at_us)))
    return lines


def _source(live: LiveFact, at_us: int, look: Look) -> list[Line]:
    """Where a live entry comes from, how that is, and how old that news is."""
    behind = look.say("{n} s behind").format(n=round(live.delay_s)) if live.delay_s is not None else ""
    level = Level.WARN if live.state in ("unreachable", "waiting", "lost") else None
    lines: list[Line] = [
        Fact(look.say("Live"), look.of(LIVE_STATES[live.state]), behind, level),
        Fact(look.say("Signal"), look.data(live.url)),
    ]
    if live.asked_us is not None:
        lines.append(Fact(look.say("Asked"), look.ago(live.asked_us, at_us)))
    if live.reason is not None:
        lines.append(Fact(look.say("Why"), look.of(live.reason), level=level))
    return lines


def _clip(clip: ClipFacts, at_us: int, look: Look) -> list[Line]:
    """The file, its house format, what travels, by when it is needed."""
    lines: list[Line] = []
    if clip.source is None and clip.made is None:
        lines.append(Fact(look.say("File"), look.say("never announced to this box"), level=Level.WARN))
    if clip.source is not None:
        lines.append(_file(look.say("File"), clip.source, at_us, look))
    lines.append(_house_format(clip, look))
    if clip.made is not None:
        lines.append(_file(look.say("Its file"), clip.made, at_us, look))
    for each in clip.transfers:
        lines += _transfer(each, at_us, look)
    if clip.reasons:
        by = look.clock(min(due_us for _reason, due_us in clip.reasons), at_us)
        kinds = sorted({reason.partition(":")[0] for reason, _due_us in clip.reasons})
        lines.append(Fact(look.say("Needed by"), by, look.say(", ").join(_why(kind, look) for kind in kinds)))
    return lines


def _file(label: str, file: Holding, at_us: int, look: Look) -> Fact:
    size = look.size(file.size_bytes)
    if file.state == "bad":
        return Fact(label, look.say("damaged, to come again"), size, Level.WARN)
    if file.state == "wanted":
        return Fact(label, look.say("not here"), size, Level.NOTE)
    read = ""
    if file.verified_at_us:
        read = look.say("verified {age}").format(age=look.ago(file.verified_at_us, at_us))
    return Fact(label, look.say("here, {size}").format(size=size), read)


def _house_format(clip: ClipFacts, look: Look) -> Fact:
    label, made = look.say("House format"), clip.rendition
    if made is None:
        return Fact(label, look.say("not asked for yet"), level=Level.NOTE)
    words = {
        "here": look.say("done"),
        "packaging": look.say("being made"),
        "wanted": look.say("made at the hub, to come") if made.digest is not None else look.say("to be made here"),
        "failed": look.say("failed"),
    }
    reason = look.of(made.reason) if made.reason is not None else ""
    level = {"failed": Level.WARN, "here": None}.get(made.state, Level.NOTE)
    return Fact(label, words[made.state], reason, level)


def _transfer(each: Transfer, at_us: int, look: Look) -> list[Line]:
    words = {"queued": look.say("waiting"), "running": look.say("moving"), "failed": look.say("failed")}
    done = f"{100 * each.done_bytes // each.size_bytes}%" if each.size_bytes else ""
    tries = look.count("{n} try", "{n} tries", each.attempts).format(n=each.attempts) if each.attempts else ""
    rate = look.rate(each.rate_bytes_per_s) if each.state == "running" and each.rate_bytes_per_s else ""
    shown = " ".join(part for part in (words.get(each.state, each.state), done, tries, rate) if part)
    level = Level.WARN if each.state == "failed" else None
    wait = ""
    if each.not_before_us > at_us:
        again = look.duration((each.not_before_us - at_us) / US)
        wait = look.say("next try in {duration}").format(duration=again)
    lines: list[Line] = [Fact(look.say("Transfer"), shown, wait, level)]
    if each.reason is not None:
        lines.append(Fact(look.say("Why"), look.of(each.reason), level=level))
    return lines


def _why(kind: str, look: Look) -> str:
    words = {
        "air": look.say("for the air"),
        "insert": look.say("for an insertion"),
        "filler": look.say("as a filler"),
        "item": look.say("published"),
        "taken": look.say("taken"),
        "lost": look.say("was damaged here"),
        "made": look.say("made here"),
    }
    return words.get(kind, kind)


def _check(row: Ready, clip: ClipFacts | None, look: Look) -> list[Line]:
    """What the technical check found; red never airs."""
    made = clip.rendition if clip is not None else None
    if row.findings:
        return [Advice(LEVELS[each.severity], look.of(findings.describe(each))) for each in row.findings]
    if row.asset is None:
        return []
    checked = made is not None and made.check is not None
    return [Fact(look.say("Technical"), look.say("in order") if checked else look.say("not checked yet"))]
