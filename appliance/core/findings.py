"""The technical check (技审) of a clip: what is wrong with its picture, sound and file, and how bad each is.

    findings(clip, seen) -> tuple[Finding, ...]       of the clip itself, the worst first
    of_entry(in_s, out_s, duration_s, length_s)       what a line of a schedule claims, against the length of its asset

Red never airs, and no person can make it. Amber airs, and whoever schedules the clip should look at it before. Info is
what was done to it. `code` never changes its meaning; docs/operating.md says for each what to do.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from appliance.core.errors import Refused, Text
from appliance.core.loudness import CEILING_DBTP, Levelling, Loudness, is_silent

Severity = Literal["red", "amber", "info"]

BLACK_S: Final = 2.0
"""Black for longer is told; at the end of a clip, where it is a fade, only as information."""
BLACK_SHARE_RED: Final = 0.98
"""A clip that is black for so much of its length has no picture."""
SILENCE_S: Final = 5.0
FROZEN_S: Final = 10.0
"""A picture that stands for longer: a notice may do so, an interview does not."""
EDGE_S: Final = 0.5
"""What begins or ends so near to the clip's own begins or ends with it."""
LOUDNESS_FAR_LU: Final = 8.0
"""A clip that was so much too loud or too soft was made carelessly, and may be uneven too."""
LOUDNESS_OFF_LU: Final = 1.0
"""What a clip may be off the target after it was brought there (EBU R 128)."""
ERRORS_RED_MIN: Final = 100
ERRORS_RED_PER_MIN: Final = 10.0
"""Damage in more places, and more often, is seen all through the clip."""
CLAIM_SLACK_S: Final = 0.2
"""What a duration that somebody typed may differ from the asset's."""
FRAME_S: Final = 0.04
TINY_PIXELS: Final = 480 * 360
SPANS_TOLD_MAX: Final = 10
"""Of each kind; the rest is counted in the last."""

_RANK: Final = {"red": 0, "amber": 1, "info": 2}


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that whoever schedules the clip should know. `figure` is in `unit`: s, LUFS, LU, dBTP, fps, count."""

    code: str
    severity: Severity
    what: Text
    from_s: float | None = None
    to_s: float | None = None
    figure: float | None = None
    unit: str = ""


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the technical check of an asset found, and what was done to its sound.

    `made_by` names the recipe; loudness is that of the source and that of the rendition before it was coded.
    """

    made_by: str = ""
    findings: tuple[Finding, ...] = ()
    source_lufs: float | None = None
    source_dbtp: float | None = None
    lufs: float | None = None
    dbtp: float | None = None
    gain_db: float = 0.0

    @property
    def severity(self) -> Severity | None:
        """The worst of the findings; None where there is none."""
        return worst(self.findings)

    @property
    def is_red(self) -> bool:
        return self.severity == "red"


class NotAirable(Refused):
    """A clip that never airs; `findings` says why, one of them red at least."""

    def __init__(self, found: Sequence[Finding], hint: Text | None = None) -> None:
        super().__init__(*refusal(found), hint=hint)
        self.findings = tuple(found)


def never(code: str, what: Text, hint: Text | None = None) -> NotAirable:
    """What cannot even be looked at."""
    return NotAirable((Finding(code, "red", what),), hint)


