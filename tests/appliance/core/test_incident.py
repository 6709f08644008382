"""What a unit that ended badly left, in words."""

import pytest

from appliance.core import incident
from appliance.core.incident import Ended
from appliance.core.moment import US

UNIT = "songshan-agent.service"
KILLED = Ended("watchdog", "killed", "ABRT", "0123")


@pytest.mark.parametrize(
    ("ended", "zh", "en"),
    [
        (KILLED, "看门狗", "watchdog"),
        (Ended("exit-code", "exited", "3"), "退出码 3", "exit status 3"),
        (Ended("signal", "killed", "SEGV"), "信号 SEGV", "signal SEGV"),
        (Ended("oom-kill", "killed", "KILL"), "内存不足", "out of memory"),
        (Ended(), "失败", "failed"),
    ],
)
def test_how_it_ended_is_said_in_both_languages(ended: Ended, zh: str, en: str) -> None:
    """A technician is not to look up what systemd calls it."""
    told = incident.finding_of(UNIT, ended)
    assert zh in told.text.zh and en in told.text.en
    assert UNIT in told.text.zh and told.id == f"incident:{UNIT}"


def test_a_note_is_four_words_and_nothing_else_that_stands_there() -> None:
    """A note is left by the unit that failed, which may be in anybody's hands."""
    assert incident.note_of("watchdog killed ABRT 0123\n") == KILLED
    assert incident.note_of("") == Ended()
    assert incident.note_of("exit-code exited \x1b[2J 0123 more") == Ended("exit-code", "exited", "", "0123")
    assert incident.note_of("x" * 500) == Ended()


def test_what_fails_again_soon_is_the_same_and_later_another() -> None:
    """A sender that cannot begin is tried ten times a second: that is one thing to look at."""
    first = incident.begun(UNIT, KILLED, ("before",), 100 * US)
    second = incident.again(first, UNIT, Ended("exit-code"), (), 400 * US)
    assert second is not None
    assert (second.times, second.at_us, second.last_us) == (2, 100 * US, 400 * US)
    assert (second.ended.result, second.lines) == ("exit-code", ("before",))
    assert incident.again(second, UNIT, KILLED, (), 100 * US + incident.SAME_US) is None
    assert incident.again(second, UNIT, KILLED, (), 50 * US) is None, "the clock was put back"
    assert incident.again(second, "songshan-web.service", KILLED, (), 400 * US) is None
    assert incident.again(None, UNIT, KILLED, (), 400 * US) is None


def test_the_last_lines_are_few_short_and_without_secrets() -> None:
    """They leave the box with a bundle."""
    lines = (*(f"line {number}" for number in range(100)), "password=geheim", "x" * 5000)
    kept = incident.bounded(lines)
    assert len(kept) == incident.LINES_MAX
    assert len(kept[-1]) == incident.LINE_CHARS_MAX
    assert "geheim" not in kept[-2] and kept[-2].startswith("password=")
    assert kept[0] == f"line {102 - incident.LINES_MAX}"


def test_what_is_started_for_each_clip_is_one_service() -> None:
    """Else each clip that ends ffmpeg would be an alarm of its own."""
    assert incident.known_as("songshan-transcode@12-3456-997.service") == "songshan-transcode@.service"
    assert incident.known_as("songshan-playout@dengfeng-1.service") == "songshan-playout@dengfeng-1.service"


@pytest.mark.parametrize(
    "name", ["sshd.service", "songshan-a/../b.service", "songshan-agent", "songshan-X.service", ""]
)
def test_only_units_of_the_box_are_taken(name: str) -> None:
    """The name becomes a part of a file's."""
    assert incident.UNIT.fullmatch(name) is None
