"""The commands that bring a live source to house format as it comes: like a clip's, but without waiting for anything.

The source is read by us and given to ffmpeg through a pipe: it opens no address and no file.
"""

from collections.abc import Sequence
from typing import Final

from appliance.core import mux, ts
from appliance.core.clip import FITTED, HOUSE_X264, PICTURES, SOUND, SOUNDS, Clip

FORMATS: Final = "mpegts,mov,aac,mp3,ac3,eac3"
"""What a segment may be: a transport stream, a fragment of an MP4, or packed sound."""
PROBE_BYTES_MAX: Final = 4 * 1024 * 1024
WITHOUT_WAITING: Final = f"{HOUSE_X264}:rc-lookahead=0:sync-lookahead=0:sliced-threads=0"
"""What is shown in seconds cannot wait for the pictures after it. None of this is in the stream's parameters."""
EARLY_FRAMES: Final = 12
"""The first picture stands so many frames longer. So what closes a segment of ours lies that far before the end of one
of the source's, and has come when that has, with all that coders hold back; else each chunk would wait for the next
segment of the source."""
LEAP_S: Final = 1
"""Timestamps that leap by more are the source's fault, and are not waited out."""

DATES_MAX: Final = 64
"""So many segments back it is known when they were shown; what is encoded is never so far behind what was fed."""


def shown_us(dates: Sequence[tuple[float, int]], at_s: float) -> int | None:
    """When what lies `at_s` into what was fed was shown at its source; None where the source does not say.

    `dates`: where a segment lies in it, and when that was shown. A source that was silent for a while goes on later.
    """
    before = [date for date in dates if date[0] <= at_s] or list(dates[:1])
    return before[-1][1] + round((at_s - before[-1][0]) * 1_000_000) if before else None


def probe_argv() -> tuple[str, ...]:
    """ffprobe's command for a segment on standard input; its answer is for `core.clip.parse_probe`."""
    return (
        "ffprobe", "-v", "error", *_input(), "-show_entries",
        "format=format_name:stream=index,codec_type,codec_name,width,height:stream_disposition=attached_pic",
        "-of", "json", "pipe:0",
    )  # fmt: skip


def encode_argv(clip: Clip) -> tuple[str, ...]:
    """ffmpeg's command: segments one after the other on standard input, house pictures and sounds as MPEG-TS on
    standard output, each as soon as it can be."""
    argv = [
        "ffmpeg", "-nostdin", "-v", "error", "-fflags", "+nobuffer+discardcorrupt", "-thread_type", "slice",
        "-probesize", f"{PROBE_BYTES_MAX}", "-analyzeduration", "500000", "-dts_delta_threshold", f"{LEAP_S}",
        *_input(), "-i", "pipe:0",
    ]  # fmt: skip
    if clip.video is not None:
        argv += ["-map", f"0:{clip.video.index}", "-vf", _early(",".join(FITTED)), "-fps_mode", "passthrough"]
        argv += (WITHOUT_WAITING if option == HOUSE_X264 else option for option in PICTURES)
    if clip.audio is not None:
        argv += ["-map", f"0:{clip.audio.index}", "-af", _early(",".join(SOUND)), *SOUNDS]
    return (
        *argv, "-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1",
        "-fflags", "+bitexact", "-streamid", f"0:{mux.VIDEO_PID if clip.video else mux.AUDIO_PID}",
        *(("-streamid", f"1:{mux.AUDIO_PID}") if clip.video and clip.audio else ()),
        "-muxdelay", "0", "-muxpreload", "0", "-pes_payload_size", "0", "-flush_packets", "1", "-f", "mpegts", "pipe:1",
    )  # fmt: skip


def _early(filters: str) -> str:
    seconds, samples = EARLY_FRAMES / ts.FRAMES_PER_S, EARLY_FRAMES * 48_000 // ts.FRAMES_PER_S
    return filters.replace("start_time=0", f"start_time=-{seconds:g}").replace("first_pts=0", f"first_pts=-{samples}")


def _input() -> tuple[str, ...]:
    return ("-protocol_whitelist", "pipe", "-format_whitelist", FORMATS)