class Span(msgspec.Struct, frozen=True):
    """A time of the clip, in seconds from its beginning."""

    from_s: float
    to_s: float

    @property
    def length_s(self) -> float:
        return self.to_s - self.from_s


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that was seen and heard of a clip while it was read. `length_s` is that of what airs."""

    length_s: float
    has_picture: bool
    has_sound: bool
    blacks: tuple[Span, ...] = ()
    frozen: tuple[Span, ...] = ()
    silences: tuple[Span, ...] = ()
    source: Loudness | None = None
    result: Loudness | None = None
    levelling: Levelling = Levelling()
    target_lufs: float = 0.0
    errors: int = 0
    first_error: str = ""
    picture_s: float | None = None
    sound_s: float | None = None
    width: int = 0
    height: int = 0
    frames_per_s: float | None = None
    is_interlaced: bool = False
    is_hdr: bool = False
    is_vfr: bool = False


def findings(seen: Facts) -> tuple[Finding, ...]:
    """Everything to be said of a clip, the worst first, then in the order of its time."""
    found = [*_of_file(seen), *_of_picture(seen), *_of_sound(seen), *_of_loudness(seen)]
    return tuple(sorted(found, key=lambda each: (_RANK[each.severity], each.from_s or 0.0)))


def worst(found: Sequence[Finding]) -> Severity | None:
    """The worst severity; None where nothing was found."""
    return min((each.severity for each in found), key=_RANK.__getitem__, default=None)


def of_entry(in_s: float, out_s: float | None, duration_s: float | None, length_s: float | None) -> tuple[Finding, ...]:
    """What a line of a schedule claims of an asset that has `length_s`; () where that is not known.

    What lies beyond the end of the asset is filled with a filler: it is amber, for the rest of the line airs.
    """
    if length_s is None:
        return ()
    if in_s >= length_s:
        what = Text(
            f"从 {in_s:.2f} 秒开始取，媒资只有 {length_s:.2f} 秒，整条将由垫片代替",
            f"it begins at {in_s:.2f} s of an asset of {length_s:.2f} s: a filler plays instead",
        )
        return (Finding("in_beyond_asset", "red", what, in_s, length_s, in_s - length_s, "s"),)
    end_s = out_s if out_s is not None else in_s + duration_s if duration_s is not None else None
    if end_s is None:
        return ()
    if end_s > length_s + FRAME_S:
        over_s = end_s - length_s
        if out_s is None and in_s == 0 and over_s <= CLAIM_SLACK_S:
            return ()
        what = Text(
            f"节目单取到 {end_s:.2f} 秒，媒资只有 {length_s:.2f} 秒，缺 {over_s:.2f} 秒由垫片补",
            f"the schedule takes it to {end_s:.2f} s, the asset has {length_s:.2f} s: {over_s:.2f} s are filled",
        )
        return (Finding("out_beyond_asset", "amber", what, length_s, end_s, over_s, "s"),)
    if out_s is None and in_s == 0 and duration_s is not None and abs(duration_s - length_s) > CLAIM_SLACK_S:
        what = Text(
            f"节目单写 {duration_s:.2f} 秒，媒资有 {length_s:.2f} 秒，尾部 {length_s - duration_s:.2f} 秒不播",
            f"the schedule says {duration_s:.2f} s, the asset has {length_s:.2f} s: its end is not aired",
        )
        return (Finding("duration_differs", "amber", what, duration_s, length_s, length_s - duration_s, "s"),)
    return ()


def describe(found: Finding) -> Text:
    """One finding in words, with its mark and where it is."""
    where = ""
    if found.from_s is not None:
        where = f" {clock(found.from_s)}" + (f"-{clock(found.to_s)}" if found.to_s is not None else "")
    mark = _MARKS[found.severity]
    return Text(
        f"[{mark.zh}] {found.what.zh}{where} ({found.code})", f"[{mark.en}] {found.what.en}{where} ({found.code})"
    )


def clock(seconds: float) -> str:
    """`1:02:03.4`, as an editing desk shows it."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{rest // 10:02d}.{rest % 10}"


def refusal(found: Sequence[Finding]) -> tuple[Text, ...]:
    """Why a clip never airs, one text for each red finding; () when it may."""
    return tuple(each.what for each in found if each.severity == "red")


_MARKS: Final = {"red": Text("红", "red"), "amber": Text("黄", "amber"), "info": Text("注", "info")}


def _of_file(seen: Facts) -> Iterator[Finding]:
    if seen.errors:
        per_min = seen.errors / max(seen.length_s / 60, 1e-9)
        is_red = seen.errors >= ERRORS_RED_MIN and per_min >= ERRORS_RED_PER_MIN
        said = f"：{seen.first_error}" if seen.first_error else ""
        what = Text(
            f"解码时有 {seen.errors} 处错误{said}",
            f"{seen.errors} errors in decoding{': ' + seen.first_error if seen.first_error else ''}",
        )
        severity: Severity = "red" if is_red else "amber"
        yield Finding("decode_errors", severity, what, figure=float(seen.errors), unit="count")
    if seen.picture_s is not None and seen.sound_s is not None:
        short_s = seen.picture_s - seen.sound_s
        if short_s > 1.0:
            what = Text(f"声音比画面短 {short_s:.1f} 秒", f"its sound ends {short_s:.1f} s before its picture")
            yield Finding("sound_short", "amber", what, seen.sound_s, seen.picture_s, round(short_s, 2), "s")
        elif short_s < -1.0:
            what = Text(f"画面比声音短 {-short_s:.1f} 秒", f"its picture ends {-short_s:.1f} s before its sound")
            yield Finding("picture_short", "amber", what, seen.picture_s, seen.sound_s, round(-short_s, 2), "s")


