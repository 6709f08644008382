"""What wakes the loop, and what must not."""

import os
import select
import threading
from pathlib import Path

from edge_agent.watch import Wake, watched

SOON_S = 5.0
QUIET_S = 0.4


def woken(wake: Wake, within_s: float) -> bool:
    return bool(select.select([wake], [], [], within_s)[0])


def test_wakes_add_up_to_one() -> None:
    """A thousand new files are one reason to look; a full pipe must block nobody."""
    wake = Wake()
    threads = [threading.Thread(target=lambda: [wake.wake() for _time in range(40_000)]) for _thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON_S)
        assert not thread.is_alive()
    assert woken(wake, 0)
    wake.drain()
    assert not woken(wake, 0)
    wake.close()


def test_who_wakes_too_late_writes_into_no_file(tmp_path: Path) -> None:
    """A thread that dials outlives the loop by seconds; the number of the pipe may then be that of the database."""
    wake = Wake()
    wake.close()
    opened = [(tmp_path / f"{number}").open("wb", buffering=0) for number in range(4)]
    wake.wake()
    for file in opened:
        file.close()
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [0, 0, 0, 0]


def test_what_is_new_in_a_folder_wakes(tmp_path: Path) -> None:
    """A command must be carried out now, not at the next scan."""
    wake = Wake()
    with watched((tmp_path,), wake) as problem:
        assert problem is None
        for change in (
            lambda: (tmp_path / "made").write_text("x"),
            lambda: (tmp_path / "made").rename(tmp_path / "renamed"),
            lambda: (tmp_path / "renamed").open("a").write("more"),
        ):
            change()
            assert woken(wake, SOON_S)
            assert not woken(wake, 0) or wake.drain() is None
            while woken(wake, QUIET_S):
                wake.drain()
    wake.close()


def test_looking_does_not_wake(tmp_path: Path) -> None:
    """The loop's own looking opens every file that waits: if that woke it, it would never sleep again."""
    path = tmp_path / "waiting"
    path.write_text("x")
    wake = Wake()
    with watched((tmp_path,), wake):
        while woken(wake, QUIET_S):
            wake.drain()
        for _look in range(20):
            list(os.scandir(tmp_path))
            path.read_text()
        assert not woken(wake, QUIET_S)
    wake.close()


def test_a_folder_that_cannot_be_watched_is_told(tmp_path: Path) -> None:
    """Then the loop only scans, and an alarm says so."""
    wake = Wake()
    with watched((tmp_path / "nothing",), wake) as problem:
        assert isinstance(problem, OSError)
    wake.close()
