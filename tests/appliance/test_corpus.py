"""What counties really have, and what is broken on purpose: each comes out on the grid, or is refused with a reason."""

import functools
import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance import packaging
from appliance.core import ts
from appliance.core.conformity import check_counters, check_segment, headers_of
from appliance.core.findings import NotAirable
from tests.appliance import clips

HEADERS = headers_of(packaging.still_pictures()[0])
PICTURE = "testsrc2=s=320x180:r=25:d=1.2"
SOUND = "sine=f=440:d=1.2,volume=0.3"


def ffmpeg(*words: str | Path) -> None:
    argv = ["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, words)]
    subprocess.run(argv, check=True, timeout=60)


def made(name: str, video: str | None = PICTURE, audio: str | None = SOUND, *options: str) -> Path:
    return clips.make(name, video=video, audio=audio, options=options)


def varying_rate() -> Path:
    return made(
        "vfr.mp4", "testsrc2=s=320x180:r=50:d=1.2,select='not(mod(n\\,3))+lt(n\\,20)'", SOUND, "-fps_mode", "vfr"
    )


def upright_telephone() -> Path:
    out = clips.folder() / "upright.mp4"
    ffmpeg("-display_rotation:v:0", "90", "-i", made("lying.mp4"), "-c", "copy", out) if _turns() else ffmpeg(
        "-i", made("lying.mp4"), "-c", "copy", "-metadata:s:v:0", "rotate=90", out
    )
    return out


@functools.cache
def _turns() -> bool:
    said = subprocess.run(["ffmpeg", "-h", "full"], capture_output=True, text=True, timeout=60)
    return "display_rotation" in said.stdout


def high_dynamic_range() -> Path:
    return made(
        "hdr.mkv", PICTURE, SOUND, "-pix_fmt", "yuv420p10le", "-profile:v", "high10", "-color_trc", "smpte2084",
        "-color_primaries", "bt2020", "-colorspace", "bt2020nc",
    )  # fmt: skip


def negative_start() -> Path:
    return made("early.mp4", PICTURE, SOUND, "-output_ts_offset", "-0.5", "-use_editlist", "0")


def cut_by_edit_list() -> Path:
    """Twelve seconds are there, a bit more than one is to be shown."""
    long = made("whole.mp4", "testsrc2=s=320x180:r=25:d=12", "sine=d=12", "-g", "300")
    out = clips.folder() / "edited.mp4"
    ffmpeg("-ss", "10.8", "-i", long, "-c", "copy", out)
    return out


def other_sizes_midway() -> Path:
    """An anchor, then a film of another size, in one stream: how a recorder writes what it is given."""
    first = made("first.ts", "testsrc2=s=320x180:r=25:d=0.8", "sine=d=0.8")
    second = made("second.ts", "testsrc=s=176x144:r=25:d=0.8", "sine=f=900:d=0.8", "-output_ts_offset", "0.8")
    out = clips.folder() / "sizes.ts"
    out.write_bytes(first.read_bytes() + second.read_bytes())
    return out


CORPUS: dict[str, tuple[Callable[[], Path], tuple[float, float], set[str]]] = {
    "44.1 kHz mono": (lambda: made("mono.mp4", PICTURE, "sine=r=44100:d=1.2", "-ac", "1"), (1.2, 1.2), set()),
    "5.1": (lambda: made("surround.mkv", PICTURE, "sine=d=1.2,aformat=channel_layouts=5.1"), (1.2, 1.2), set()),
    "sound only": (lambda: made("talk.m4a", None), (1.16, 1.28), {"no_picture"}),
    "picture only": (lambda: made("mute.mp4", PICTURE, None), (1.2, 1.2), {"no_sound"}),
    "varying rate": (varying_rate, (1.1, 1.28), {"frame_rate_varies"}),
    "upright telephone": (upright_telephone, (1.2, 1.2), set()),
    "10 bits, HDR": (high_dynamic_range, (1.2, 1.2), {"hdr"}),
    "odd dimensions": (
        lambda: made("odd.mkv", "testsrc2=s=321x181:r=25:d=1.2", SOUND, "-pix_fmt", "yuv444p"),
        (1.2, 1.2),
        set(),
    ),
    "1 frame/s": (lambda: made("slow.mp4", "testsrc2=s=320x180:r=1:d=2", "sine=d=2"), (1.96, 2.04), {"frame_rate"}),
    "120 frames/s": (lambda: made("fast.mp4", "testsrc2=s=320x180:r=120:d=1.2"), (1.2, 1.2), {"frame_rate"}),
    "negative start": (negative_start, (0.6, 1.28), set()),
    "huge edit list": (cut_by_edit_list, (1.1, 1.4), set()),
    "interlaced": (
        lambda: made(
            "fields.ts", "testsrc2=s=720x576:r=50:d=1.2,interlace", SOUND, "-flags", "+ilme+ildct", "-x264opts", "tff=1"
        ),
        (1.1, 1.32),
        {"interlaced"},
    ),
}


@pytest.mark.parametrize("name", CORPUS, ids=str)
def test_whatever_comes_leaves_on_the_grid(name: str, tmp_path: Path) -> None:
    """Frames, times, keyframes, sounds, clocks, counters: one check for all, and any segment may follow any other."""
    source, (least_s, most_s), told = CORPUS[name]
    packaged = packaging.package(source(), tmp_path / "out.ts")
    assert least_s - 0.001 <= packaged.rendition.frames / ts.FRAMES_PER_S <= most_s + 0.001
    assert told <= {finding.code for finding in packaged.check.findings}
    check_on_grid(tmp_path / "out.ts")


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts", "mp3"])
def test_what_is_cut_is_refused_or_airs_as_far_as_it_goes(container: str, tmp_path: Path) -> None:
    """A container that states its length is held to it; of one that does not nobody can know."""
    options = ("-movflags", "+faststart") if container == "mp4" else ()
    whole = made(f"whole-{container}.{container}", None if container == "mp3" else PICTURE, SOUND, *options)
    cut = tmp_path / f"cut.{container}"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    try:
        packaging.package(cut, tmp_path / "out.ts")
    except NotAirable as refused:
        assert container in ("mp4", "mkv")
        assert refused.findings[0].severity == "red"
        return
    assert container in ("ts", "mp3")
    check_on_grid(tmp_path / "out.ts")


def test_a_size_that_changes_midway_is_no_reason_to_leave_the_grid(tmp_path: Path) -> None:
    """It is aired on the grid, or refused for good; never tried for ever."""
    try:
        packaging.package(other_sizes_midway(), tmp_path / "out.ts")
    except NotAirable as refused:
        assert refused.findings[0].severity == "red"
    else:
        check_on_grid(tmp_path / "out.ts")


def check_on_grid(path: Path) -> None:
    """What docs/formats.md, section 7, promises; and that ffprobe, which knows nothing of it, sees the same."""
    data = path.read_bytes()
    table = ts.index(data)
    segments = [data[one.offset : one.offset + one.size_bytes] for one in table]
    for number, (segment, one) in enumerate(zip(segments, table, strict=True)):
        check_segment(segment, number, HEADERS, one.frames)
    for one, other in itertools.product([*segments, *clips.segments("slate")], repeat=2):
        check_counters(one + other)
    argv = ["ffprobe", "-v", "error", "-show_entries", "packet=codec_type,pts,flags", "-of", "csv=p=0", str(path)]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    pictures = [line.split(",") for line in said if line.startswith("video")]
    assert [int(pts) for _, pts, *_ in pictures] == [
        ts.FILE_PTS_TICKS + ts.TICKS_PER_FRAME * number for number in range(len(pictures))
    ]
    assert [number for number, (_, _, flags, *_) in enumerate(pictures) if "K" in flags] == list(
        range(0, len(pictures), ts.FRAMES_PER_SEGMENT)
    )
    sounds = [int(line.split(",")[1]) for line in said if line.startswith("audio")]
    assert sounds[0] == ts.FILE_PTS_TICKS - ts.SOUND_TICKS
    assert all(after - before == ts.SOUND_TICKS for before, after in itertools.pairwise(sounds))
    assert abs(sounds[-1] - int(pictures[-1][1])) <= ts.TICKS_PER_FRAME + ts.SOUND_TICKS
