"""One contract for the two live sources that tests follow: the simulated one, and ffmpeg's own HLS behind a web server.

What they have in common is what an importer stands on: a list that slides, segments that are there when it names them,
and a moment for each. ffmpeg's is written four times as fast as it would be shown.
"""

import functools
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from appliance.core.errors import WorldError
from appliance.core.source_list import Followed, Listed, MediaList, form_of, news, parse
from appliance.fetching import Source
from tests.simulators import source as simulated

SHOWN = 6
FASTER = 4
WAIT_S = 60.0


@dataclass
class Shown:
    """Where the list is; `url` is None for nobody."""

    url: str


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def _real(folder: Path) -> Iterator[Shown]:
    argv = [
        *(
            "ffmpeg",
            "-nostdin",
            "-v",
            "error",
            "-readrate",
            str(FASTER),
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=320x180:r=25",
        ),
        *("-f", "lavfi", "-i", "sine=r=48000", "-t", str(2 * SHOWN + 2), "-c:v", "libx264", "-preset", "ultrafast"),
        *("-g", "50", "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "hls", "-hls_time", "2"),
        *("-hls_list_size", str(simulated.LISTED), "-hls_flags", "delete_segments+program_date_time+omit_endlist"),
        str(folder / "live.m3u8"),
    ]
    writing = subprocess.Popen(argv)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield Shown(f"http://127.0.0.1:{server.server_address[1]}/live.m3u8")
    finally:
        writing.kill()
        writing.wait()
        server.shutdown()
        server.server_close()


@contextmanager
def _simulated(_folder: Path) -> Iterator[Shown]:
    with simulated.source() as made:

        def show() -> None:
            for number, part in enumerate(simulated.segments()[:SHOWN]):
                made.show(part, moment=f"2026-11-24T19:00:{2 * number:02d}.000+08:00")
                time.sleep(2 / FASTER)

        threading.Thread(target=show, daemon=True).start()
        yield Shown(made.url)


@pytest.mark.parametrize("source", [_simulated, _real], ids=["simulated", "ffmpeg"])
def test_each_segment_comes_once_in_order_with_its_moment_and_its_bytes(source: object, tmp_path: Path) -> None:
    """Numbers go up by one, moments by two seconds; what is named can be had, and begins with its parameters."""
    with source(tmp_path) as shown:  # type: ignore[operator]
        reading, followed, found, forms = Source(), Followed(), list[Listed](), set[bytes]()
        until_s = time.monotonic() + WAIT_S
        while len(found) < SHOWN - 1:
            assert time.monotonic() < until_s, found
            time.sleep(0.1)
            try:
                data, url = reading.get(shown.url, 100_000, 5)
            except WorldError:
                # Its first segment is not ready: there is no list yet.
                continue
            listed = parse(data, url)
            assert isinstance(listed, MediaList)
            assert len(listed.segments) <= simulated.LISTED + 1
            assert listed.target_s == 2
            for segment in news(listed, followed):
                followed = followed.with_(segment)
                found.append(segment)
                forms.add(form_of(reading.get(segment.url, 10_000_000, 5)[0]))
    assert [segment.number - found[0].number for segment in found] == list(range(len(found)))
    moments = [segment.shown_us for segment in found]
    assert [(each or 0) - (moments[0] or 0) for each in moments] == [2_000_000 * n for n in range(len(found))]
    assert all(segment.duration_s == 2 and not segment.breaks for segment in found)
    assert len(forms) == 1 and b"" not in forms
