"""What ffmpeg says is read as it comes, cut anywhere; the lines here are its own, of version 5.1."""

import pytest

from appliance.core.ffmpeg_log import COMPLAINTS_KEPT, SPANS_MAX, Detected, Log, progress_us
from appliance.core.findings import Span
from appliance.core.loudness import Loudness

SAID = b"""\
[info] Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'a.mp4':
[info]   Metadata:
[info]     title           : [error] hi
                    : [silencedetect @ 0x1] [info] silence_start: 3
[info]   Duration: 00:00:04.00, start: 0.000000, bitrate: 455 kb/s
[silencedetect @ 0x55acae33b7c0] [info] silence_start: 0
[silencedetect @ 0x55acae33b7c0] [info] silence_end: 1.52 | silence_duration: 1.52
[freezedetect @ 0x55acae33b7c0] [info] lavfi.freezedetect.freeze_start: 1
[blackdetect @ 0x55acae33b280] [info] black_start:1 black_end:3.04 black_duration:2.04
[freezedetect @ 0x55acae33b7c0] [info] lavfi.freezedetect.freeze_duration: 2.04
[freezedetect @ 0x55acae33b7c0] [info] lavfi.freezedetect.freeze_end: 3.04
[h264 @ 0x55db74e73580] [error] error while decoding MB 17 10, bytestream -15
[error] Error while decoding stream #0:0: Invalid data found when processing input
[silencedetect @ 0x55acae33b7c0] [info] silence_start: 3.5
[Parsed_ebur128_1 @ 0x55acade57c80] [info] Summary:

  Integrated loudness:
    I:         -35.7 LUFS
    Threshold: -45.7 LUFS

  Loudness range:
    LRA:         0.0 LU
    Threshold: -55.7 LUFS
    LRA low:   -35.7 LUFS
    LRA high:  -35.7 LUFS

  True peak:
    Peak:      -31.3 dBFS
[info] video:1kB audio:2kB
"""
READ = Detected(
    blacks=(Span(1.0, 3.04),),
    frozen=(Span(1.0, 3.04),),
    silences=(Span(0.0, 1.52), Span(3.5, 4.0)),
    loudness=Loudness(-35.7, -31.3),
    errors=2,
    complaints=(
        "error while decoding MB 17 10, bytestream -15",
        "Error while decoding stream #0:0: Invalid data found when processing input",
    ),
)


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_it_is_read_however_it_is_cut(size: int) -> None:
    """A pipe gives what it has; half a line is no line. What a file's tags say counts for nothing."""
    log = Log()
    for at in range(0, len(SAID), size):
        log.take(SAID[at : at + size])
    assert log.detected(4.0) == READ


@pytest.mark.parametrize(
    ("lufs", "peak", "loudness"),
    [
        (b"-70.0", b"-inf", Loudness(None, None)),
        (b"nan", b"-80.3", Loudness(None, -80.3)),
        (b"-23.0", b"0.4", Loudness(-23.0, 0.4)),
    ],
)
def test_what_is_too_soft_to_measure_has_no_loudness(lufs: bytes, peak: bytes, loudness: Loudness) -> None:
    """-70 is what the meter says of silence: a gain of 46 dB must not come of it."""
    log = Log()
    log.take(b"[Parsed_ebur128_0 @ 0x1] [info] Summary:\n\n    I:         " + lufs + b" LUFS\n")
    log.take(b"    Peak:      " + peak + b" dBFS\n")
    assert log.detected(1.0).loudness == loudness


def test_floods_are_counted_and_not_kept() -> None:
    """A damaged hour has millions of complaints, a film in flashes thousands of black moments."""
    log = Log()
    for number in range(5000):
        log.take(b"[h264 @ 0x1] [error] number %d\n" % number)
        log.take(b"[blackdetect @ 0x1] [info] black_start:%d black_end:%d black_duration:1\n" % (number, number + 1))
    log.take(b"x" * 100_000)
    seen = log.detected(5000.0)
    assert (seen.errors, len(seen.complaints), len(seen.blacks)) == (5000, 2 * COMPLAINTS_KEPT, SPANS_MAX)
    assert (seen.complaints[0], seen.complaints[-1]) == ("number 0", "number 4999")


@pytest.mark.parametrize(
    ("line", "us"), [(b"out_time_us=1500000", 1_500_000), (b"out_time_us=N/A", None), (b"progress=end", None)]
)
def test_progress_is_read(line: bytes, us: int | None) -> None:
    """Before the first frame there is none."""
    assert progress_us(line) == us
