"""A clip as it comes: what its container says it holds, and the ffmpeg command that brings it to house format."""

from typing import Any, Final

import msgspec

from appliance.core import mux, ts
from appliance.core.errors import Text
from appliance.core.ffmpeg_log import LOG_OPTIONS
from appliance.core.findings import never
from appliance.core.loudness import AS_IT_IS, Levelling, levelling_filters, meter_filter, silence_filter

CONTAINERS: Final = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,live_flv,asf,mxf,gxf,dv,h264,hevc,"
    "wav,w64,mp3,aac,ac3,eac3,flac,ogg,aiff,caf"
)
"""What is opened. No playlists, scripts or pictures: ffmpeg would follow a list named clip.mp4 to any file there is."""
MEASURED: Final = {"mov", "mp4", "matroska", "webm", "avi", "asf", "mxf", "wav", "w64", "flac", "aiff", "caf", "ogg"}
"""Containers whose stated duration is measured by their writer; of the others it is a guess."""
PIXELS_MAX: Final = 8192 * 4320
DURATION_S_MAX: Final = 12 * 3600.0
SLACK_S: Final = 0.2
"""A sound that runs over the picture by no more than this is the codec's padding."""
ENCODER_THREADS: Final = 4
"""Fixed, for x264's output depends on it."""
GOP: Final = ts.FRAMES_PER_SEGMENT
RECIPE: Final = 2
"""Goes up whenever the same clip would give other bytes; what was made by an older one is made again when there is time
(`made_by`)."""
BLACK_MIN_S: Final = 0.4
FROZEN_MIN_S: Final = 5.0
"""Shorter times are not even noted; from which length on they are told is the business of `core/findings.py`."""
VARIES_MIN: Final = 0.02
_ROUNDING_S: Final = 0.12
_SIZE: Final = "w='2*trunc(min(1280,720*dar)/2)':h='2*trunc(min(720,1280/dar)/2)'"
FITTED: Final = (
    "yadif=mode=send_frame:deint=interlaced",
    f"scale={_SIZE}:flags=bicubic+accurate_rnd+bitexact:out_color_matrix=bt709:out_range=tv",
    "setsar=1",
    "fps=25:start_time=0",
    "format=yuv420p",
    "pad=1280:720:(ow-iw)/2:(oh-ih)/2",
)
"""Filters that make any pictures the house's; the last draws the black bars."""
SOUND: Final = ("aresample=48000:async=1:first_pts=0", "aformat=sample_fmts=fltp:channel_layouts=stereo")
"""Filters that make any sound the house's."""
HOUSE_X264: Final = "force-cfr=1:aud=1:stitchable=1:repeat-headers=1"
PICTURES: Final = (
    "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-level:v", "4.0",
    "-crf", "21", "-maxrate", "2500k", "-bufsize", "2500k",
    "-g", f"{GOP}", "-keyint_min", f"{GOP}", "-sc_threshold", "0", "-bf", "0",
    "-flags:v", "+cgop+bitexact", "-threads:v", f"{ENCODER_THREADS}", "-x264-params", HOUSE_X264,
    "-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv",
    "-bsf:v", "filter_units=remove_types=6",
)  # fmt: skip
"""How pictures are encoded: all of a channel alike, so that any can follow any."""
SOUNDS: Final = ("-c:a", "aac", "-b:a", "128k", "-flags:a", "+bitexact", "-threads:a", "1")

_PICTURES: Final = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
}


class Stream(msgspec.Struct, frozen=True):
    """A stream of a clip; `duration_s` is None where nothing says it."""

    index: int
    codec: str
    duration_s: float | None = None
    width: int = 0
    height: int = 0
    frames_per_s: float | None = None
    is_vfr: bool = False
    is_interlaced: bool = False
    is_hdr: bool = False


class Clip(msgspec.Struct, frozen=True):
    """What is used of a clip: the first picture stream, the first sound stream; at least one is there."""

    container: str
    duration_s: float | None
    video: Stream | None
    audio: Stream | None

    @property
    def is_measured(self) -> bool:
        """Whether the stated duration can be held against the clip."""
        return bool(MEASURED & set(self.container.split(",")))


def refusal_of(head: bytes) -> Text | None:
    """Why a file that begins so is no clip; None when that cannot be told from the first bytes."""
    if not head:
        return Text("文件是空的", "the file is empty")
    kind = next((kind for magic, kind in _PICTURES.items() if head.startswith(magic)), None)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        kind = "WebP"
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"avif"):
        kind = "HEIF"
    if kind is None:
        return None
    return Text(f"是 {kind} 图片，不是视频或音频", f"it is a {kind} picture, not video or sound")


