"""The log of the parts, from the journal or from files: bounded, newest first, and never what breaks a screen."""

import json
import shutil
from pathlib import Path

import pytest

from appliance import machine_log
from appliance.core.errors import WorldError
from appliance.core.log_line import of_file, of_journal

SAID = {
    "__CURSOR": "s=1;i=2",
    "__REALTIME_TIMESTAMP": "1764050600000000",
    "_SYSTEMD_UNIT": "songshan-agent.service",
    "PRIORITY": "6",
    "MESSAGE": "fetch_failed level=warning digest=sha256:aa",
}


def journal_line(**said: object) -> bytes:
    return json.dumps({**SAID, **said}).encode()


def test_a_line_of_the_journal_is_read() -> None:
    """What the line says of itself counts: all of stderr has one priority."""
    line = of_journal(journal_line())
    assert line is not None
    assert (line.unit, line.level, line.at_us, line.key) == ("agent", "warning", 1764050600000000, "s=1;i=2")


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ({"MESSAGE": "kernel: I/O error", "PRIORITY": "3"}, "error"),
        ({"MESSAGE": "slow", "PRIORITY": "4"}, "warning"),
        ({"MESSAGE": "command level=info kind=take", "PRIORITY": "3"}, "info"),
        ({"MESSAGE": "[2026-11-24 10:00:00 +0800] [7] [ERROR] Worker timeout"}, "error"),
        ({"MESSAGE": "x", "PRIORITY": None}, "info"),
    ],
)
def test_how_bad_a_line_is(said: dict[str, object], level: str) -> None:
    """By its own word, else by the journal's."""
    line = of_journal(journal_line(**said))
    assert line is not None
    assert line.level == level


def test_whatever_was_logged_is_one_line_of_text() -> None:
    """A program may log bytes, line breaks and megabytes; a screen has rows."""
    line = of_journal(journal_line(MESSAGE=[*"坏".encode(), 10, 0xFF, 65]))
    assert line is not None
    assert line.text == "坏 �A"
    long = of_journal(journal_line(MESSAGE="x" * 10**6))
    assert long is not None
    assert len(long.text) == 4000


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'{"__CURSOR": "a"}', b'{"__REALTIME_TIMESTAMP": "x", "__CURSOR": 1}']
)
def test_what_is_no_line_of_the_journal_is_passed_over(line: bytes) -> None:
    """journalctl may be killed in the middle of one."""
    assert of_journal(line) is None


def test_files_are_read_from_their_ends_and_within_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of gigabytes on a machine without journald must not stop the screen."""
    monkeypatch.setattr(machine_log, "TAIL_BYTES_MAX", 50)
    path = tmp_path / "agent.log"
    path.write_bytes(b"".join(b"line %d level=info\n" % number for number in range(100)))
    found = machine_log.files([("agent", path), ("gone", tmp_path / "gone.log")])
    assert [each.text for each in found] == ["line 99 level=info", "line 98 level=info"]
    offset = int(found[0].key.partition(" ")[2])
    assert path.read_bytes()[offset:] == b"line 99 level=info\n"
    assert of_file("agent", offset, path.read_bytes()[offset:]) == found[0]


@pytest.mark.skipif(shutil.which("journalctl") is None, reason="no journalctl")
def test_a_part_that_never_said_anything_is_no_error(tmp_path: Path) -> None:
    """A county without a modulator has no sender; journalctl calls that a failure."""
    assert machine_log.journal((f"--directory={tmp_path}", "--unit=songshan-playout*"), 3) == ()


@pytest.mark.skipif(shutil.which("journalctl") is None, reason="no journalctl")
def test_journalctl_knows_what_it_is_asked() -> None:
    """Also where it keeps nothing: an option that it does not know would be told."""
    try:
        machine_log.journal(("--unit=songshan-*", "--priority=warning"), 3)
    except WorldError as error:
        assert "option" not in error.problems[0].en
    with pytest.raises(WorldError, match="option"):
        machine_log.journal(("--no-such-option",), 3)
