"""What ffmpeg says while it works, read line by line: its detectors' findings, its meter's sum, its complaints.

Lines are asked for with their level (`-v repeat+level+info`). What a file's own tags say is printed indented, so none
of it is taken for a line of a filter; a summary is read only below the line of the meter that announces it.
"""

import re
from collections import deque
from typing import Final

import msgspec

from appliance.core.findings import Span
from appliance.core.loudness import Loudness

LOG_OPTIONS: Final = ("-hide_banner", "-nostats", "-v", "repeat+level+info")
LINE_BYTES_MAX: Final = 4096
"""Of a longer line the rest is passed over."""
SPANS_MAX: Final = 1000
"""Of each kind; a clip that flickers has more, and then only its total counts less."""
COMPLAINTS_KEPT: Final = 10
"""The first of them, and as many of the last: what broke off says so at the end."""
SUMMARY_LINES_MAX: Final = 16
"""Lines of a meter's sum."""

_OF_FILTER: Final = re.compile(r"\[(?:Parsed_)?([a-z0-9]+)(?:_\d+)? @ 0x[0-9a-f]+\] \[info\] (.*)")
_COMPLAINT: Final = re.compile(r"(?:\[[^\]]* @ 0x[0-9a-f]+\] )*\[(error|fatal|panic)\] (.*)")
_NUMBER: Final = r"(-?\d+(?:\.\d+)?)"
_BLACK: Final = re.compile(rf"black_start:{_NUMBER} black_end:{_NUMBER}")
_EDGE: Final = re.compile(rf"(?:lavfi\.freezedetect\.)?(silence|freeze)_(start|end): {_NUMBER}")
_LUFS: Final = re.compile(r"\s+I:\s+(-?\d+\.\d+|-inf|nan) LUFS")
_PEAK: Final = re.compile(r"\s+Peak:\s+(-?\d+\.\d+|-inf|nan) dBFS")
UNMEASURED_LUFS: Final = -70.0
"""What the meter says of a sound in which no block is louder than its gate."""


class Detected(msgspec.Struct, frozen=True):
    """All that a run told."""

    blacks: tuple[Span, ...] = ()
    frozen: tuple[Span, ...] = ()
    silences: tuple[Span, ...] = ()
    loudness: Loudness | None = None
    errors: int = 0
    complaints: tuple[str, ...] = ()


class Log:
    """Takes standard error as it comes, in pieces; keeps what counts, and never more than its bounds."""

    def __init__(self) -> None:
        self._rest = b""
        self._spans: dict[str, list[tuple[float, float | None]]] = {"black": [], "freeze": [], "silence": []}
        self._lufs: float | None = None
        self._peak: float | None = None
        self._has_sum = False
        self._summary_left = 0
        self._errors = 0
        self._first: list[str] = []
        self._last: deque[str] = deque(maxlen=COMPLAINTS_KEPT)

    def take(self, data: bytes) -> None:
        """The next bytes of it."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line[:LINE_BYTES_MAX].decode(errors="replace"))
        self._rest = self._rest[:LINE_BYTES_MAX]

    def detected(self, length_s: float) -> Detected:
        """What it came to. A time that was still open ends with the clip."""
        if self._rest:
            self.take(b"\n")
        spans = {
            kind: tuple(Span(max(0.0, begin), length_s if end is None else end) for begin, end in found)
            for kind, found in self._spans.items()
        }
        loudness = Loudness(self._lufs, self._peak) if self._has_sum else None
        complaints = (*self._first, *self._last)
        return Detected(spans["black"], spans["freeze"], spans["silence"], loudness, self._errors, complaints)

    def _line(self, line: str) -> None:
        if self._summary_left:
            self._summary_left -= 1
            if not line.startswith("["):
                self._summary(line)
                return
            self._summary_left = 0
        complaint = _COMPLAINT.match(line)
        if complaint is not None:
            self._errors += 1
            kept = self._first if len(self._first) < COMPLAINTS_KEPT else self._last
            kept.append(complaint[2][:300])
            return
        told = _OF_FILTER.match(line)
        if told is not None:
            self._told(told[1], told[2])

    def _told(self, name: str, what: str) -> None:
        if name == "ebur128" and what.startswith("Summary:"):
            self._summary_left, self._has_sum = SUMMARY_LINES_MAX, True
        elif name == "blackdetect" and (black := _BLACK.match(what)) is not None:
            self._open("black", float(black[1]), float(black[2]))
        elif name in ("silencedetect", "freezedetect") and (edge := _EDGE.match(what)) is not None:
            spans = self._spans[edge[1]]
            if edge[2] == "start":
                self._open(edge[1], float(edge[3]), None)
            elif spans and spans[-1][1] is None:
                spans[-1] = (spans[-1][0], float(edge[3]))

    def _open(self, kind: str, begin: float, end: float | None) -> None:
        if len(self._spans[kind]) < SPANS_MAX:
            self._spans[kind].append((begin, end))

    def _summary(self, line: str) -> None:
        lufs, peak = _LUFS.match(line), _PEAK.match(line)
        if lufs is not None:
            measured = _measured(lufs[1])
            self._lufs = measured if measured is not None and measured > UNMEASURED_LUFS else None
        if peak is not None:
            self._peak = _measured(peak[1])


def _measured(text: str) -> float | None:
    return None if text in ("-inf", "nan") else float(text)


def progress_us(line: bytes) -> int | None:
    """How far ffmpeg is, from a line of its `-progress`; None where it says something else."""
    name, _, value = line.strip().partition(b"=")
    if name != b"out_time_us":
        return None
    try:
        return int(value)
    except ValueError:
        return None
