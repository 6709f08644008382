"""A live source: an HLS list that slides, over HTTP on the loopback address, with the faults that sources have.

Its segments are what ffmpeg writes. Unlike a real one it shows the next segment when it is told to, so that a test does
not take as long as what is shown; that real lists are read alike is held by tests/contract/test_source.py.
"""

import base64
import functools
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.appliance.clips import folder

LISTED = 4
DRIP_S = 0.05


@functools.cache
def segments(size: str = "320x180", count: int = 8, picture: str = "testsrc2", rate: int = 25) -> tuple[bytes, ...]:
    """So many segments of two seconds, with pictures that wait for each other, as ffmpeg writes them."""
    into = folder() / f"source-{size}-{count}-{picture}-{rate}"
    into.mkdir()
    inputs = (f"{picture}=s={size}:r={rate}:d={2 * count}", f"sine=f=440:r=44100:d={2 * count}")
    subprocess.run(
        [
            *("ffmpeg", "-nostdin", "-v", "error", *(part for one in inputs for part in ("-f", "lavfi", "-i", one))),
            *("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", f"{2 * rate}", "-sc_threshold", "0"),
            *("-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "hls", "-hls_time", "2", "-hls_list_size", "0"),
            *("-hls_segment_filename", str(into / "%03d.ts"), str(into / "all.m3u8")),
        ],
        check=True,
        timeout=120,
    )
    return tuple(path.read_bytes() for path in sorted(into.glob("*.ts")))[:count]


@functools.cache
def sounds(count: int = 4) -> tuple[bytes, ...]:
    """So many segments of two seconds of a radio station: sound alone."""
    into = folder() / f"sounds-{count}"
    into.mkdir()
    subprocess.run(
        [
            *("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", f"sine=f=440:r=44100:d={2 * count}"),
            *("-c:a", "aac", "-f", "hls", "-hls_time", "2", "-hls_list_size", "0"),
            *("-hls_segment_filename", str(into / "%03d.ts"), str(into / "all.m3u8")),
        ],
        check=True,
        timeout=60,
    )
    return tuple(path.read_bytes() for path in sorted(into.glob("*.ts")))[:count]


@dataclass
class SimulatedSource:
    """What it serves is a dict of paths; `fault` says what becomes of requests whose path ends so. With a `secret` it
    answers only who gives it: as a password everywhere, and behind each address as a query."""

    port: int
    shown: list[tuple[str, bytes]] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)
    """What left the list is still there: servers keep it for those who are late."""
    breaks: set[str] = field(default_factory=set)
    dated_us: dict[str, str] = field(default_factory=dict)
    first: int = 0
    run: int = 0
    fault: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    secret: str = ""

    @property
    def url(self) -> str:
        login = f"box:{self.secret}@" if self.secret else ""
        return f"http://{login}127.0.0.1:{self.port}/live.m3u8{self._query}"

    @property
    def _query(self) -> str:
        return f"?t={self.secret}" if self.secret else ""

    def show(self, *parts: bytes, breaks: bool = False, moment: str | None = None) -> None:
        """The next segments; with `breaks` the list says that the first of them does not go on from what was."""
        for number, part in enumerate(parts):
            name = f"{self.run}-{self.first + len(self.shown)}.ts"
            if breaks and not number:
                self.breaks.add(name)
            if moment is not None and not number:
                self.dated_us[name] = moment
            self.shown = [*self.shown, (name, part)]
        gone = max(0, len(self.shown) - LISTED)
        self.kept.update(self.shown)
        self.first, self.shown = self.first + gone, self.shown[gone:]

    def restart(self) -> None:
        """Its encoder begins anew: other names, and numbers from 0."""
        self.run, self.first, self.shown = self.run + 1, 0, []

    def listing(self) -> bytes:
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:2", f"#EXT-X-MEDIA-SEQUENCE:{self.first}"]
        for name, _part in list(self.shown):
            lines += ["#EXT-X-DISCONTINUITY"] if name in self.breaks else []
            lines += [f"#EXT-X-PROGRAM-DATE-TIME:{self.dated_us[name]}"] if name in self.dated_us else []
            lines += ["#EXTINF:2.000,", f"{name}{self._query}"]
        return "\n".join(lines).encode()

    def lets_in(self, path: str, login: str | None) -> bool:
        named = f"Basic {base64.b64encode(f'box:{self.secret}'.encode()).decode()}"
        return not self.secret or (path.endswith(self._query) and login == named)

    def body(self, path: str) -> bytes | None:
        path = path.partition("?")[0]
        if path == "/live.m3u8":
            return self.listing()
        return self.kept.get(path[1:])


@contextmanager
def source() -> Iterator[SimulatedSource]:
    """One that serves until the end of the block."""
    made = SimulatedSource(0)

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            made.requests += 1
            path = self.path.partition("?")[0]
            fault = next((what for ending, what in made.fault.items() if path.endswith(ending)), "")
            if not made.lets_in(self.path, self.headers["Authorization"]):
                fault = "401"
            body = made.body(self.path)
            with suppress(OSError):
                _answer(self, fault, body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    made.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def _answer(request: BaseHTTPRequestHandler, fault: str, body: bytes | None) -> None:
    """`404` and the like · `stall`: nothing · `drip`: a byte now and then · `slow head`: so are the headers ·
    `cut`: half · `endless` · any other word: a redirect to it."""
    if fault == "stall":
        time.sleep(30)
    elif fault == "slow head":
        _drip(request, b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(90)))
    elif fault.isdigit() or (body is None and not fault):
        request.send_response(int(fault or 404))
        request.send_header("Content-Length", "0")
        request.end_headers()
    elif fault in ("", "drip", "cut", "endless"):
        request.send_response(200)
        request.send_header("Content-Length", str(len(body or b"") if fault != "endless" else 2**40))
        request.end_headers()
        if fault == "drip":
            _drip(request, body or b"")
        elif fault == "cut":
            request.wfile.write((body or b"")[: len(body or b"") // 2])
            request.close_connection = True
            request.connection.shutdown(socket.SHUT_RDWR)
        elif fault == "endless":
            while True:
                request.wfile.write(bytes(65536))
        else:
            request.wfile.write(body or b"")
    else:
        request.send_response(302)
        request.send_header("Location", fault)
        request.send_header("Content-Length", "0")
        request.end_headers()


def _drip(request: BaseHTTPRequestHandler, data: bytes) -> None:
    for at in range(len(data)):
        request.wfile.write(data[at : at + 1])
        request.wfile.flush()
        time.sleep(DRIP_S)


def shown_all(made: SimulatedSource, parts: Sequence[bytes], pause_s: float) -> None:
    """One after the other, faster than they would be shown."""
    for part in parts:
        made.show(part)
        time.sleep(pause_s)
