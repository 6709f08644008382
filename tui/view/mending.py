"""What can be done for an entry that is not ready: fetch its clip now, package it again, put another there. PURE."""

from typing import Final

from appliance.core.clip_facts import AirClip
from appliance.core.command import Command, Insert, Repackage, Resume, Retry
from appliance.core.errors import OperatorError, Text
from appliance.core.moment import to_text
from appliance.core.readiness import Ready
from tui.keys import say
from tui.look import Look
from tui.view.acts import Act, Case, Field, Weight
from tui.view.entry import can_fetch, can_package
from tui.view.playout import CLIPS, Found, find
from tui.view.readiness import clip_name

CLIP: Final = "clip"
"""The field in which a clip is chosen."""


def found_of(case: Case) -> Found:
    return case.found if isinstance(case.found, Found) else Found()


def no(said: str) -> Text:
    """A refusal, in the language of the screen."""
    return Text(said, said)


def choices(clips: tuple[AirClip, ...], look: Look) -> tuple[tuple[str, str], ...]:
    return tuple((clip.digest, clip_name(clip, look)) for clip in clips)


def _row(case: Case) -> Ready | None:
    found = found_of(case)
    return found.opened if case.asked.opened is not None else find(found.entries, case.row)


def _only_opened(case: Case) -> Text | None:
    if case.asked.tab == CLIPS:
        return no(case.look.say("Clips that can air need no mending."))
    return None if case.asked.opened is not None else no(case.look.say("Open the entry first: Enter."))


def _fetch_refusal(case: Case) -> Text | None:
    found = found_of(case)
    if (closed := _only_opened(case)) is not None:
        return closed
    if found.clip is None or can_fetch(found.clip, found.at_us) is None:
        return no(case.look.say("No transfer of this entry waits to be tried again."))
    return None


def _fetch(case: Case) -> Command:
    found = found_of(case)
    waiting = can_fetch(found.clip, found.at_us) if found.clip is not None else None
    if waiting is None:
        raise OperatorError(no(case.look.say("No transfer of this entry waits to be tried again.")))
    return Retry(digest=waiting.digest, direction="down", **case.asked_by)


def _fetch_preview(case: Case) -> tuple[str, ...]:
    found, look = found_of(case), case.look
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
    found = found_of(case)
    if (closed := _only_opened(case)) is not None:
        return closed
    if found.opened is None or found.clip is None or not can_package(found.opened, found.clip):
        return no(case.look.say("This clip does not wait to be brought to house format here."))
    return None


def _package(case: Case) -> Command:
    row = _row(case)
    if row is None or row.asset is None:
        raise OperatorError(no(case.look.say("This has aired, or is not in the schedule any more.")))
    return Repackage(digest=row.asset, **case.asked_by)


def _package_preview(case: Case) -> tuple[str, ...]:
    return (case.look.say("The clip is read and coded once more; that takes about as long as it plays."),)


def _replace_refusal(case: Case) -> Text | None:
    found = found_of(case)
    if (closed := _only_opened(case)) is not None:
        return closed
    if found.opened is None:
        return no(case.look.say("This has aired, or is not in the schedule any more."))
    return None if found.like else no(case.look.say("No clip can air now."))


def _replace_fields(case: Case) -> tuple[Field, ...]:
    like = found_of(case).like
    hint = case.look.say("those of nearest length first")
    return (Field(CLIP, case.look.say("Clip"), "choice", choices(like, case.look), hint=hint),)


def _replace(case: Case) -> Command:
    row, found = _row(case), found_of(case)
    if row is None:
        raise OperatorError(no(case.look.say("This has aired, or is not in the schedule any more.")))
    begins = to_text(row.start_us) if row.start_us > case.reading.at_us else None
    return Insert(
        channel=found.channel, digest=case.value(CLIP), at_air=begins, until=to_text(row.end_us), **case.asked_by
    )


def _replace_preview(case: Case) -> tuple[str, ...]:
    row, found, look = _row(case), found_of(case), case.look
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
    return Resume(channel=found_of(case).channel, **case.asked_by)


MENDING: Final = (
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
