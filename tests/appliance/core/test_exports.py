"""A day as other engines read it: exact to the frame, nothing left out, closed to midnight, by each engine's rules."""

import csv
import json
import re
from io import StringIO
from itertools import pairwise
from xml.etree import ElementTree

import msgspec
import pytest

from appliance.core.exports.day import Day, Played, key_of, lines, played, shares
from appliance.core.exports.formats import FORMATS, written
from appliance.core.insertion import Break
from appliance.core.rundown import SLATE, tick_of
from tests.appliance.core.air_box import DAY, LENGTHS, SECOND, ZONE, Box, clock, digest, entry, rendition

BEGIN, END = tick_of(clock("00:00:00")), tick_of(clock("00:00:00") + DAY)
DAY_FRAMES = 86_400 * 25
X = "{http://xspf.org/ns/0/}"
FORMS = sorted(FORMATS)


@pytest.fixture(scope="module")
def day() -> Day:
    """Programmes, an advertisement, a missing film, a break-in, gaps, and ends that fall between whole seconds."""
    box = Box(clock("00:00:00"), missing={digest(3)}, hours=24)
    box.write(
        entry(1, 8, "00:00:10.040", title='晨曲 "一" & <二>'),
        entry(2, 3, "06:00:00"),
        entry(3, 5, title="广告", kind="ad"),
        entry(4, 6, in_s=0.0, out_s=0.4),
        entry(5, 8, "12:00:00.520", in_s=10.0, out_s=100.28),
        entry(6, None, "20:00:00", kind="filler", duration_s=33.48),
    )
    box.breaks = [Break(id="i1", source=digest(4), at_tick=tick_of(clock("12:00:30")))]
    box.compile(box.born_us)
    box.compile(box.born_us + SECOND)
    return made(played(box.stretches(clock("00:00:00") + DAY), (), BEGIN, END))


def made(found: list[Played]) -> Day:
    paths = {key_of(each): f"/srv/库/{each.entry_id or each.rendition[-4:]}-{each.kind}.ts" for each in found}
    frames = {rendition(number): length for number, length in enumerate(LENGTHS, 1)} | {SLATE: 50}
    files = {paths[key_of(each)]: frames[each.rendition] for each in found}
    items = tuple(lines(found, paths))
    return Day(
        channel="ch-1",
        name="登封综合",
        date="2026-11-24",
        zone=ZONE,
        begin_tick=BEGIN,
        end_tick=END,
        lines=items,
        files_frames=files,
    )


def text(day: Day, form: str) -> str:
    return written(day, FORMATS[form]).decode()


def test_the_items_fill_the_day_without_a_hole(day: Day) -> None:
    """What plays until midnight is told until midnight, from the first frame on."""
    assert day.lines[0].start_tick == BEGIN
    for before, after in pairwise(day.lines):
        assert before.start_tick + before.frames * 3600 == after.start_tick
    assert sum(each.frames for each in day.lines) == DAY_FRAMES
    assert all(0 <= each.in_frame < each.out_frame <= day.files_frames[each.path] for each in day.lines)
    assert {"programme", "ad", "filler", "slate", "emergency"} <= {each.played.kind for each in day.lines}


def test_a_day_that_nobody_has_planned_is_all_slate() -> None:
    """An export is never empty, or the engine goes dark."""
    nothing = made(played((), (), BEGIN, END))
    assert sum(each.frames for each in nothing.lines) == DAY_FRAMES
    assert {each.played.rendition for each in nothing.lines} == {SLATE}


@pytest.mark.parametrize("frames", [1, 24, 25, 49, 50, 51, 60, 99, 101, 1000])
def test_the_slate_is_shared_out_evenly(frames: int) -> None:
    """A rest of ten frames behind a whole slate would be skipped by some; so neither is whole."""
    found = shares(frames)
    assert sum(found) == frames
    assert max(found) <= 50
    assert min(found) >= min(frames, 25)


def test_ffplayout_by_the_rules_of_its_day_file(day: Day) -> None:
    """Begins are the sum of what is before: closed to 24:00:00, nothing under a second, seconds as numbers."""
    document = json.loads(text(day, "ffplayout.json"))
    assert (document["channel"], document["date"]) == ("登封综合", "2026-11-24")
    assert set(document) == {"channel", "date", "program"}
    wanted = {"in": float, "out": float, "duration": float, "source": str, "title": str, "category": str}
    for each in document["program"]:
        assert {name: type(value) for name, value in each.items()} == wanted
        assert each["source"].startswith("/") and 0 <= each["in"] < each["out"]
    frames = [round(each["out"] * 25) - round(each["in"] * 25) for each in document["program"]]
    assert sum(frames) == DAY_FRAMES
    assert min(frames) >= 25
    assert all(each["out"] <= each["duration"] for each in document["program"])
    assert {each["category"] for each in document["program"]} == {"", "advertisement"}
    hard = next(each for each in day.lines if each.played.entry_id == "e5")
    number = next(at for at, each in enumerate(document["program"]) if each["source"] == hard.path)
    assert sum(frames[:number]) == (hard.start_tick - BEGIN) // 3600