def _of_picture(seen: Facts) -> Iterator[Finding]:
    if not seen.has_picture:
        yield Finding("no_picture", "info", Text("没有画面，已补静帧", "it has no picture; a still was added"))
        return
    # The last picture's own time is not counted by whoever finds black.
    black_s = sum(span.length_s for span in seen.blacks)
    if black_s + 2 * FRAME_S >= seen.length_s * BLACK_SHARE_RED:
        what = Text("画面全黑", "its picture is black throughout")
        yield Finding("black_throughout", "red", what, 0.0, seen.length_s, round(black_s, 2), "s")
    else:
        yield from _spans("black", seen.blacks, seen, BLACK_S, _BLACK)
    standing = [span for span in seen.frozen if not any(_covers(black, span) for black in seen.blacks)]
    yield from _spans("frozen", standing, seen, FROZEN_S, _FROZEN)
    if seen.is_interlaced:
        yield Finding("interlaced", "info", Text("隔行画面，已转逐行", "it was interlaced; it is progressive now"))
    if seen.is_hdr:
        what = Text("HDR 画面，转换后颜色可能发灰", "an HDR picture: its colours may look washed out")
        yield Finding("hdr", "amber", what)
    if 0 < seen.width * seen.height < TINY_PIXELS:
        size = f"{seen.width}x{seen.height}"
        what = Text(f"画面太小（{size}），放大后模糊", f"a small picture ({size}), blurred when enlarged")
        yield Finding("upscaled", "amber", what, figure=float(seen.height), unit="lines")
    if seen.is_vfr:
        what = Text("帧率不固定，已转 25 帧", "its frame rate varies; it has 25 frames/s now")
        yield Finding("frame_rate_varies", "info", what, figure=seen.frames_per_s, unit="fps")
    elif seen.frames_per_s is not None and abs(seen.frames_per_s - 25) > 0.01:
        what = Text(f"{seen.frames_per_s:g} 帧，已转 25 帧", f"{seen.frames_per_s:g} frames/s, made 25")
        severity: Severity = "amber" if seen.frames_per_s < 12 else "info"
        yield Finding("frame_rate", severity, what, figure=seen.frames_per_s, unit="fps")


def _covers(black: Span, span: Span) -> bool:
    """Black stands still too; that is told once."""
    return black.from_s - EDGE_S <= span.from_s and span.to_s <= black.to_s + EDGE_S


def _of_sound(seen: Facts) -> Iterator[Finding]:
    if not seen.has_sound:
        yield Finding("no_sound", "amber", Text("没有声音，已补静音", "it has no sound; silence was added"))
    elif is_silent(seen.source):
        yield Finding("silent_throughout", "amber", Text("声音全程静默", "its sound is silent throughout"))
    else:
        yield from _spans("silence", seen.silences, seen, SILENCE_S, _SILENT)


def _of_loudness(seen: Facts) -> Iterator[Finding]:
    source, result = seen.source, seen.result
    if source is None or is_silent(source):
        return
    assert source.lufs is not None
    off = source.lufs - seen.target_lufs
    if seen.levelling.gain_db:
        gain = seen.levelling.gain_db
        what = Text(
            f"响度 {source.lufs:.1f} LUFS，已调 {gain:+.1f} dB",
            f"loudness {source.lufs:.1f} LUFS, {gain:+.1f} dB given",
        )
        severity: Severity = "amber" if abs(off) > LOUDNESS_FAR_LU else "info"
        yield Finding("loudness", severity, what, figure=source.lufs, unit="LUFS")
    if source.peak_dbtp is not None and source.peak_dbtp > 0:
        what = Text(
            f"真峰值 {source.peak_dbtp:+.1f} dBTP，原声已失真", f"true peak {source.peak_dbtp:+.1f} dBTP: clipped"
        )
        yield Finding("true_peak", "amber", what, figure=source.peak_dbtp, unit="dBTP")
    if seen.levelling.is_limited:
        what = Text(f"峰值已限到 {CEILING_DBTP:g} dBTP", f"its peaks are held at {CEILING_DBTP:g} dBTP")
        yield Finding("limited", "info", what, figure=source.peak_dbtp, unit="dBTP")
    if result is not None and result.lufs is not None and abs(result.lufs - seen.target_lufs) > LOUDNESS_OFF_LU:
        what = Text(
            f"调后响度 {result.lufs:.1f} LUFS，目标 {seen.target_lufs:g}",
            f"loudness is {result.lufs:.1f} LUFS now, the target is {seen.target_lufs:g}",
        )
        yield Finding("loudness_off", "amber", what, figure=result.lufs, unit="LUFS")


def _spans(kind: str, spans: Sequence[Span], seen: Facts, longest_s: float, words: Text) -> Iterator[Finding]:
    """Those that are too long, told apart by where they are; the last of many says how many more there are."""
    long = [span for span in spans if span.length_s > longest_s]
    for number, span in enumerate(long[:SPANS_TOLD_MAX], start=1):
        is_start, is_end = span.from_s <= EDGE_S, span.to_s >= seen.length_s - EDGE_S
        place, where = ("end", _END) if is_end else ("start", _START) if is_start else ("middle", _MIDDLE)
        more = len(long) - SPANS_TOLD_MAX if number == SPANS_TOLD_MAX else 0
        rest = Text(f"，另有 {more} 处", f", and {more} more") if more > 0 else Text("", "")
        length = f"{span.length_s:.1f}"
        what = Text(f"{where.zh}{words.zh} {length} 秒{rest.zh}", f"{words.en} for {length} s {where.en}{rest.en}")
        severity: Severity = "info" if place == "end" and not is_start else "amber"
        yield Finding(f"{kind}_{place}", severity, what, span.from_s, span.to_s, round(span.length_s, 2), "s")


_BLACK: Final = Text("黑场", "black")
_FROZEN: Final = Text("画面静止", "the picture stands still")
_SILENT: Final = Text("静音", "silent")
_START: Final = Text("开头", "at the start")
_MIDDLE: Final = Text("中间", "in the middle")
_END: Final = Text("结尾", "at the end")
