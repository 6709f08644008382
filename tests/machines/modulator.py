"""What a modulator would get of a box: listens at the other end of its card `air`, outside of the machine.

    with Modulator(wires().modulator) as modulator:
        modulator.on_air_since(moment)       when pictures first came after that, None: not yet
        modulator.heard()                    counters, clock and timestamps since the last reset (core/probe.py)

Moments are of time.monotonic(): the machine's own clock may be anything. They are the kernel's, of the arrival: when
this process gets a processor says nothing of the box. QEMU sends each Ethernet frame of the cable as one datagram; IPv4
and UDP are unpacked here, and all that is a transport stream is heard.
"""

import socket
import threading
import time
from collections import deque
from types import TracebackType
from typing import Final

from appliance.core.cbr import RATE_DEFAULT
from appliance.core.probe import Heard, Listening
from appliance.playout.watch import ask_the_kernel, receive

SILENCE_S: Final = 0.5
"""No picture begins for so long: off the air."""
STEADY_S: Final = 2.0
"""On the air is who has sent pictures for so long without a break."""
WAITING_BYTES_MAX: Final = 32 * 1024 * 1024
"""For seconds in which this process does not get a processor: what is lost then is not the box's loss."""
_SO_RCVBUFFORCE: Final = 33
"""SO_RCVBUF for root, beyond what the machine gives to everybody; socket has no name for it."""
_BREAKS_MAX: Final = 10_000
_ETHERNET_BYTES: Final = 14
_UDP_BYTES: Final = 8


def transport_stream(frame: bytes) -> bytes | None:
    """The datagram within an Ethernet frame, where it is UDP and begins like a transport stream; else None."""
    if len(frame) < _ETHERNET_BYTES + 20 or frame[12:14] != b"\x08\x00" or frame[14] >> 4 != 4 or frame[23] != 17:
        return None
    begin = _ETHERNET_BYTES + (frame[14] & 0x0F) * 4
    length = int.from_bytes(frame[begin + 4 : begin + 6], "big")
    data = frame[begin + _UDP_BYTES : begin + length]
    return data if data[:1] == b"\x47" else None


class Pictures:
    """When pictures came: from which moment on without a break. Fed with the number that was seen so far."""

    def __init__(self) -> None:
        self.since: float | None = None
        """The first picture of the present run."""
        self.last: float | None = None
        self.breaks: deque[tuple[float, float]] = deque(maxlen=_BREAKS_MAX)
        """From the last picture before each break to the first one after it."""
        self._count = 0

    def seen(self, count: int, now: float) -> None:
        if count == self._count:
            return
        self._count = count
        if self.last is not None and now - self.last > SILENCE_S:
            self.breaks.append((self.last, now))
            self.since = now
        self.since = self.since if self.since is not None else now
        self.last = now

    def lost_s(self, since: float, until: float) -> float:
        """Seconds without pictures in a span, as far as they were breaks; the one that lasts included."""
        spans = [*self.breaks]
        if self.last is None or until - self.last > SILENCE_S:
            spans.append((self.last if self.last is not None else since, until))
        return sum(max(0.0, min(end, until) - max(begin, since)) for begin, end in spans)


class Modulator:
    """Listens in the background while it is entered."""

    def __init__(self, port: int) -> None:
        self._line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._line.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, WAITING_BYTES_MAX)
        self._line.bind(("127.0.0.1", port))
        self._line.settimeout(0.2)
        ask_the_kernel(self._line)
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self.pictures = Pictures()
        self._listening = Listening(RATE_DEFAULT)
        self._errors: deque[float] = deque(maxlen=_BREAKS_MAX)
        self._missed = 0

    def __enter__(self) -> "Modulator":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(5)
        self._line.close()

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                frame, at_us, missed = receive(self._line)
            except TimeoutError:
                continue
            self._missed = missed
            data = transport_stream(frame)
            if data is None:
                continue
            came = at_us / 1e6 - time.time() + time.monotonic()
            with self._lock:
                errors = self._listening.heard.continuity_errors
                self._listening.hear(data, round(came * 1e6))
                self.pictures.seen(self._listening.heard.pictures, came)
                if self._listening.heard.continuity_errors > errors:
                    self._errors.append(came)

    def reset(self) -> None:
        """What is heard is counted from now on: before a machine is switched on, whose stream begins anew."""
        with self._lock:
            self._listening = Listening(RATE_DEFAULT)
            self.pictures = Pictures()
            self._errors.clear()

    def heard(self) -> Heard:
        with self._lock:
            return self._listening.heard

    def on_air_since(self, moment: float) -> float | None:
        """When the run of pictures began that is on now and has lasted, if that was after `moment`; else None."""
        with self._lock:
            seen, now = self.pictures, time.monotonic()
            if seen.since is None or seen.last is None or now - seen.last > SILENCE_S or seen.since < moment:
                return None
            return seen.since if seen.last - seen.since >= STEADY_S else None

    def lost_s(self, since: float) -> float:
        """Seconds without pictures since then."""
        assert self._missed == 0, "more came than this machine can hold back: nothing can be said of the box"
        with self._lock:
            return self.pictures.lost_s(since, time.monotonic())

    def breaks(self, since: float) -> list[tuple[float, float]]:
        """Those that have ended since then: the last picture before and the first one after."""
        with self._lock:
            return [(begin, end) for begin, end in self.pictures.breaks if end > since]

    def errors(self, since: float) -> list[float]:
        """When packets were missing in what came since then: a moment for each datagram that told so."""
        with self._lock:
            return [moment for moment in self._errors if moment >= since]
