"""The list that players poll: over edits, break-ins, outages and wrong clocks nothing that was listed changes."""

import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from appliance.core import playlist, ts
from appliance.core.airtime import Mark, air_now_us, mark_now
from appliance.core.asset import hex_of
from appliance.core.insertion import Break
from appliance.core.ledger import Channel, with_slate
from appliance.core.rundown import SLATE, tick_of
from appliance.core.schedule import day_of
from tests.appliance import clips
from tests.appliance.core.air_box import LENGTHS, SECOND, ZONE, Box, clock, digest, entry, rendition
from tests.appliance.core.hls_lint import URI, HlsLint, Violation, parse
from tests.appliance.core.test_ts import counter_errors, ffprobe_packets

HOUR = 3600 * SECOND


class Life:
    """A box and its random fate. The wall clock may be put back or forth; the running clock only runs."""

    def __init__(self, seed: int, born_us: int) -> None:
        self.chance = random.Random(seed)
        self.box = Box(born_us, hours=2)
        self.wall_us, self.running_us = born_us, 5_000_000
        self.mark: Mark | None = None
        self.dead_until_us = 0
        self.inserted = 0
        self.edit()
        self.compile()

    @property
    def now_us(self) -> int:
        return air_now_us(self.mark, self.wall_us, self.running_us)

    def second(self) -> None:
        self.wall_us += SECOND
        self.running_us += SECOND
        if self.running_us < self.dead_until_us:
            return
        fate = self.chance.random()
        for likely, event in self.EVENTS:
            if fate < likely:
                event(self)
                break
            fate -= likely
        if self.chance.random() < 0.03:
            self.compile()

    def compile(self) -> None:
        self.mark = mark_now(self.mark, self.wall_us, self.running_us)
        if self.chance.random() < 0.9:
            self.box.compile(self.mark.air_us)
        # Else it was killed in the middle: nothing was committed.

    def edit(self) -> None:
        now = self.now_us
        date = day_of(now + self.chance.choice((0, 0, 0, 6 * HOUR)), ZONE)
        starts = sorted(self.chance.sample(range(0, 86_400, 7), 60)) if self.chance.random() < 0.9 else [0]
        entries = []
        for start in starts:
            for follower in range(self.chance.randint(1, 4)):
                when = f"{start // 3600:02}:{start // 60 % 60:02}:{start % 60:02}" if follower == 0 else None
                asset = self.chance.randint(1, len(LENGTHS))
                more = {"start_type": "soft"} if when and self.chance.random() < 0.3 else {}
                if self.chance.random() < 0.2:
                    more["in_s"] = float(self.chance.choice((2, 3)))
                entries.append(entry(len(entries) + 1, asset, when, **more))
        self.box.write(*entries, date=date)

    def lose_or_find(self) -> None:
        self.box.missing ^= {digest(self.chance.randint(1, len(LENGTHS)))}

    def refill(self) -> None:
        self.box.fillers = [digest(number) for number in self.chance.sample(range(1, 7), self.chance.randint(0, 3))]

    def insert(self) -> None:
        self.inserted += 1
        at = self.chance.choice((None, None, tick_of(self.now_us + self.chance.randint(-60, 300) * SECOND)))
        until = self.chance.choice((None, tick_of(self.now_us + self.chance.randint(5, 600) * SECOND)))
        source = digest(self.chance.randint(1, 8))
        self.box.breaks.append(Break(id=f"i{self.inserted}", source=source, at_tick=at, until_tick=until))
        self.compile()

    def resume(self) -> None:
        self.box.breaks = [msgspec.structs.replace(each, stopped=True) for each in self.box.breaks]
        self.compile()

    def die(self) -> None:
        self.dead_until_us = self.running_us + self.chance.choice((30, 300, 3 * 3600)) * SECOND

    def step_clock(self) -> None:
        self.wall_us += self.chance.choice((-3600, -60, -1, 1, 60)) * SECOND

    EVENTS: tuple[tuple[float, Callable[["Life"], None]], ...] = (
        (0.004, edit),
        (0.01, lose_or_find),
        (0.002, refill),
        (0.004, insert),
        (0.004, resume),
        (0.0004, die),
        (0.0003, step_clock),
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_random_life_violates_no_rule(seed: int) -> None:
    """Polled every second over midnight: numbers, times and addresses stand once they were listed."""
    life, lint = Life(seed, clock("22:50:00")), HlsLint()
    for _ in range(2 * 3600):
        lint.look(life.box.listing(life.now_us), life.now_us)
        life.second()
    assert lint.polls == 2 * 3600
    names = {hex_of(rendition(number)): frames for number, frames in enumerate(LENGTHS, 1)} | {hex_of(SLATE): 50}
    shown = [listed.uri.removesuffix(".ts").split("/") for listed in lint.timeline()]
    assert len({name for _, _, name, _ in shown}) >= 3
    assert all(int(number) * 50 + int(frames) <= names[name] for _, frames, name, number in shown)


def test_a_late_first_poll_and_a_killed_agent_see_the_same_lists() -> None:
    """Another worker, or a server just started, must answer byte for byte alike; so must one without an agent."""
    living, dead = Box(clock("12:00:00"), hours=1), Box(clock("12:00:00"), hours=1)
    for box in (living, dead):
        box.write(*(entry(number, number % 8 + 1, f"12:{number:02}:00") for number in range(60)))
        box.compile(box.born_us)
    for second in range(0, 50 * 60, 7):
        now = clock("12:00:00") + second * SECOND
        living.compile(now)
        assert living.listing(now) == dead.listing(now)


def test_a_list_is_full_from_the_channels_first_moment() -> None:
    """A player that comes in the first second must find three target durations."""
    box = Box(clock("12:00:00"))
    box.compile(box.born_us)
    listed = HlsLint(window_s=playlist.LIVE_WINDOW_S).look(box.listing(box.born_us), box.born_us)
    assert len(listed) == 10


def test_the_text_of_a_list() -> None:
    """Golden: what stands here is what players of all makes were tried with."""
    box = Box(clock("12:00:00"), fillers=[])
    box.write(entry(1, 9, "12:00:20"), entry(2, 5))
    box.compile(box.born_us)
    now = clock("12:00:24")
    text = playlist.text_of(playlist.segments_at(box.stretches(now), tick_of(now), 4 * 90_000))
    asset, other = hex_of(rendition(9)), hex_of(rendition(5))
    begin = tick_of(clock("12:00:20")) + ts.AIR_LEAD_TICKS - ts.FILE_PTS_TICKS
    offsets = [(begin - 2 * 90_000) % 2**33, begin % 2**33, (begin + 26 * 3600) % 2**33]
    number = box.rows[0].first_msn + 40
    assert text == (
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n"
        f"#EXT-X-MEDIA-SEQUENCE:{number - 1}\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        f"#EXT-X-PROGRAM-DATE-TIME:2026-11-24T04:00:18.000Z\n#EXTINF:2.000,\n{offsets[0]}/50/{hex_of(SLATE)}/0.ts\n"
        f"#EXT-X-PROGRAM-DATE-TIME:2026-11-24T04:00:20.000Z\n#EXTINF:1.040,\n{offsets[1]}/26/{asset}/0.ts\n"
        f"#EXT-X-PROGRAM-DATE-TIME:2026-11-24T04:00:21.040Z\n#EXTINF:2.000,\n{offsets[2]}/50/{other}/0.ts\n"
    )


def test_the_long_list_reaches_two_hours_back_and_continues_the_short_one() -> None:
    """Whoever goes back in time must come out at the same segments."""
    box = Box(clock("06:00:00"), hours=4)
    box.write(*(entry(number, 8, f"06:{number:02}:00") for number in range(0, 60, 6)))
    box.compile(box.born_us)
    now = clock("09:00:00")
    long, short = parse(playlist.dvr(box.stretches(now), tick_of(now))), parse(box.listing(now))
    assert sum(listed.duration_us for listed in long) >= 2 * HOUR
    assert long[-len(short) :] == short


def test_a_channel_made_anew_goes_on_above_its_old_numbers() -> None:
    """A box whose disk was lost begins at the Unix time, which runs ahead of any channel's numbers."""
    old = Box(clock("06:00:00"), hours=20)
    old.write(*(entry(number, 9, f"{number // 60 + 6:02}:{number % 60:02}:00") for number in range(600)))
    old.compile(old.born_us)
    new = Box(clock("16:00:00"))
    new.compile(new.born_us)
    now = clock("16:00:01")
    assert parse(new.listing(now))[0].msn > parse(old.listing(now))[-1].msn


def test_the_channel_that_is_listed_is_one_stream(tmp_path: Path) -> None:
    """What the list names, fetched and joined, over changes, cuts, joins in progress and a break-in: no error."""
    names = ("long", "small", "odd")
    box = Box(clock("12:00:00"), frames={}, fillers=[digest(2)], hours=1)
    box.frames = {digest(n): clips.packaged(name)[0].rendition.frames for n, name in enumerate(names, 1)}
    files = {hex_of(rendition(n)): clips.segments(name) for n, name in enumerate(names, 1)}
    files[hex_of(SLATE)] = clips.segments("slate")
    box.write(
        entry(1, 1, "12:00:30"),
        entry(2, 3),
        entry(3, 1, "12:00:40.200"),
        entry(4, 1, in_s=2.0),
        entry(5, 3, "12:01:00"),
    )
    box.compile(box.born_us)
    box.breaks = [Break(id="i1", source=digest(3), at_tick=tick_of(clock("12:00:50.040")))]
    box.compile(clock("12:00:10"))
    lint = HlsLint()
    for second in range(20, 75):
        lint.look(box.listing(clock("12:00:00") + second * SECOND), clock("12:00:00") + second * SECOND)
    stream, frames = bytearray(), 0
    for listed in lint.timeline():
        offset, count, name, number = URI.fullmatch(listed.uri).groups()  # type: ignore[union-attr]
        stream += ts.move(files[name][int(number)], int(offset), int(count))
        frames += int(count)
    assert counter_errors(bytes(stream)) == []
    joined = tmp_path / "joined.ts"
    joined.write_bytes(stream)
    packets = ffprobe_packets(joined)
    first = lint.timeline()[0].start_us * 9 // 100 + 90_000
    assert [packet["pts"] for packet in packets[0]] == [first % 2**33 + n * 3600 for n in range(frames)]
    decoded = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "warning", "-i", str(joined), "-f", "null", "-"],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    assert decoded.stderr == b""
    assert {told[0] for told in box.told("12:00:30", "12:01:10")} == {"programme", "emergency", "filler", "slate"}


