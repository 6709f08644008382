"""What the overview says of a healthy box and of each fault."""

import re
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from appliance.commands.overview import lines
from appliance.core.errors import Text
from appliance.core.health import Alarm
from tests.tui.looks import EACH, Before, seen
from tests.tui.readings import (
    ALL,
    CHANNEL,
    HEALTHY,
    LOOKS,
    NO_CONFIG,
    NO_DATABASE,
    NOW_US,
    OFFLINE,
    PLAIN,
    SECOND,
    STUCK,
    changed,
)
from tui.keys import KEYS
from tui.look import Look
from tui.rows import Level, Row, Tile, draw, last_skip
from tui.view import frame, overview
from tui.view.frame import Standing
from tui.view.reading import Reading

EN, ZH = LOOKS["en"], LOOKS["zh"]
EVERY_LOOK = [pytest.param(EN, id="en"), pytest.param(ZH, id="zh"), pytest.param(PLAIN, id="plain")]


def text_of(rows: tuple[Row, ...]) -> list[str]:
    return ["".join(span.text for span in row).rstrip() for row in rows]


def page(reading: Reading | None, look: Look, cells: int = 39, lines: int = 12) -> str:
    """All tiles under each other, with the bars."""
    tiles = overview.overview(reading, look).values()
    rows = [line for tile in tiles for line in text_of(draw(tile, cells, lines, look))]
    bars = text_of((frame.header(reading, Standing(), 80, look), frame.footer((), KEYS, 80, look)))
    return "\n".join([bars[0], *rows, bars[1]])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("healthy", {"air": "正常 G", "alarms": "无 G", "sync": "传输中 G", "link": "在线 G", "storage": "充足 G"}),
        ("offline", {"air": "正常 G", "alarms": "1 条须知 I", "sync": "待联嵩山云 I", "link": "离线 I"}),
        ("agent-dead", {"air": "正常 G", "alarms": "1 条立即处理 R", "sync": "待联嵩山云 I", "link": "离线 I"}),
        ("no-database", {"air": "不明 I", "alarms": "1 条立即处理 R", "sync": "不明 I", "storage": "充足 G"}),
        ("no-config", {"air": "不明 I", "alarms": "1 条立即处理 R", "storage": "不明 I", "time": "不明 I"}),
        ("nothing-to-play", {"air": "播出账将尽 R", "alarms": "1 条立即处理 R"}),
        ("missing-tonight", {"air": "备播不足 A", "alarms": "1 条今日处理 A"}),
        ("filler", {"air": "未按计划 A", "alarms": "1 条今日处理 A"}),
        ("locked-out", {"air": "正常 G", "alarms": "1 条立即处理 R", "link": "被拒 R"}),
        ("disk-full", {"storage": "将满 R", "alarms": "1 条立即处理 R"}),
        ("disk-low", {"storage": "偏低 A", "alarms": "1 条今日处理 A"}),
        ("clock-off", {"time": "有偏差 A", "alarms": "1 条今日处理 A"}),
        ("stuck", {"sync": "有受阻 A", "alarms": "3 条今日处理 A"}),
        ("alone", {"link": "未接嵩山云 I", "sync": "未启用 I", "alarms": "无 G"}),
    ],
)
def test_each_state_has_its_word_and_letter(name: str, words: dict[str, str]) -> None:
    """In five seconds: the words alone tell whether we are on the air and what is wrong."""
    tiles = overview.overview(ALL[name], ZH)
    assert {tile: f"{tiles[tile].word} {tiles[tile].level.letter}" for tile in words} == words


