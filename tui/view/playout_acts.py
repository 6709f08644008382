"""What can be done to what is on the air or will be: break in, go back, mend an entry that is not ready. PURE."""

from datetime import datetime, timedelta
from typing import Final

from appliance.core.clip_facts import AirClip
from appliance.core.command import Command, Insert, Repackage, Resume, Retry
from appliance.core.errors import OperatorError, Text
from appliance.core.moment import US, to_text
from appliance.core.readiness import Ready
from tui.keys import say
from tui.look import Look
from tui.view.acts import Act, Case, Field, Weight
from tui.view.entry import can_fetch, can_package
from tui.view.playout import CLIPS, Found, find
from tui.view.readiness import clip_name

CHANNEL: Final = "channel"
CLIP: Final = "clip"
AT: Final = "at"
UNTIL: Final = "until"


def _found(case: Case) -> Found:
    return case.found if isinstance(case.found, Found) else Found()


def _no(said: str) -> Text:
    """A refusal, in the language of the screen."""
    return Text(said, said)


def _moment_us(text: str, after_us: int, look: Look) -> int:
    """The next time after a moment at which the site's clock shows this."""
    hours, minutes = int(text[:2]), int(text[3:5])
    seconds = int(text[6:8] or 0)
    after = datetime.fromtimestamp(after_us / US, look.zone)
    at = after.replace(hour=hours, minute=minutes, second=seconds, microsecond=0)
    if at <= after:
        at += timedelta(days=1)
    return round(at.timestamp()) * US


# Break into a channel.


def _insert_fields(case: Case) -> tuple[Field, ...]:
    """Where a channel is on the screen it is that one; on the side of the clips the row is the clip."""
    found, look = _found(case), case.look
    if case.asked.tab != CLIPS:
        return (Field(CLIP, look.say("Clip"), "choice", _choices(found.clips, look)),)
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
    return case.value(CHANNEL) or _found(case).channel


def _choices(clips: tuple[AirClip, ...], look: Look) -> tuple[tuple[str, str], ...]:
    return tuple((clip.digest, clip_name(clip, look)) for clip in clips)


def _insert_refusal(case: Case) -> Text | None:
    found = _found(case)
    if case.asked.opened is not None and case.asked.tab != CLIPS:
        return _no(case.look.say("Go back to the channel first, or put another clip in the place of this entry."))
    return None if found.clips else _no(case.look.say("No clip can air now."))


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
        raise OperatorError(_no(case.look.say("Choose a clip.")))
    return digest


