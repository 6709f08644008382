"""Packaging takes what newsrooms have, gives house format, and refuses what would fail on the air."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from appliance import packaging
from appliance.core import ts
from appliance.core.clip import encode_argv, parse_probe, probe_argv
from appliance.core.errors import DiskFull, Refused, WorldError
from tests.appliance import clips

ROOT = Path(__file__).parents[2]


def refusal(source: Path, out: Path) -> str:
    with pytest.raises(Refused) as caught:
        packaging.package(source, out)
    assert list(out.parent.glob(out.name + "*")) == []
    assert caught.value.problems[0].zh
    return caught.value.problems[0].en


def codes(made: packaging.Packaged) -> list[str]:
    return [finding.code for finding in made.check.findings]


def streams(path: Path) -> dict[str, dict[str, str]]:
    answer = subprocess.run(
        ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(path)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return {stream["codec_type"]: stream for stream in json.loads(answer.stdout)["streams"]}


def test_real_and_made_clips_come_out_in_one_format(tmp_path: Path) -> None:
    """25 and 29.97 and 50 frames/s, four sizes, six channels or no sound: on the air all are alike."""
    lengths = {}
    for name in clips.names():
        made, data = clips.packaged(name)
        out = tmp_path / "clip.ts"
        out.write_bytes(data)
        found = streams(out)
        video, audio = found["video"], found["audio"]
        assert (video["codec_name"], video["profile"], video["width"], video["height"]) == ("h264", "High", 1280, 720)
        assert (video["r_frame_rate"], video["has_b_frames"], video["field_order"]) == ("25/1", 0, "progressive")
        assert (video["color_space"], video["sample_aspect_ratio"], video["pix_fmt"]) == ("bt709", "1:1", "yuv420p")
        assert (audio["codec_name"], audio["sample_rate"], audio["channels"]) == ("aac", "48000", 2)
        seen = packaging.examine(out)
        assert (seen.rendition, seen.segments) == (made.rendition, made.segments)
        lengths[name] = made.rendition.frames
    assert (lengths["long"], lengths["small"], lengths["odd"]) == (205, 100, 84)


def test_the_same_clip_gives_the_same_bytes(tmp_path: Path) -> None:
    """A rendition is named by its digest: a second run at the hub or on a box must not make a second asset."""
    again = packaging.package(clips.clip("small"), tmp_path / "again.ts")
    assert again == clips.packaged("small")[0]


def test_sound_stays_with_the_picture(tmp_path: Path) -> None:
    """A clap must be heard when it is seen: the sound is neither early nor late by more than a frame of sound."""
    source = clips.make(
        "clap.mov",
        video="color=black:s=320x240:r=25:d=4,drawbox=t=fill:color=white:enable='between(t,2,2.2)'",
        audio="aevalsrc='if(between(t,2,2.2),sin(2000*t),0)':s=48000:d=4",
        options=("-c:a", "pcm_s16le"),
    )
    out = tmp_path / "clap.ts"
    packaging.package(source, out)
    filters = "[0:v]blackdetect=d=0.5:pix_th=0.5[v];[0:a]silencedetect=n=-20dB:d=0.5[a]"
    said = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "info", "-i", str(out), "-filter_complex", filters, "-map", "[v]", "-map", "[a]",
         "-f", "null", "-"],
        capture_output=True, text=True, timeout=60, check=True,
    ).stderr  # fmt: skip
    white = min(float(word.split(":")[1]) for word in said.split() if word.startswith("black_end:"))
    loud = min(float(line.split("silence_end: ")[1].split()[0]) for line in said.splitlines() if "silence_end" in line)
    assert abs(white - loud) <= 0.022


def test_a_picture_shorter_than_its_sound_stands_still_and_a_sound_too_short_falls_silent(tmp_path: Path) -> None:
    """Nothing of either is lost, and both end together."""
    held = clips.make("held.mp4", video="testsrc=s=320x240:r=25:d=1", audio="sine=d=3")
    hushed = clips.make("hushed.mp4", video="testsrc=s=320x240:r=25:d=3", audio="sine=d=1")
    for source in (held, hushed):
        made = packaging.package(source, tmp_path / "out.ts")
        assert made.rendition.frames == 75
        _, sounds = ts.contents((tmp_path / "out.ts").read_bytes()[ts.place(made.segments, 1)[0] :])  # type: ignore[index]
        assert len(sounds) == ts.sounds_in(1, 25)[1] - ts.sounds_in(1, 25)[0]


def test_sound_alone_gets_a_still_picture(tmp_path: Path) -> None:
    """Radio programmes and interviews by telephone air too."""
    for name in ("tone.mp3", "tone.m4a", "tone.wav"):
        made = packaging.package(clips.make(name, audio="sine=f=300:d=5"), tmp_path / "out.ts")
        assert 125 <= made.rendition.frames <= 127
        assert made.rendition.size_bytes < 300_000
        assert "no_picture" in codes(made)


def test_a_clip_with_a_cover_picture_is_sound(tmp_path: Path) -> None:
    """A song's cover is no moving picture, though its container lists it as one."""
    answer = b"""{"format": {"format_name": "mp3", "duration": "3.0"}, "streams": [
        {"index": 0, "codec_type": "audio", "codec_name": "mp3", "duration": "3.0"},
        {"index": 1, "codec_type": "video", "codec_name": "mjpeg", "width": 9, "height": 9,
         "disposition": {"attached_pic": 1}}]}"""
    clip = parse_probe(answer)
    assert clip.video is None and clip.audio is not None


