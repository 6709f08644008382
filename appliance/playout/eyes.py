"""The probe's eyes: a decoder that is shown the output and gives back its keyframes, small and grey.

It decodes keyframes alone, one in two seconds. What it does not take in time is not waited for: the probe has to
listen. Where there is no ffmpeg, or it ends, the probe goes on blind, and tries again after a while.
"""

import fcntl
import os
import subprocess
from contextlib import suppress
from typing import Final

from appliance.core.pictures import HEIGHT, PICTURE_BYTES, WIDTH, Looking

ARGV: Final = (
    "setpriv", "--pdeathsig", "KILL", "--", "ffmpeg", "-nostdin", "-v", "quiet", "-threads", "1",
    "-skip_frame", "nokey", "-fflags", "+discardcorrupt", "-probesize", "1000000", "-analyzeduration", "1000000",
    "-protocol_whitelist", "pipe", "-f", "mpegts", "-i", "pipe:0", "-map", "0:v:0", "-an",
    "-vf", f"scale={WIDTH}:{HEIGHT}:flags=area,format=gray", "-fps_mode", "passthrough",
    "-flush_packets", "1", "-f", "rawvideo", "pipe:1",
)  # fmt: skip
PIPE_BYTES: Final = 1024 * 1024
BATCH_BYTES: Final = 32 * 1024
"""A write for each datagram would cost more than the decoder."""
AGAIN_US: Final = 30_000_000
BLIND_US: Final = 20_000_000
"""Without a picture for so long it is not known what it looks like."""


class Eyes:
    """One decoder, begun when there is something to see."""

    def __init__(self) -> None:
        self.looking = Looking()
        self._process: subprocess.Popen[bytes] | None = None
        self._batch = bytearray()
        self._seen = bytearray()
        self._begun_us: int | None = None
        self._pictured_us = 0

    def show(self, packets: bytes, at_us: int) -> None:
        """What came of the output."""
        self._batch += packets
        if len(self._batch) < BATCH_BYTES:
            return
        batch, self._batch = self._batch, bytearray()
        process = self._process or self._begin(at_us)
        if process is not None:
            assert process.stdin is not None
            try:
                process.stdin.write(batch)
            except BlockingIOError:
                pass
            except OSError:
                self.close()

    def look(self, at_us: int) -> None:
        """Take what it gave since; call it about once a second."""
        if self._process is not None:
            assert self._process.stdout is not None
            data = self._process.stdout.read(PIPE_BYTES)
            if data == b"":
                self.close()
            self._seen += data or b""
        while len(self._seen) >= PICTURE_BYTES:
            self.looking.look(bytes(self._seen[:PICTURE_BYTES]), at_us)
            del self._seen[:PICTURE_BYTES]
            self._pictured_us = at_us
        if at_us - self._pictured_us > BLIND_US:
            self.looking.lose()

    def close(self) -> None:
        """Leave nothing running."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()
            self._seen.clear()
            self.looking.lose()

    def _begin(self, at_us: int) -> subprocess.Popen[bytes] | None:
        if self._begun_us is not None and at_us < self._begun_us + AGAIN_US:
            return None
        self._begun_us = at_us
        try:
            process = subprocess.Popen(
                ARGV, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
            )
        except OSError:
            return None
        assert process.stdin is not None and process.stdout is not None
        with suppress(OSError):
            fcntl.fcntl(process.stdin, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        for stream in (process.stdin, process.stdout):
            os.set_blocking(stream.fileno(), False)
        self._process = process
        return process