def probe_argv(source: str) -> tuple[str, ...]:
    """ffprobe's command; its answer is for `parse_probe`."""
    entries = (
        "format=format_name,duration:stream=index,codec_type,codec_name,width,height,duration,r_frame_rate,"
        "avg_frame_rate,field_order,color_transfer:stream_tags=DURATION"
    )
    return (
        "ffprobe", "-v", "error", *_input_options(),
        "-show_entries", f"{entries}:stream_disposition=attached_pic", "-of", "json", f"file:{source}",
    )  # fmt: skip


def parse_probe(answer: bytes, *, is_mp4: bool = False) -> Clip:
    """Read ffprobe's answer, b"" when it failed. Raises NotAirable when it is no clip that could be aired.

    `is_mp4` tells that the file begins as an MP4 does: one that then cannot be read lacks its index, which comes last.
    """
    try:
        facts: dict[str, Any] = msgspec.json.decode(answer) if answer.strip() else {}
    except msgspec.DecodeError:
        facts = {}
    streams = facts.get("streams") or []
    container = str((facts.get("format") or {}).get("format_name", ""))
    if not container:
        raise never("cut_off", _CUT_OFF) if is_mp4 else never("unknown_format", _UNKNOWN)
    whole_s = _seconds(facts["format"].get("duration"))
    video = next((_stream(one, whole_s) for one in streams if _is_moving(one)), None)
    audio = next(
        (_stream(one, whole_s) for one in streams if one.get("codec_type") == "audio" and _is_known(one)), None
    )
    if video is None and audio is None:
        raise never("nothing_in_it", Text("既没有画面也没有声音", "it has neither picture nor sound"))
    if video is not None and not 0 < video.width * video.height <= PIXELS_MAX:
        raise never(
            "unusable_size",
            Text(f"画面尺寸不可用：{video.width}x{video.height}", f"unusable size: {video.width}x{video.height}"),
        )
    lengths = [stream.duration_s for stream in (video, audio) if stream is not None and stream.duration_s is not None]
    clip = Clip(container, max(lengths, default=whole_s), video, audio)
    if clip.duration_s is not None and clip.duration_s > DURATION_S_MAX:
        hours = DURATION_S_MAX / 3600
        raise never("too_long", Text(f"超过 {hours:.0f} 小时", f"longer than {hours:.0f} hours"))
    return clip


def frames_expected(clip: Clip) -> int | None:
    """How many frames the clip will have; None when only decoding it will tell."""
    if not clip.is_measured or clip.duration_s is None:
        return None
    return max(1, round(_length_s(clip) * ts.FRAMES_PER_S))


def made_by(target_lufs: float) -> str:
    """The name of the recipe: whoever packages with the same gives the same bytes, by the same programs."""
    return f"{RECIPE}/{target_lufs:g}LUFS"


def listen_argv(source: str, audio: Stream) -> tuple[str, ...]:
    """ffmpeg's command that only listens: how loud the sound is and where it is silent, on standard error.

    Progress comes on standard output (`-progress`). The pictures are not decoded.
    """
    filters = [*SOUND, silence_filter(), meter_filter()]
    return (
        "ffmpeg", "-nostdin", *LOG_OPTIONS, *_input_options(), "-i", f"file:{source}", "-map", f"0:{audio.index}",
        "-vn", "-sn", "-dn", "-af", ",".join(filters), "-t", f"{DURATION_S_MAX:.0f}", "-progress", "pipe:1",
        "-f", "null", "-",
    )  # fmt: skip


def encode_argv(source: str, clip: Clip, levelling: Levelling = AS_IT_IS) -> tuple[str, ...]:
    """ffmpeg's command: house pictures and sounds, one to a PES, as MPEG-TS on standard output.

    Sound begins with one frame of priming. A clip without picture gives only sound, one without sound only pictures.
    Where it is black or stands still, and how loud it became, is told on standard error (core/ffmpeg_log.py).
    """
    argv = ["ffmpeg", "-nostdin", *LOG_OPTIONS, *_input_options(), "-i", f"file:{source}"]
    if clip.video is not None:
        argv += ["-map", f"0:{clip.video.index}", *_video_options(clip)]
    if clip.audio is not None:
        argv += ["-map", f"0:{clip.audio.index}", *_audio_options(clip, levelling)]
    if clip.video is not None and clip.audio is not None and frames_expected(clip) is None:
        argv.append("-shortest")
    return (
        *argv, "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1", "-t", f"{DURATION_S_MAX:.0f}",
        "-fflags", "+bitexact", "-streamid", f"0:{mux.VIDEO_PID if clip.video else mux.AUDIO_PID}",
        *(("-streamid", f"1:{mux.AUDIO_PID}") if clip.video and clip.audio else ()),
        "-muxdelay", "0", "-muxpreload", "0", "-pes_payload_size", "0", "-flush_packets", "0", "-f", "mpegts", "pipe:1",
    )  # fmt: skip