@pytest.mark.parametrize(
    ("size", "options", "fitted"),
    [
        ("720x576", ("-aspect", "16:9"), (0, 0)),
        ("720x576", ("-aspect", "4:3"), (160, 0)),
        ("320x720", (), (480, 0)),
        ("1280x320", (), (0, 200)),
    ],
)
def test_pictures_keep_their_shape(
    size: str, options: tuple[str, ...], fitted: tuple[int, int], tmp_path: Path
) -> None:
    """County archives are full of anamorphic tapes and upright telephones; faces must not be squeezed."""
    source = clips.make(
        f"shape-{size}-{len(options)}{fitted[0]}.mp4", video=f"color=white:s={size}:r=25:d=1", options=options
    )
    packaging.package(source, tmp_path / "out.ts")
    said = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "info", "-i", str(tmp_path / "out.ts"), "-vf", "cropdetect=limit=24:round=2",
         "-f", "null", "-"],
        capture_output=True, text=True, timeout=60, check=True,
    ).stderr  # fmt: skip
    left, top = (int(part) for part in said.rsplit("crop=", 1)[1].split()[0].split(":")[2:])
    assert abs(left - fitted[0]) <= 4 and abs(top - fitted[1]) <= 4


def test_transport_streams_need_no_stated_length(tmp_path: Path) -> None:
    """A recording off the air states no length and begins anywhere on the clock."""
    source = clips.make(
        "air.ts", video="testsrc=s=320x240:r=25:d=3", audio="sine=d=3", options=("-output_ts_offset", "5000")
    )
    made = packaging.package(source, tmp_path / "out.ts")
    assert 74 <= made.rendition.frames <= 76


def test_empty_files_pictures_texts_and_lists_are_no_clips(tmp_path: Path) -> None:
    """What is wrong is said; and a list that names other files must never lead ffmpeg to them."""
    secret = tmp_path / "secret.mp4"
    shutil.copy(clips.clip("small"), secret)
    wrong = {
        "empty.mp4": (b"", "the file is empty"),
        "text.mp4": ("登封".encode() * 1000, "not a video or sound file"),
        "noise.mp4": (bytes(range(256)) * 400, "not a video or sound file"),
        "list.mp4": (f"#EXTM3U\n#EXTINF:4,\n{secret}\n#EXT-X-ENDLIST\n".encode(), "not a video or sound file"),
        "script.mp4": (f"ffconcat version 1.0\nfile {secret}\n".encode(), "not a video or sound file"),
        "photo.mp4": (_picture(tmp_path, "photo.png"), "is a PNG picture"),
        "photo2.mp4": (_picture(tmp_path, "photo.jpg"), "is a JPEG picture"),
        "photo3.mp4": (_picture(tmp_path, "photo.gif"), "is a GIF picture"),
        "subtitles.mkv": (_subtitles(tmp_path), "neither picture nor sound"),
    }
    for name, (content, said) in wrong.items():
        source = tmp_path / name
        source.write_bytes(content)
        assert said in refusal(source, tmp_path / "out.ts"), name