def broken_sequence(text: str, poll: int) -> str:
    return text.replace("SEQUENCE:", "SEQUENCE:-") if poll == 5 else text


def broken_numbers(text: str, poll: int) -> str:
    number = int(text.split("SEQUENCE:")[1].split("\n")[0])
    return text.replace(f"SEQUENCE:{number}", f"SEQUENCE:{number + (poll > 5)}")


def broken_times(text: str, poll: int) -> str:
    lines = text.split("\n")
    lines[8] = lines[8].replace(".", ".", 1)[:-5] + "040Z" if poll > 5 else lines[8]
    return "\n".join(lines)


def broken_offset(text: str, poll: int) -> str:
    lines = text.split("\n")
    for at in range(7, len(lines) - 1, 3):
        offset, rest = lines[at].split("/", 1)
        lines[at] = f"{int(offset) + 1}/{rest}"
    return "\n".join(lines)


@pytest.mark.parametrize(
    "breakage",
    [
        broken_sequence,
        broken_numbers,
        broken_times,
        broken_offset,
        lambda text, poll: text.replace("TARGETDURATION:2", "TARGETDURATION:4"),
        lambda text, poll: text.replace("#EXTINF:2.000", "#EXTINF:2.040"),
        lambda text, poll: "\n".join([*text.split("\n")[:-4], ""]) if poll % 2 else text,
        lambda text, poll: "\n".join([*text.split("\n")[:11], ""]),
        lambda text, poll: text.replace("#EXTINF", "#EXT-X-DISCONTINUITY\n#EXTINF", 1),
    ],
)
def test_the_linter_finds_what_is_broken(breakage: Callable[[str, int], str]) -> None:
    """A linter that says nothing proves nothing."""
    box, lint = Box(clock("12:00:00"), hours=1), HlsLint()
    box.write(*(entry(number, 5, f"12:00:{number:02}") for number in range(0, 60, 3)))
    box.compile(box.born_us)
    with pytest.raises((Violation, ValueError)):
        for poll in range(60):
            now = clock("12:00:20") + poll * SECOND
            lint.look(breakage(box.listing(now), poll), now)


def test_before_a_channel_begins_there_is_nothing() -> None:
    """An empty list is for the caller to turn into a 404."""
    channel = Channel(tick_of(clock("12:00:00")), 7, tick_of(clock("12:00:00")))
    rows = with_slate(channel, [], channel.epoch_tick)
    assert playlist.segments_at(rows, channel.epoch_tick, 90_000) == ()