def _video_options(clip: Clip) -> list[str]:
    *fitted, padded = FITTED
    # Before the black bars are drawn, which would count as black.
    black = f"blackdetect=black_min_duration={BLACK_MIN_S:g}"
    filters = [*fitted, black, f"freezedetect=noise=-60dB:duration={FROZEN_MIN_S:g}", padded]
    frames = frames_expected(clip)
    if frames is not None and clip.video is not None:
        still_s = max(0.0, _length_s(clip) - (clip.video.duration_s or 0)) + _ROUNDING_S
        filters += [f"tpad=stop_mode=clone:stop_duration={still_s:.3f}", f"trim=end_frame={frames}"]
    return ["-vf", ",".join(filters), "-fps_mode", "passthrough", *PICTURES]


def _audio_options(clip: Clip, levelling: Levelling) -> list[str]:
    filters = [*SOUND, *levelling_filters(levelling), meter_filter(), "aformat=sample_fmts=fltp"]
    frames = frames_expected(clip)
    if clip.video is not None:
        filters.append("apad")
        if frames is not None:
            filters.append(f"atrim=end_sample={(frames + 1) * 48_000 // ts.FRAMES_PER_S}")
    return ["-af", ",".join(filters), *SOUNDS]


def _input_options() -> tuple[str, ...]:
    return ("-protocol_whitelist", "file,pipe", "-format_whitelist", CONTAINERS)


def _length_s(clip: Clip) -> float:
    video_s = clip.video.duration_s if clip.video is not None else None
    audio_s = clip.audio.duration_s if clip.audio is not None else None
    if video_s is not None and audio_s is not None and audio_s <= video_s + SLACK_S:
        return video_s
    return max(video_s or 0.0, audio_s or 0.0, 0.0) or (clip.duration_s or 0.0)


def _is_moving(stream: dict[str, Any]) -> bool:
    cover = (stream.get("disposition") or {}).get("attached_pic")
    return stream.get("codec_type") == "video" and not cover and _is_known(stream)


def _is_known(stream: dict[str, Any]) -> bool:
    return stream.get("codec_name") not in (None, "none", "unknown")


def _stream(facts: dict[str, Any], whole_s: float | None) -> Stream:
    tagged = _clock_seconds((facts.get("tags") or {}).get("DURATION"))
    return Stream(
        index=facts["index"],
        codec=facts["codec_name"],
        duration_s=_seconds(facts.get("duration")) or tagged or whole_s,
        width=facts.get("width", 0),
        height=facts.get("height", 0),
        frames_per_s=_rate(facts.get("avg_frame_rate")),
        is_vfr=_varies(facts),
        is_interlaced=_is_interlaced(facts),
        is_hdr=facts.get("color_transfer") in ("smpte2084", "arib-std-b67"),
    )


def _is_interlaced(facts: dict[str, Any]) -> bool:
    return facts.get("field_order") in ("tt", "bb", "tb", "bt")


def _varies(facts: dict[str, Any]) -> bool:
    """Whether the rate at which pictures stand and the rate at which they come on average are not the same."""
    nominal, average = _rate(facts.get("r_frame_rate")), _rate(facts.get("avg_frame_rate"))
    if nominal is None or average is None or _is_interlaced(facts):
        return False
    return abs(nominal / average - 1) > VARIES_MIN


def _rate(text: object) -> float | None:
    """`30000/1001`."""
    number, _, divisor = str(text).partition("/")
    above, below = _seconds(number), _seconds(divisor or 1)
    return round(above / below, 3) if above and below else None


def _seconds(text: object) -> float | None:
    try:
        seconds = float(str(text))
    except ValueError:
        return None
    return seconds if 0 < seconds < float("inf") else None


def _clock_seconds(text: object) -> float | None:
    """`00:00:05.280000000`, as Matroska's writers tag their streams."""
    parts = [_seconds(part) or 0.0 for part in str(text).split(":")]
    return parts[0] * 3600 + parts[1] * 60 + parts[2] or None if len(parts) == 3 else None


_CUT_OFF: Final = Text("文件不完整：缺少索引（moov）", "the file is cut off: it has no index (moov)")
_UNKNOWN: Final = Text("不是可识别的视频或音频文件", "not a video or sound file that is known here")