def test_mlt_by_its_rules(day: Day) -> None:
    """Frames, out points inclusive, every producer there, nothing blank: a blank would be black."""
    root = ElementTree.fromstring(text(day, "mlt"))
    assert root.tag == "mlt" and root.get("LC_NUMERIC") == "C"
    producers = {each.get("id"): each for each in root.findall("producer")}
    for each in producers.values():
        properties = {one.get("name"): one.text for one in each}
        assert int(each.get("out") or 0) == int(properties["length"] or 0) - 1
    playlist = root.find("playlist")
    assert playlist is not None and not playlist.findall("blank")
    entries = playlist.findall("entry")
    assert {each.get("producer") for each in entries} == producers.keys()
    assert sum(frames_of(each) for each in entries) == DAY_FRAMES
    assert any(each.get("repeat") for each in entries), "the slate"


def frames_of(entry: ElementTree.Element) -> int:
    """Both points are shown, as often as it says."""
    return (int(entry.get("out") or 0) - int(entry.get("in") or 0) + 1) * int(entry.get("repeat") or 1)


def test_xspf_by_its_rules(day: Day) -> None:
    """Version 1, one track list, each location a URI, whole milliseconds, only known elements in their order."""
    root = ElementTree.fromstring(text(day, "xspf"))
    assert (root.tag, root.get("version")) == (f"{X}playlist", "1")
    order = ["location", "identifier", "title", "duration", "extension"]
    tracks = root.findall(f"{X}trackList/{X}track")
    for track in tracks:
        names = [each.tag.removeprefix(X) for each in track]
        assert names == [name for name in order if name in names]
        location = track.findtext(f"{X}location") or ""
        assert re.fullmatch(r"file:///[A-Za-z0-9._~/%-]+", location)
        extension = track.find(f"{X}extension")
        assert extension is not None and extension.get("application")
    assert sum(int(each.findtext(f"{X}duration") or 0) for each in tracks) == 86_400_000
    assert '晨曲 "一" & <二>' in {track.findtext(f"{X}title") for track in tracks}


def test_the_lists_say_where_each_file_is_entered_and_left(day: Day) -> None:
    """Players that can, cut there."""
    listed = text(day, "m3u8").splitlines()
    assert listed[0] == "#EXTM3U"
    paths = [line for line in listed if not line.startswith("#")]
    assert paths == [each.path for each in day.lines]
    assert sum(float(line[8:].split(",")[0]) for line in listed if line.startswith("#EXTINF:")) == pytest.approx(86_400)
    for at, line in enumerate(listed):
        if not line.startswith("#"):
            before = [re.split("[:=]", each, maxsplit=2)[:2] for each in listed[at - 3 : at]]
            assert [each[0] for each in before] == ["#EXTINF", "#EXTVLCOPT", "#EXTVLCOPT"]
            assert [each[1] for each in before[1:]] == ["start-time", "stop-time"]


def test_caspar_is_told_in_frames(day: Day) -> None:
    """Clip names without ending, quotes escaped, one PLAY and then what waits behind it."""
    rows = [line.split("\t") for line in text(day, "caspar.txt").split("\r\n")[:-1]]
    command = re.compile(r'(PLAY|LOADBG) 1-10 "((?:[^"\\]|\\.)+)" SEEK (\d+) LENGTH (\d+)( AUTO)?')
    found = [command.fullmatch(row[1]) for row in rows]
    assert all(found) and [each[1] for each in found if each][:2] == ["PLAY", "LOADBG"]
    assert sum(int(each[4]) for each in found if each) == DAY_FRAMES
    for each, line in zip(found, day.lines, strict=True):
        assert each and int(each[3]) + int(each[4]) <= day.files_frames[line.path]
        assert (each[1], bool(each[5])) == (("LOADBG", True) if line is not day.lines[0] else ("PLAY", False))
        assert json.loads(f'"{each[2]}"') == line.path.removesuffix(".ts"), "what a client has behind its escapes"
    assert rows[0][0] == "00:00:00:00"
    assert any(row[0] == "12:00:00:13" for row in rows)


def test_tables_hold_all_items_and_no_formula(day: Day) -> None:
    """An editor opens it in a spreadsheet, which must not run a title."""
    first = msgspec.structs.replace(day.lines[0], played=msgspec.structs.replace(day.lines[0].played, title="=1+1"))
    rows = list(csv.DictReader(StringIO(text(msgspec.structs.replace(day, lines=(first, *day.lines[1:])), "csv")[1:])))
    assert len(rows) == len(day.lines)
    assert rows[0]["title"] == "'=1+1"
    assert (rows[0]["start"], rows[-1]["end"]) == ("2026-11-24 00:00:00", "2026-11-25 00:00:00")
    document = json.loads(text(day, "json"))
    assert sum(round(each["duration_s"] * 25) for each in document["items"]) == DAY_FRAMES


@pytest.mark.parametrize("form", FORMS)
def test_the_same_day_is_written_alike(day: Day, form: str) -> None:
    """An engine that watches the file must not read it anew for nothing."""
    assert written(day, FORMATS[form]) == written(day, FORMATS[form])