@pytest.mark.parametrize("options", [(), ("-movflags", "+faststart")], ids=["index at the end", "index in front"])
@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_clip_cut_in_the_middle_is_refused(container: str, options: tuple[str, ...], tmp_path: Path) -> None:
    """Half a programme is an accident on the air; the county must send it again."""
    if container == "mkv":
        options = ()
    name = f"cut{len(options)}.{container}"
    source = clips.make(name, video="testsrc2=s=320x240:r=25:d=6", audio="sine=d=6", options=options)
    half = tmp_path / name
    half.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    assert "cut off" in refusal(half, tmp_path / "out.ts")


def test_a_header_with_nothing_behind_it_is_refused(tmp_path: Path) -> None:
    """The file that a copy broke off at once: all is promised, nothing is there."""
    options = ("-movflags", "+faststart")
    source = clips.make("head.mp4", video="testsrc2=s=320x240:r=25:d=6", audio="sine=d=6", options=options)
    data = source.read_bytes()
    hollow = tmp_path / "hollow.mp4"
    hollow.write_bytes(data[: data.index(b"mdat") + 4])
    assert refusal(hollow, tmp_path / "out.ts") in (
        "nothing in it can be decoded",
        "decoding broke off; the file may be damaged",
    )


def test_a_single_frame_is_no_clip(tmp_path: Path) -> None:
    """A still in a video's clothes would flash by."""
    source = clips.make("flash.mp4", video="testsrc=s=320x240:r=25:d=0.04")
    assert "half a second" in refusal(source, tmp_path / "out.ts")


def test_damage_within_a_whole_clip_is_told(tmp_path: Path) -> None:
    """It still airs - every frame is accounted for - but whoever schedules it knows."""
    source = clips.make("scratch.mp4", video="testsrc2=s=320x240:r=25:d=4")
    data = bytearray(source.read_bytes())
    begin = data.index(b"mdat") + 3000
    for at in range(begin, begin + 20000, 500):
        data[at : at + 20] = b"\xff" * 20
    scratched = tmp_path / "scratched.mp4"
    scratched.write_bytes(data)
    made = packaging.package(scratched, tmp_path / "out.ts")
    assert made.rendition.frames == 100
    assert ("decode_errors", "amber") in [(each.code, each.severity) for each in made.check.findings]


@pytest.mark.parametrize(
    "name",
    [
        "-i.mp4",
        "a\nb.mp4",
        "concat:x.mp4",
        "http:x",
        "登" * 83 + ".mp4",
        b"\xb5\xc7\xb7\xe2.mp4",
        "%03d.mp4",
        "a'b\".mp4",
    ],
    ids=repr,
)
def test_any_file_name_is_only_a_name(name: str | bytes, tmp_path: Path) -> None:
    """People call their clips what they like; none of it may be read as an option, a protocol or a pattern."""
    source = tmp_path / os.fsdecode(name)
    shutil.copy(clips.clip("small"), source)
    assert packaging.package(source, tmp_path / "out.ts") == clips.packaged("small")[0]


