"""Lists of files: M3U8 for players and XSPF 1. Each file with where it is entered and left."""

from typing import Final
from urllib.parse import quote
from xml.etree import ElementTree

from appliance.core.exports.day import Day, Line
from appliance.core.moment import to_text
from appliance.core.rundown import SLATE, us_of
from appliance.core.ts import FRAMES_PER_S

XSPF: Final = "http://xspf.org/ns/0/"
DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
OURS: Final = "urn:songshan:playout:1"
"""Names our extension of a track: where it is entered and left, which XSPF itself has no words for."""


def m3u8(day: Day) -> str:
    """A list of files in UTF-8. VLC heeds the in and out points; others play the files whole."""
    head = ["#EXTM3U", f"#PLAYLIST:{_line(day.name)} {day.date}"]
    for line in day.lines:
        head.append(f"#EXTINF:{line.frames / FRAMES_PER_S:.3f},{_line(line.played.title)}")
        head.append(f"#EXTVLCOPT:start-time={line.in_frame / FRAMES_PER_S:.2f}")
        head.append(f"#EXTVLCOPT:stop-time={line.out_frame / FRAMES_PER_S:.2f}")
        head.append(line.path)
    return "\n".join(head) + "\n"


def xspf(day: Day) -> bytes:
    """XSPF 1: a track an item, its length in milliseconds, its points in our extension."""
    ElementTree.register_namespace("", XSPF)
    root = ElementTree.Element(_x("playlist"), {"version": "1"})
    _text(root, "title", f"{day.name} {day.date}")
    _text(root, "date", to_text(us_of(day.begin_tick)))
    tracks = ElementTree.SubElement(root, _x("trackList"))
    for line in day.lines:
        _track(tracks, line)
    ElementTree.indent(root)
    return DECLARATION + ElementTree.tostring(root, encoding="unicode").encode() + b"\n"


def _track(tracks: ElementTree.Element, line: Line) -> None:
    track = ElementTree.SubElement(tracks, _x("track"))
    _text(track, "location", f"file://{quote(line.path)}")
    if line.played.rendition != SLATE:
        _text(track, "identifier", f"urn:{line.played.rendition}")
    if line.played.title:
        _text(track, "title", _xml(line.played.title))
    _text(track, "duration", str(line.frames * 1000 // FRAMES_PER_S))
    extension = ElementTree.SubElement(track, _x("extension"), {"application": OURS})
    points = {
        "start": to_text(us_of(line.start_tick)),
        "in_frame": str(line.in_frame),
        "out_frame": str(line.out_frame),
    }
    ElementTree.SubElement(extension, f"{{{OURS}}}item", points)


def _text(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, _x(name)).text = text


def _x(name: str) -> str:
    return f"{{{XSPF}}}{name}"


def _xml(text: str) -> str:
    """What XML 1.0 can say of a text."""
    return "".join(
        each for each in text if each >= " " and not "\ud800" <= each <= "\udfff" and each not in "\ufffe\uffff"
    )


def _line(text: str) -> str:
    return " ".join(text.split())
