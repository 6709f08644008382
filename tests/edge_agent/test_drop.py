"""The drop folder, on a real one: what is taken, what is not, and what a person reads about it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.core.errors import Text
from edge_agent import drop
from edge_agent.drop import Entry, Look, look, tell

SETTLED_US = 2_000_000
NOBODY: dict[str, Text] = {}


def settled(folder: Path, refused: dict[str, Text] = NOBODY) -> Look:
    """What a scan finds when nothing changed for long enough."""
    first = look(folder, Look(), refused, 0, SETTLED_US)
    return look(folder, first, refused, SETTLED_US, SETTLED_US)


def names(entries: tuple[Entry, ...]) -> list[str]:
    return [entry.path.name for entry in entries]


def test_a_file_is_taken_when_it_has_stayed_as_it_is(tmp_path: Path) -> None:
    """Half a clip on the air is worse than a clip two seconds later."""
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"half")
    seen = look(tmp_path, Look(), NOBODY, 0, SETTLED_US)
    assert (names(seen.settling), seen.settled, seen.settles_at_us) == (["clip.mp4"], (), SETTLED_US)
    seen = look(tmp_path, seen, NOBODY, SETTLED_US - 1, SETTLED_US)
    assert names(seen.settling) == ["clip.mp4"]
    with clip.open("ab") as file:
        file.write(b"whole")
    seen = look(tmp_path, seen, NOBODY, SETTLED_US, SETTLED_US)
    assert (names(seen.settling), seen.settled) == (["clip.mp4"], ())
    assert names(look(tmp_path, seen, NOBODY, 2 * SETTLED_US, SETTLED_US).settled) == ["clip.mp4"]


def test_a_file_that_somebody_has_open_for_writing_is_not_taken(tmp_path: Path) -> None:
    """A copy over a slow share pauses for longer than anybody would wait; the writer still has it open."""
    clip = tmp_path / "clip.mp4"
    with clip.open("wb") as writer:
        writer.write(b"a beginning")
        writer.flush()
        assert names(settled(tmp_path).settling) == ["clip.mp4"]
    assert names(settled(tmp_path).settled) == ["clip.mp4"]


def test_a_writer_that_opens_the_file_while_it_is_looked_at_ends_nobody(tmp_path: Path) -> None:
    """Breaking a lease sends a signal that ends a process by default: the agent would die of a busy newsroom."""
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"x")
    program = f"import os\nwhile True:\n    os.close(os.open({str(clip)!r}, os.O_WRONLY))"
    busy = subprocess.Popen([sys.executable, "-c", program])
    try:
        for _look in range(300):
            settled(tmp_path)
    finally:
        busy.kill()
        busy.wait()


@pytest.fixture
def strange(tmp_path: Path) -> Iterator[Path]:
    """A folder with all that must not be taken, beside a file that must."""
    folder = tmp_path / "drop"
    folder.mkdir()
    (tmp_path / "secret").write_text("not for the hub")
    (folder / "link.mp4").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe.mp4")
    (folder / "folder").mkdir()
    (folder / "empty.mp4").touch()
    (folder / "good.txt").write_text("a story")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
        yield folder


def test_what_is_no_file_is_refused_with_a_reason_and_left_alone(strange: Path) -> None:
    """A link could lead to the box's keys, a pipe would hang the agent, a folder is not one story."""
    seen = settled(strange)
    assert names(seen.settled) == ["good.txt"]
    reasons = {entry.path.name: entry.problem.en for entry in seen.refused if entry.problem}
    assert reasons == {
        "empty.mp4": "an empty file is not taken",
        "folder": "a folder is not taken: put the files here one by one",
        "link.mp4": "a link is not taken: put the file itself here",
        "pipe.mp4": "a pipe is not taken",
        "socket": "not a plain file, not taken",
    }
    assert sorted(path.name for path in strange.iterdir()) == [*sorted([*reasons, "good.txt"])]


def test_a_person_reads_in_the_folder_what_was_not_taken(strange: Path) -> None:
    """Whoever drops a file looks at the folder, not at a screen in the machine room."""
    tell(strange, settled(strange).refused)
    notice = (strange / drop.NOTICE).read_text()
    assert "link.mp4：是链接，不收；请放文件本身 / a link is not taken: put the file itself here" in notice
    assert drop.NOTICE not in names(settled(strange).settled)
    tell(strange, ())
    assert not (strange / drop.NOTICE).exists()


STRANGE_NAMES = (
    b"-rf --no-preserve-root.mp4",
    b"two\nlines.mp4",
    "嵩山".encode() * 41 + b".mp4x",
    "嵩山新闻".encode("gbk") + b".mp4",
    b"$(reboot);`reboot`.mp4",
    b" .mp4",
    b"\xff\xfe\x01.mp4",
    "‮4pm.exe".encode(),
)


def test_names_of_any_bytes_are_taken_and_shown_on_one_line(tmp_path: Path) -> None:
    """A name is for people; a Windows program of the trade writes GBK, and somebody always finds a newline."""
    for name in STRANGE_NAMES:
        (tmp_path / os.fsdecode(name)).write_bytes(b"content")
    assert max(map(len, STRANGE_NAMES)) <= 255
    seen = settled(tmp_path)
    assert {os.fsencode(entry.path.name) for entry in seen.settled} == set(STRANGE_NAMES)
    shown = {os.fsencode(entry.path.name): entry.shown for entry in seen.settled}
    assert shown["嵩山新闻".encode("gbk") + b".mp4"] == "嵩山新闻.mp4"
    assert shown[b"two\nlines.mp4"] == "two lines.mp4"
    assert all(text.isprintable() and text.encode() for text in shown.values())


def test_hidden_and_unfinished_names_are_left_to_their_writers(tmp_path: Path) -> None:
    """rsync, WinSCP and browsers rename when they are done; before that it is nobody's file."""
    for name in (".clip.mp4.x7Gh2a", "clip.mp4.filepart", "clip.mp4.PART", "clip.crdownload", drop.NOTICE):
        (tmp_path / name).write_bytes(b"x")
    assert settled(tmp_path) == Look()


def test_what_was_tried_and_refused_is_not_tried_again_until_it_changes(tmp_path: Path) -> None:
    """A broken clip would be copied and probed every two seconds; a better version of it must be taken."""
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"broken")
    key = settled(tmp_path).settled[0].key
    refused = {key: Text("坏了", "broken")}
    seen = settled(tmp_path, refused)
    assert (seen.settled, [entry.problem for entry in seen.refused]) == ((), [Text("坏了", "broken")])
    clip.write_bytes(b"mended")
    assert names(settled(tmp_path, refused).settled) == ["clip.mp4"]


def test_a_file_that_became_another_while_it_was_taken_stays(tmp_path: Path) -> None:
    """The new version was not sent: removing it would lose it."""
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"first")
    entry = settled(tmp_path).settled[0]
    clip.write_bytes(b"second")
    drop.take_away(entry)
    assert clip.read_bytes() == b"second"
    drop.take_away(settled(tmp_path).settled[0])
    assert not clip.exists()