def test_what_is_no_file_is_no_clip(tmp_path: Path) -> None:
    """A missing file is not the clip's fault; a folder or a fifo is refused at once, and never waited for."""
    os.mkfifo(tmp_path / "fifo.mp4")
    with pytest.raises(WorldError):
        packaging.package(tmp_path / "none.mp4", tmp_path / "out.ts")
    for source in (tmp_path, tmp_path / "fifo.mp4"):
        with pytest.raises(Refused):
            packaging.package(source, tmp_path / "out.ts")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    """Half a file under the right name would air half a programme."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)], check=True, timeout=30)
    try:
        with pytest.raises(DiskFull):
            packaging.package(clips.clip("long"), disk / "out.ts")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True, timeout=30)


def test_as_a_program_it_tells_progress_and_the_outcome(tmp_path: Path) -> None:
    """The agent reads these lines; the last one must say all there is to record."""
    said = run(clips.clip("small"), tmp_path / "out.ts")
    lines = [json.loads(line) for line in said.stdout.splitlines()]
    made = clips.packaged("small")[0]
    assert said.returncode == 0
    assert all(0 <= line["progress"]["done"] <= 1 for line in lines[:-1]) and len(lines) > 1
    assert lines[-1]["rendition"]["digest"] == made.rendition.digest
    assert lines[-1]["rendition"]["frames"] == 100


def test_as_a_program_it_tells_refusals_and_wrong_use(tmp_path: Path) -> None:
    """A refusal is an answer in both languages, not a traceback."""
    empty = tmp_path / "empty.mp4"
    empty.touch()
    said = run(empty, tmp_path / "out.ts")
    assert (said.returncode, json.loads(said.stdout)["refused"]["zh"]) == (1, "文件是空的")
    missing = run(tmp_path / os.fsdecode(b"\xff"), tmp_path / "out.ts")
    assert (missing.returncode, "failed" in json.loads(missing.stdout)) == (1, True)
    assert run(empty).returncode == 2
    assert said.stderr == missing.stderr == b""


def test_killed_it_leaves_no_clip_and_no_encoder(tmp_path: Path) -> None:
    """The agent may be stopped at any moment; what it started must not live on, nor leave something half."""
    long = clips.make("hour.mp4", video="testsrc2=s=320x240:r=25:d=60")
    out = tmp_path / "out.ts"
    child = subprocess.Popen(
        [sys.executable, "-m", "appliance.packager", str(long), str(out)], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert child.stdout is not None and child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    child.stdout.close()
    deadline = time.monotonic() + 10
    while (alive := _running_on(long)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive == []
    assert not out.exists()
    made = packaging.package(clips.clip("small"), out)
    assert [path.name for path in tmp_path.iterdir()] == ["out.ts"]
    assert made == clips.packaged("small")[0]


def test_the_commands_open_nothing_but_the_file() -> None:
    """No network, no list, no device: whatever the file says, ffmpeg may follow it nowhere."""
    clip = parse_probe(
        b'{"format": {"format_name": "mov,mp4", "duration": "3"}, "streams": ['
        b'{"index": 2, "codec_type": "video", "codec_name": "h264", "width": 4, "height": 4}]}'
    )
    for argv in (probe_argv("-x.mp4"), encode_argv("-x.mp4", clip)):
        assert argv[argv.index("-protocol_whitelist") + 1] == "file,pipe"
        formats = argv[argv.index("-format_whitelist") + 1].split(",")
        assert not {"hls", "concat", "image2", "lavfi", "tty", "dash", "sdp"} & set(formats)
        assert "file:-x.mp4" in argv and "-x.mp4" not in argv


def run(*arguments: Path) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-m", "appliance.packager", *map(str, arguments)]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, timeout=120, check=False)


def _running_on(source: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes()
        except OSError:
            continue
        if line.startswith(b"ffmpeg") and os.fsencode(source) in line:
            found.append(line.decode())
    return found


def _picture(folder: Path, name: str) -> bytes:
    argv = ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=320x240", "-frames:v", "1"]
    subprocess.run([*argv, str(folder / name)], check=True, timeout=60)
    return (folder / name).read_bytes()


def _subtitles(folder: Path) -> bytes:
    (folder / "lines.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\n你好\n")
    argv = ["ffmpeg", "-nostdin", "-v", "error", "-i", str(folder / "lines.srt"), str(folder / "lines.mkv")]
    subprocess.run(argv, check=True, timeout=60)
    return (folder / "lines.mkv").read_bytes()
