"""MLT XML, for melt and the editors that stand on it. Points are whole frames, and the out point is the last one shown.

MLT makes black of what is left blank, so nothing is: fillers and the slate are entries like all others. What is shown
again and again, as the slate is, is one entry that is repeated: melt reads a list in the square of its length.
"""

from itertools import groupby
from typing import Final
from xml.etree import ElementTree

from appliance.core.exports.day import Day, Line
from appliance.core.ts import FRAMES_PER_S

DECLARATION: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
PROFILE: Final = {
    "description": "Songshan house format 720p25",
    "width": "1280",
    "height": "720",
    "progressive": "1",
    "frame_rate_num": str(FRAMES_PER_S),
    "frame_rate_den": "1",
    "sample_aspect_num": "1",
    "sample_aspect_den": "1",
    "display_aspect_num": "16",
    "display_aspect_den": "9",
    "colorspace": "709",
}


def mlt(day: Day) -> bytes:
    """A producer for each file, and one playlist of the day."""
    root = ElementTree.Element("mlt", {"LC_NUMERIC": "C", "version": "7.0.0", "producer": "main"})
    ElementTree.SubElement(root, "profile", PROFILE)
    producers: dict[str, str] = {}
    for line in day.lines:
        if line.path not in producers:
            producers[line.path] = f"file{len(producers)}"
            frames = max(line.out_frame, day.files_frames.get(line.path, 0))
            producer = ElementTree.SubElement(
                root, "producer", {"id": producers[line.path], "in": "0", "out": str(frames - 1)}
            )
            for name, value in (("resource", line.path), ("mlt_service", "avformat"), ("length", str(frames))):
                ElementTree.SubElement(producer, "property", {"name": name}).text = value
    playlist = ElementTree.SubElement(root, "playlist", {"id": "main"})
    ElementTree.SubElement(playlist, "property", {"name": "songshan:day"}).text = f"{day.channel} {day.date}"
    for (path, in_frame, out_frame), alike in groupby(day.lines, _points):
        points = {"producer": producers[path], "in": str(in_frame), "out": str(out_frame - 1)}
        times = sum(1 for _line in alike)
        ElementTree.SubElement(playlist, "entry", {**points, **({"repeat": str(times)} if times > 1 else {})})
    ElementTree.indent(root)
    return DECLARATION + ElementTree.tostring(root, encoding="unicode").encode() + b"\n"


def _points(line: Line) -> tuple[str, int, int]:
    return line.path, line.in_frame, line.out_frame