STATES = {
    **{name: seen(None, reading) for name, reading in EACH.items()},
    **{name: seen(None, reading) for name, reading in ALL.items() if reading not in EACH.values()},
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("overview", STATES)


@pytest.mark.parametrize("look", EVERY_LOOK)
@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("cells", [24, 39, 59])
def test_every_row_takes_exactly_its_cells_in_each_language(name: str, look: Look, cells: int) -> None:
    """Columns stand and nothing is wider than its tile, whatever the state and the language."""
    for tile in overview.overview(ALL[name], look).values():
        assert {cell_len("".join(span.text for span in row)) for row in draw(tile, cells, 12, look)} == {cells}
    for bar in (frame.header(ALL[name], Standing(), cells, look), frame.footer((), KEYS, cells, look)):
        assert cell_len("".join(span.text for span in bar)) == cells


@pytest.mark.parametrize("look", EVERY_LOOK)
@pytest.mark.parametrize("name", ALL)
def test_no_text_of_the_screens_is_cut_at_the_design_size(name: str, look: Look) -> None:
    """A word cut in one language only is found by nobody who tests in the other; titles may be cut, words not."""
    for tile in overview.overview(ALL[name], look).values():
        for row in draw(tile, 39, 40, look):
            for span in row:
                cut = span.style in ("label", "aside", "title") and span.text.rstrip().endswith(look.ellipsis)
                assert not cut, span.text


@pytest.mark.parametrize("name", ALL)
def test_the_plain_look_needs_no_glyph_that_a_console_font_lacks(name: str) -> None:
    """Debian's console fonts all hold ASCII; that is all that is asked of them."""
    assert page(ALL[name], PLAIN).isascii()


@pytest.mark.parametrize("name", ALL)
def test_every_text_on_the_screen_goes_through_the_catalogue(name: str) -> None:
    """A text beside the catalogue stays English on a Chinese screen, and nobody notices who reads both."""

    def hidden(text: str) -> str:
        return re.sub(r"\{\w+\}|[A-Za-z]", lambda match: match[0] if match[0][0] == "{" else "#", text)

    masked = replace(EN, say=hidden, count=lambda one, many, n: hidden(one if n == 1 else many))
    data = msgspec.json.encode((ALL[name].snapshot, ALL[name].problems, ALL[name].hint)).decode()
    signs = {
        "G",
        "I",
        "A",
        "R",
        "F1",
        "Enter",
        "Esc",
        "e",
        "r",
        "j",
        "l",
        "q",
        "ms",
        "s",
        "B",
        "kB",
        "MB",
        "GB",
        "TB",
        "CST",
    }
    shown = set(re.findall(r"[A-Za-z]\w*", page(ALL[name], masked, cells=78)))
    assert shown - signs - set(re.findall(r"[A-Za-z]\w*", data)) == set()


def test_offline_is_in_order_and_nothing_of_it_is_red_or_amber() -> None:
    """The line of a county is often away; a screen that cries each time is one that nobody reads."""
    assert max(tile.level for tile in overview.overview(OFFLINE, EN).values()) == Level.NOTE


def test_the_worst_alarm_stands_first_and_the_newest_before_the_older() -> None:
    """Who reads one line only reads the one that matters."""
    said = [
        Alarm(id=name, severity=severity, text=Text(name, name), hint=Text("", ""), since_us=NOW_US - age_us)
        for name, severity, age_us in (
            ("old amber", "amber", 9),
            ("info", "info", 1),
            ("red", "red", 5),
            ("new amber", "amber", 2),
        )
    ]
    tile = overview.overview(changed(alarms=tuple(said)), EN)["alarms"]
    assert [line[:11].strip() for line in text_of(draw(tile, 39, 5, EN))[1:]] == [
        "R red",
        "A new amber"[:11],
        "A old amber"[:11],
        "I info",
    ]


def test_every_alarm_says_what_to_do() -> None:
    """An alarm without its next step is only bad news."""
    shown = page(STUCK, EN, lines=30)
    assert "see songshan doctor" in shown
    assert "songshan answer" in shown


def test_what_plays_shows_for_every_channel_however_many() -> None:
    """With many channels what follows gives way to what plays."""
    many = tuple(
        msgspec.structs.replace(CHANNEL, channel=f"c-{n}", name=f"频道{n}", title=f"节目{n}") for n in range(4)
    )
    rows = text_of(draw(overview.overview(changed(on_air=many), ZH)["air"], 39, 9, ZH))
    assert [f"节目{n}" in "".join(rows) for n in range(4)] == [True] * 4


def test_what_will_be_missing_tonight_is_named_with_its_reason() -> None:
    """That is the second question of the day, after whether we are on the air."""
    shown = page(ALL["missing-tonight"], ZH)
    assert "A 20:03 晚间电影: 赶不上\n  带宽不足，晚 20 分钟" in shown
    assert "A 23:03 Broken clip: 来不了" in shown


def test_an_insertion_is_shown_as_such_and_is_never_in_order() -> None:
    """Who forgets an emergency insertion leaves the county watching it all night."""
    tile = overview.overview(ALL["inserted"], ZH)["air"]
    assert "应急插播 A" in "\n".join(text_of(draw(tile, 39, 8, ZH)))


def test_every_figure_of_the_world_outside_shows_its_age() -> None:
    """A figure from before the agent died must not look like one of now."""
    shown = page(HEALTHY, EN)
    assert re.search(r"Hub +songshan +just now", shown)
    assert re.search(r"Offset -0\.03 s to the hub +just now", shown)
    assert re.search(r"Records +0 to send +signed 40 s ago", shown)


def test_a_running_transfer_shows_its_rate_and_its_end() -> None:
    """Whether it comes before it airs is what a technician wants to know of a transfer."""
    assert re.search(r"Down +4 files, 1\.2 GB\n +1\.2 MB/s +done 14:20", page(HEALTHY, EN))


def test_before_the_first_reading_nothing_is_claimed() -> None:
    """A green tile that nobody has looked behind would be a lie, if only for half a second."""
    tiles = overview.overview(None, EN)
    assert {tile.level for tile in tiles.values()} == {Level.NOTE}
    assert "looking" in page(None, EN)


def test_what_cannot_be_read_is_unknown_and_not_empty() -> None:
    """No queue and no channel are facts; no database is the lack of them."""
    tiles = overview.overview(NO_DATABASE, EN)
    assert [tiles[name].word for name in ("air", "sync", "link")] == ["unknown"] * 3
    assert "enrol this box first" in page(NO_CONFIG, EN)


def test_a_console_without_chinese_shows_ids_in_place_of_titles() -> None:
    """A row of question marks tells nobody which channel is meant."""
    air = "\n".join(text_of(draw(overview.overview(HEALTHY, PLAIN)["air"], 39, 9, PLAIN)))
    assert re.search(r"dengfeng-1 +programme G\nNow +programme +to 14:15", air)


TITLES = st.text(max_size=80)


@given(TITLES, TITLES, TITLES, st.sampled_from([EN, ZH, PLAIN]), st.integers(1, 60))
def test_no_title_breaks_a_row(title: str, following: str, reason: str, look: Look, cells: int) -> None:
    """Titles come from file names and from other counties: escape sequences, flags, letters that join, any length."""
    hostile = msgspec.structs.replace(CHANNEL, title=title, next_title=following, reason=Text(reason, reason))
    named = msgspec.structs.replace(SECOND, name=title)
    for tile in overview.overview(changed(on_air=(hostile, named)), look).values():
        rows = ["".join(span.text for span in row) for row in draw(tile, cells, 12, look)]
        assert {cell_len(row) for row in rows} == {cells}
        assert not any(ord(character) < 32 or ord(character) == 127 for row in rows for character in row)


def test_scrolling_ends_at_the_last_line() -> None:
    """Scrolled past the end the tile would be empty, and that looks like no alarm."""
    tile: Tile = overview.overview(STUCK, EN)["alarms"]
    last = last_skip(tile, 39, 9, EN)
    rows = text_of(draw(tile, 39, 9, EN, last))
    assert last > 0
    assert rows[-1].strip() == "songshan orders, songshan answer"


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", [name for name, reading in ALL.items() if reading.snapshot is not None])
def test_status_says_what_the_overview_says(name: str, language: str) -> None:
    """Who cannot see the screens, or has them read out, is told no less: names, reasons, counts."""
    seen_now = ALL[name].snapshot
    assert seen_now is not None
    told = "\n".join(line.in_language(language) for line in lines(seen_now))
    texts = [alarm.text for alarm in seen_now.alarms] + [alarm.hint for alarm in seen_now.alarms]
    texts += [each.reason for each in (*seen_now.coming, *seen_now.on_air, seen_now.link) if each.reason is not None]
    words = {text.in_language(language) for text in texts}
    words |= {channel.title for channel in seen_now.on_air} | {channel.next_title for channel in seen_now.on_air}
    words |= {entry.title for entry in seen_now.coming if entry.state != "ready_by"}
    assert {word for word in words if word not in told} == set()
    sync, disk = seen_now.sync, seen_now.storage
    counts = (sync.unsent_records, sync.parked_records, sync.spool_waiting, sync.down.failed, sync.up.failed)
    assert disk is not None
    for count in (*counts, disk.assets_here, disk.assets_wanted, disk.assets_bad):
        assert re.search(rf"\b{count}\b", told)
