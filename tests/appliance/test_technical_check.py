"""The technical check on real clips: loudness brought to the target, what is black or silent found, red never made."""

import math
import os
import re
import subprocess
from pathlib import Path

import pytest

from appliance import packaging
from appliance.core.findings import Check, Finding, NotAirable
from appliance.core.loudness import CEILING_DBTP
from tests.appliance import clips

PICTURE = "smptebars=s=320x180:r=25:d=3"
"""What is asked of most clips here is asked of their sound: a picture that costs the encoder least."""


def made(name: str, audio: str, video: str | None = PICTURE) -> Path:
    return clips.make(name, video=video, audio=audio, options=("-c:a", "pcm_s16le"))


def heard(path: Path) -> tuple[float, float]:
    """Loudness and true peak, by ffmpeg's meter, of what a receiver decodes."""
    argv = ["ffmpeg", "-nostdin", "-i", str(path), "-vn", "-af", "ebur128=peak=true", "-f", "null", "-"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stderr
    summary = said.rpartition("Summary:")[2]
    lufs, peak = re.search(r"I:\s+(\S+) LUFS", summary), re.search(r"Peak:\s+(\S+) dBFS", summary)
    assert lufs is not None and peak is not None
    return float(lufs[1]), float(peak[1])


def codes(check: Check) -> dict[str, Finding]:
    return {finding.code: finding for finding in check.findings}


@pytest.mark.parametrize("volume", [7.5, 0.2], ids=["loud", "soft"])
def test_loud_and_soft_clips_air_equally_loud(volume: float, tmp_path: Path) -> None:
    """Nobody should reach for the remote control when the advertisement begins."""
    source = made(f"tone{volume}.mkv", f"sine=f=997:d=3,volume={volume}")
    out = tmp_path / "out.ts"
    check = packaging.package(source, out, target_lufs=-24.0).check
    assert abs(heard(out)[0] - -24.0) <= 0.5
    assert check.lufs is not None and abs(check.lufs - -24.0) <= 0.2
    assert check.source_lufs is not None and abs(check.source_lufs + check.gain_db - check.lufs) <= 0.2
    assert codes(check)["loudness"].severity == "amber"


def test_peaks_are_held_where_the_gain_would_lift_them_too_high(tmp_path: Path) -> None:
    """A shot in a quiet scene: raised with the scene it would clip in every television set."""
    source = made("shot.mkv", "sine=f=300:d=3,volume=0.4,volume='if(between(t,1,1.05),15,1)':eval=frame")
    out = tmp_path / "out.ts"
    check = packaging.package(source, out, target_lufs=-12.0).check
    assert "limited" in codes(check)
    assert check.dbtp is not None and check.dbtp <= CEILING_DBTP + 0.2
    assert heard(out)[1] <= 0


def test_a_silent_sound_is_left_alone(tmp_path: Path) -> None:
    """Forty decibels of gain would make its hiss the programme."""
    source = made("hush.mkv", "anoisesrc=a=0.0001:d=3")
    check = packaging.package(source, tmp_path / "out.ts").check
    assert check.gain_db == 0
    assert codes(check)["silent_throughout"].severity == "amber"


def test_the_same_source_gives_the_same_bytes_and_another_target_others(tmp_path: Path) -> None:
    """A rendition is named by its digest; the recipe says why there are two."""
    source = made("once.mkv", "sine=f=500:d=3,volume=2,volume='0.1+0.9*mod(t,1)':eval=frame")
    first, again = (packaging.package(source, tmp_path / name) for name in ("first.ts", "again.ts"))
    assert first == again
    other = packaging.package(source, tmp_path / "other.ts", target_lufs=-20.0)
    assert other.rendition.digest != first.rendition.digest
    assert other.check.made_by != first.check.made_by


def test_a_radio_programme_is_levelled_too(tmp_path: Path) -> None:
    """It has no picture, and is as loud as all else."""
    source = made("radio.wav", "sine=f=600:d=3,volume=0.2", None)
    out = tmp_path / "out.ts"
    packaging.package(source, out)
    assert abs(heard(out)[0] - -24.0) <= 0.5


def test_black_standing_and_silent_times_are_found(tmp_path: Path) -> None:
    """With the moment, so that an editor can look at it."""
    source = made(
        "faults.mkv",
        "sine=f=500:d=9,volume='if(between(t,2,8),0,0.3)':eval=frame",
        "testsrc2=s=160x90:r=25:d=9,drawbox=t=fill:color=black:enable='between(t,3,6)'",
    )
    found = codes(packaging.package(source, tmp_path / "out.ts").check)
    black, silence = found["black_middle"], found["silence_middle"]
    assert black.from_s is not None and black.to_s is not None and silence.from_s is not None
    assert math.isclose(black.from_s, 3, abs_tol=0.1) and math.isclose(black.to_s, 6, abs_tol=0.1)
    assert math.isclose(silence.from_s, 2, abs_tol=0.1) and math.isclose(silence.figure or 0, 6, abs_tol=0.2)


def test_a_black_clip_is_red_and_no_file_comes_of_it(tmp_path: Path) -> None:
    """Red never airs: there is nothing that could."""
    source = made("black.mkv", "sine=d=3", "color=black:s=320x180:r=25:d=3")
    with pytest.raises(NotAirable) as refused:
        packaging.package(source, tmp_path / "out.ts")
    worst = refused.value.findings[0]
    assert (worst.code, worst.severity) == ("black_throughout", "red")
    assert list(tmp_path.iterdir()) == []


def test_what_is_in_house_format_already_is_linked_and_not_coded(tmp_path: Path) -> None:
    """What the hub made and a county sends back must not be coded a second time: it would only get worse."""
    source = tmp_path / "came.ts"
    first = packaging.package(made("once.mkv", "sine=f=500:d=3,volume=2"), source)
    out = tmp_path / "out.ts"
    taken = packaging.package(source, out)
    assert (taken.is_source, taken.rendition, taken.segments) == (True, first.rendition, first.segments)
    assert out.stat().st_ino == source.stat().st_ino
    assert codes(taken.check)["as_it_is"].severity == "info"
    assert not packaging.package(source, tmp_path / "louder.ts", target_lufs=-20.0).is_source
    data = bytearray(source.read_bytes())
    data[3 + 188 * 5] ^= 1
    source.unlink()
    source.write_bytes(data)
    assert not packaging.package(source, tmp_path / "coded.ts").is_source
    assert os.stat(out).st_size == first.rendition.size_bytes