def _insert_preview(case: Case) -> tuple[str, ...]:
    found, look, now_us = _found(case), case.look, case.reading.at_us
    channel = _channel(case)
    digest = case.row if case.asked.tab == CLIPS else case.value(CLIP)
    name = next((clip_name(clip, look) for clip in found.clips if clip.digest == digest), digest[7:19])
    named = {each: look.data(called, each) for each, called in found.channels}.get(channel, channel)
    at = case.value(AT)
    lines = [
        look.say("{channel} breaks off at {clock} for: {clip}").format(channel=named, clock=at, clip=name)
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
        lines.append(look.say("It is repeated until {clock}.").format(clock=case.value(UNTIL)))
    lines.append(look.say("After it the channel goes on where the clock is. b ends it sooner."))
    return tuple(lines)


def _back_to_schedule(case: Case) -> Resume:
    return Resume(channel=_channel(case), **case.asked_by)


# End what breaks in.


def _resume_fields(case: Case) -> tuple[Field, ...]:
    return _insert_fields(case) if case.asked.tab == CLIPS else ()


def _resume_refusal(case: Case) -> Text | None:
    found, snapshot = _found(case), case.reading.snapshot
    on = snapshot is not None and any(each.insert is not None for each in snapshot.on_air)
    if on or found.insertions or case.reading.waiting or case.asked.tab == CLIPS:
        return None
    return _no(case.look.say("Nothing breaks into this channel, now or later."))


def _resume_preview(case: Case) -> tuple[str, ...]:
    look, snapshot = case.look, case.reading.snapshot
    lines = [look.say("Every insertion on this channel ends, also those still to come.")]
    channel = _channel(case)
    playing = next((each for each in snapshot.on_air if each.channel == channel), None) if snapshot else None
    if playing is not None and playing.next_title:
        lines.append(look.say("Next on the schedule: {title}").format(title=look.data(playing.next_title)))
    return tuple(lines)


# Mend an entry.


def _row(case: Case) -> Ready | None:
    found = _found(case)
    return found.opened if case.asked.opened is not None else find(found.entries, case.row)


def _only_opened(case: Case) -> Text | None:
    if case.asked.tab == CLIPS:
        return _no(case.look.say("Clips that can air need no mending."))
    return None if case.asked.opened is not None else _no(case.look.say("Open the entry first: Enter."))


def _fetch_refusal(case: Case) -> Text | None:
    found = _found(case)
    if (closed := _only_opened(case)) is not None:
        return closed
    if found.clip is None or can_fetch(found.clip, found.at_us) is None:
        return _no(case.look.say("No transfer of this entry waits to be tried again."))
    return None


def _fetch(case: Case) -> Command:
    found = _found(case)
    waiting = can_fetch(found.clip, found.at_us) if found.clip is not None else None
    if waiting is None:
        raise OperatorError(_no(case.look.say("No transfer of this entry waits to be tried again.")))
    return Retry(digest=waiting.digest, direction="down", **case.asked_by)


def _fetch_preview(case: Case) -> tuple[str, ...]:
    found, look = _found(case), case.look
    waiting = can_fetch(found.clip, found.at_us) if found.clip is not None else None
    if waiting is None:
        return ()
    left = look.size(max(0, waiting.size_bytes - waiting.done_bytes))
    lines = [look.say("The transfer is tried at once: {size} left.").format(size=left)]
    snapshot = case.reading.snapshot
    if snapshot is not None and snapshot.link.state != "connected":
        lines.append(look.say("There is no line to the hub now: it begins as soon as there is one."))
    return tuple(lines)


def _package_refusal(case: Case) -> Text | None:
    found = _found(case)
    if (closed := _only_opened(case)) is not None:
        return closed
    if found.opened is None or found.clip is None or not can_package(found.opened, found.clip):
        return _no(case.look.say("This clip does not wait to be brought to house format here."))
    return None


def _package(case: Case) -> Command:
    row = _row(case)
    if row is None or row.asset is None:
        raise OperatorError(_no(case.look.say("This has aired, or is not in the schedule any more.")))
    return Repackage(digest=row.asset, **case.asked_by)


def _package_preview(case: Case) -> tuple[str, ...]:
    return (case.look.say("The clip is read and coded once more; that takes about as long as it plays."),)


def _replace_refusal(case: Case) -> Text | None:
    found = _found(case)
    if (closed := _only_opened(case)) is not None:
        return closed
    if found.opened is None:
        return _no(case.look.say("This has aired, or is not in the schedule any more."))
    return None if found.like else _no(case.look.say("No clip can air now."))


def _replace_fields(case: Case) -> tuple[Field, ...]:
    like = _found(case).like
    hint = case.look.say("those of nearest length first")
    return (Field(CLIP, case.look.say("Clip"), "choice", _choices(like, case.look), hint=hint),)


def _replace(case: Case) -> Command:
    row, found = _row(case), _found(case)
    if row is None:
        raise OperatorError(_no(case.look.say("This has aired, or is not in the schedule any more.")))
    begins = to_text(row.start_us) if row.start_us > case.reading.at_us else None
    return Insert(
        channel=found.channel, digest=case.value(CLIP), at_air=begins, until=to_text(row.end_us), **case.asked_by
    )


def _replace_preview(case: Case) -> tuple[str, ...]:
    row, found, look = _row(case), _found(case), case.look
    if row is None:
        return ()
    clip = next((clip_name(each, look) for each in found.like if each.digest == case.value(CLIP)), "-")
    times = {"start": look.second(row.start_us), "end": look.second(row.end_us)}
    return (
        look.say("From {start} to {end} plays: {clip}").format(clip=clip, **times),
        look.say("It is repeated until the time is full, and takes the place of: {title}").format(
            title=look.data(row.title, row.entry_id)
        ),
        look.say("The schedule itself stays as it is: whoever makes it should be told."),
    )


def _take_back(case: Case) -> Command:
    return Resume(channel=_found(case).channel, **case.asked_by)


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
    Act(
        "replace",
        "c",
        say("Replace"),
        Weight.AIR,
        _replace,
        _replace_fields,
        _replace_preview,
        _replace_refusal,
        undo=_take_back,
        needs_row=True,
    ),
    Act(
        "fetch",
        "f",
        say("Fetch again"),
        Weight.BOX,
        _fetch,
        preview=_fetch_preview,
        refusal=_fetch_refusal,
        needs_row=True,
        in_footer=False,
    ),
    Act(
        "package",
        "p",
        say("Package again"),
        Weight.BOX,
        _package,
        preview=_package_preview,
        refusal=_package_refusal,
        needs_row=True,
        in_footer=False,
    ),
)
