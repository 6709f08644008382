"""systemd's watchdog is fed by the loop itself: from its work and its waiting, and by nothing beside them."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance import files, spool
from appliance.config import Config, render
from appliance.notify import Life
from edge_agent.boot import Machine, running
from edge_agent.children import Children, Ended
from provisioning.identity import make_key_files
from tests.appliance.boxes import box

WATCHDOG_S = 0.4
ENDS_S = 30.0
MAIN = "from appliance.command import main; main()"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    made = box(tmp_path / "box", hub=None)
    files.make_folders(made)
    spool.make_folders(made)
    (made.home / "appliance.toml").write_text(render(made))
    make_key_files(made.sign_key, "sign")
    return made


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """What systemd hears."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(path))
        line.setblocking(False)
        yield line


def heard(line: socket.socket, within_s: float, until: str | None = None) -> list[str]:
    """All that comes within a time, or until something comes."""
    said: list[str] = []
    end_s = time.monotonic() + within_s
    while (left_s := end_s - time.monotonic()) > 0 and select.select([line], [], [], left_s)[0]:
        said.append(line.recv(4096).decode())
        if said[-1] == until:
            break
    return said


def test_the_service_says_that_it_is_ready_and_then_that_it_lives(config: Config, tmp_path: Path) -> None:
    """An agent with nothing to do sleeps for minutes: it must say so in its sleep, or be ended in good health."""
    with listening(tmp_path / "notify") as line:
        environ = {
            **os.environ,
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": str(int(WATCHDOG_S * 1_000_000)),
        }
        argv = [sys.executable, "-c", MAIN, "--home", str(config.home), "agent"]
        with subprocess.Popen(argv, env=environ, stderr=subprocess.DEVNULL) as agent:
            try:
                assert heard(line, ENDS_S, until="READY=1")[-1:] == ["READY=1"]
                for _feed in range(5):
                    assert heard(line, ENDS_S, until="WATCHDOG=1")[-1:] == ["WATCHDOG=1"]
            finally:
                agent.send_signal(signal.SIGTERM)
            assert agent.wait(ENDS_S) == 0
        assert heard(line, 0.1, until="STOPPING=1")[-1:] == ["STOPPING=1"]


class Hanging(Children):
    """A look at the children that does not come back, once it is told to: as with a disk that does not answer."""

    hangs = threading.Event()
    has_hung = threading.Event()
    goes_on = threading.Event()

    def look(self) -> list[Ended]:
        if self.hangs.is_set():
            self.has_hung.set()
            assert self.goes_on.wait(ENDS_S)
        return list(super().look())


def test_a_loop_that_hangs_feeds_nothing(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that fed the watchdog by the clock would keep a dead agent alive for ever."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", str(int(WATCHDOG_S * 1_000_000)))
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    ends = threading.Event()

    def live() -> None:
        with running(config, once=False, machine=Machine(children=Hanging)) as agent:
            threading.Thread(target=lambda: (ends.wait(ENDS_S), agent.end()), daemon=True).start()
            agent.run()

    with listening(tmp_path / "notify") as line:
        loop = threading.Thread(target=live)
        loop.start()
        try:
            assert heard(line, ENDS_S, until="WATCHDOG=1")[-1:] == ["WATCHDOG=1"]
            Hanging.hangs.set()
            spool_touched = config.drop / ".look"
            spool_touched.write_text("")
            assert Hanging.has_hung.wait(ENDS_S)
            heard(line, 0.05)
            assert heard(line, 3 * WATCHDOG_S) == []
            Hanging.hangs.clear()
            Hanging.goes_on.set()
            assert heard(line, ENDS_S, until="WATCHDOG=1")[-1:] == ["WATCHDOG=1"]
        finally:
            Hanging.hangs.clear()
            Hanging.goes_on.set()
            ends.set()
            loop.join(ENDS_S)


def test_without_a_watchdog_nobody_is_hurried() -> None:
    """A box without systemd, and a child that has inherited somebody else's."""
    assert Life({}).wait_s_max == float("inf")
    assert Life({"WATCHDOG_USEC": "120000000"}).wait_s_max == 30
    assert Life({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": str(os.getpid())}).wait_s_max == 30
    assert Life({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "1"}).wait_s_max == float("inf")
