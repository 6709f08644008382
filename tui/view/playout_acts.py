"""What can be done to what is on the air: break in, at once or at a time, and go back. PURE."""

import re
from datetime import datetime, timedelta
from typing import Final

from appliance.core.command import Insert, Resume
from appliance.core.errors import OperatorError, Text
from appliance.core.moment import US, to_text
from tui.keys import say
from tui.look import Look
from tui.view.acts import Act, Case, Field, Weight
from tui.view.mending import CLIP, MENDING, choices, found_of, no
from tui.view.playout import CLIPS
from tui.view.readiness import clip_name

CHANNEL: Final = "channel"
AT: Final = "at"
UNTIL: Final = "until"
TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?")


def _moment_us(text: str, after_us: int, look: Look) -> int:
    """The next time after a moment at which the site's clock shows this."""
    hours, minutes = int(text[:2]), int(text[3:5])
    seconds = int(text[6:8] or 0)
    after = datetime.fromtimestamp(after_us / US, look.zone)
    at = after.replace(hour=hours, minute=minutes, second=seconds, microsecond=0)
    if at <= after:
        at += timedelta(days=1)
    return round(at.timestamp()) * US


def _typed_us(text: str, after_us: int, look: Look) -> int | None:
    """The same of what is being typed; None while that is no time."""
    return _moment_us(text, after_us, look) if TIME.fullmatch(text) else None


def _when(text: str, at_us: int | None, now_us: int, look: Look) -> str:
    """With its day, where that is not today: a time that has just gone by is tomorrow's."""
    return text if at_us is None else look.clock(at_us, now_us)


def _insert_fields(case: Case) -> tuple[Field, ...]:
    """Where a channel is on the screen it is that one; on the side of the clips the row is the clip."""
    found, look = found_of(case), case.look
    if case.asked.tab != CLIPS:
        return (Field(CLIP, look.say("Clip"), "choice", choices(found.clips, look)),)
    channels = tuple((channel, look.data(name, channel)) for channel, name in found.channels)
    return (Field(CHANNEL, look.say("Channel"), "choice", channels),) if len(channels) > 1 else ()


def _timed_fields(case: Case) -> tuple[Field, ...]:
    look = case.look
    return (
        *_insert_fields(case),
        Field(AT, look.say("Begins at"), "time", hint=look.say("empty: at once")),
        Field(
            UNTIL,
            look.say("Ends at"),
            "time",
            hint=look.say("empty: when the clip ends; else it is repeated until then"),
        ),
    )


def _channel(case: Case) -> str:
    return case.value(CHANNEL) or found_of(case).channel


def _insert_refusal(case: Case) -> Text | None:
    found = found_of(case)
    if case.asked.opened is not None and case.asked.tab != CLIPS:
        return no(case.look.say("Go back to the channel first, or put another clip in the place of this entry."))
    return None if found.clips else no(case.look.say("No clip can air now."))


def _insert(case: Case) -> Insert:
    now_us = case.reading.at_us
    at, until = case.value(AT), case.value(UNTIL)
    at_us = _moment_us(at, now_us, case.look) if at else None
    until_us = _moment_us(until, at_us or now_us, case.look) if until else None
    return Insert(
        channel=_channel(case),
        digest=_digest(case),
        at_air=to_text(at_us) if at_us is not None else None,
        until=to_text(until_us) if until_us is not None else None,
        **case.asked_by,
    )


def _digest(case: Case) -> str:
    digest = case.row if case.asked.tab == CLIPS else case.value(CLIP)
    if not digest:
        raise OperatorError(no(case.look.say("Choose a clip.")))
    return digest


def _insert_preview(case: Case) -> tuple[str, ...]:
    found, look, now_us = found_of(case), case.look, case.reading.at_us
    channel = _channel(case)
    digest = case.row if case.asked.tab == CLIPS else case.value(CLIP)
    name = next((clip_name(clip, look) for clip in found.clips if clip.digest == digest), digest[7:19])
    named = {each: look.data(called, each) for each, called in found.channels}.get(channel, channel)
    at = case.value(AT)
    at_us = _typed_us(at, now_us, look)
    lines = [
        look.say("{channel} breaks off at {clock} for: {clip}").format(
            channel=named, clock=_when(at, at_us, now_us, look), clip=name
        )
        if at
        else look.say("{channel} breaks off at once for: {clip}").format(channel=named, clip=name)
    ]
    snapshot = case.reading.snapshot
    playing = next((each for each in snapshot.on_air if each.channel == channel), None) if snapshot else None
    if playing is not None and playing.title and not at:
        until = look.clock(playing.until_us, now_us) if playing.until_us is not None else ""
        said = look.say("On the air now: {title}, to {clock}")
        lines.append(said.format(title=look.data(playing.title), clock=until))
    if case.value(UNTIL):
        until_us = _typed_us(case.value(UNTIL), at_us or now_us, look)
        ends = _when(case.value(UNTIL), until_us, now_us, look)
        lines.append(look.say("It is repeated until {clock}.").format(clock=ends))
    lines.append(look.say("After it the channel goes on where the clock is. b ends it sooner."))
    return tuple(lines)


def _back_to_schedule(case: Case) -> Resume:
    return Resume(channel=_channel(case), **case.asked_by)


def _resume_fields(case: Case) -> tuple[Field, ...]:
    return _insert_fields(case) if case.asked.tab == CLIPS else ()


def _resume_refusal(case: Case) -> Text | None:
    found, snapshot = found_of(case), case.reading.snapshot
    on = snapshot is not None and any(each.insert is not None for each in snapshot.on_air)
    if on or found.insertions or case.reading.waiting or case.asked.tab == CLIPS:
        return None
    return no(case.look.say("Nothing breaks into this channel, now or later."))


def _resume_preview(case: Case) -> tuple[str, ...]:
    look, snapshot = case.look, case.reading.snapshot
    lines = [look.say("Every insertion on this channel ends, also those still to come.")]
    channel = _channel(case)
    playing = next((each for each in snapshot.on_air if each.channel == channel), None) if snapshot else None
    if playing is not None and playing.next_title:
        lines.append(look.say("Next on the schedule: {title}").format(title=look.data(playing.next_title)))
    return tuple(lines)


ACTS: Final = (
    Act(
        "insert",
        "i",
        say("Break in"),
        Weight.AIR,
        _insert,
        _insert_fields,
        _insert_preview,
        _insert_refusal,
        undo=_back_to_schedule,
    ),
    Act(
        "insert-later",
        "t",
        say("Break in at a time"),
        Weight.AIR,
        _insert,
        _timed_fields,
        _insert_preview,
        _insert_refusal,
        undo=_back_to_schedule,
        in_footer=False,
    ),
    Act(
        "resume",
        "b",
        say("Back to schedule"),
        Weight.AIR,
        _back_to_schedule,
        _resume_fields,
        _resume_preview,
        _resume_refusal,
    ),
    *MENDING,
)
