"""The demo's machine room: a hub, its boxes and their processes, all in one folder and on loopback.

Every part is started by its own command, as its owner would start it. Each child dies with the demo, also when that is
killed: `setpriv --pdeathsig` sees to it.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from appliance.core.errors import Text, WorldError

COMMAND_TIMEOUT_S: Final = 300
STOP_TIMEOUT_S: Final = 15
HTTP_TIMEOUT_S: Final = 10
POLL_S: Final = 0.2
T = TypeVar("T")


class StageError(WorldError):
    """A part of the demo did not do what it should; the text says which and where its log is."""


@dataclass
class Site:
    """One county box of the demo."""

    id: str
    name: str
    home: Path
    port: int

    @property
    def channel(self) -> str:
        """The one channel that a box of the demo has."""
        return f"{self.id}-1"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Stage:
    """Where everything of one demo lives, and what of it is running."""

    folder: Path
    hub_port: int
    sites: tuple[Site, ...]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def hub(self) -> Path:
        return self.folder / "hub"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def site(self, site_id: str) -> Site:
        return next(site for site in self.sites if site.id == site_id)

    def build(self) -> None:
        """Make the hub and enrol every site, with keys made on the spot."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self.hub_command("init", "--port", str(self.hub_port))
        self.start_hub()
        for site in self.sites:
            bundle = self.folder / f"{site.id}.bundle"
            self.hub_command("enrol", site.id, "--name", site.name, "--approve", "--out", str(bundle))
            self.box_command(site, "join", str(bundle))
            bundle.unlink()

    def start_hub(self) -> None:
        self.start("hub", program("songshan-hub"), "--hub", str(self.hub), "serve", "--port", str(self.hub_port))
        until("the hub answers", lambda: _listens(self.hub_port))

    def start_agent(self, site: Site) -> None:
        self.start(f"{site.id}-agent", program("songshan"), "--home", str(site.home), "agent")

    def start_web(self, site: Site) -> None:
        bind = f"127.0.0.1:{site.port}"
        self.start(f"{site.id}-web", program("songshan"), "--home", str(site.home), "web", "--bind", bind)
        until(f"{site.id} serves", lambda: fetch(f"{site.address}/healthz").status == 200)

    def start(self, name: str, *argv: str) -> None:
        """Start a part; its output goes to logs/<name>.log."""
        assert name not in self.running or self.running[name].poll() is not None, f"{name} runs already"
        with (self.logs / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """As a power cut would: SIGKILL to the part and all that it started in its session."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_TIMEOUT_S)

    def stop(self) -> None:
        """End everything, politely, then not."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(STOP_TIMEOUT_S)
        self.running.clear()

    def ended(self) -> str | None:
        """The name of a part that ended by itself, or None."""
        return next((name for name, process in self.running.items() if process.poll() is not None), None)

    def hub_command(self, *arguments: str) -> str:
        return run(program("songshan-hub"), "--hub", str(self.hub), *arguments)

    def box_command(self, site: Site, *arguments: str) -> str:
        return run(program("songshan"), "--home", str(site.home), *arguments)

    def hub_facts(self, *arguments: str) -> Any:
        return json.loads(self.hub_command(*arguments, "--json"))

    def box_facts(self, site: Site, *arguments: str) -> Any:
        return json.loads(self.box_command(site, *arguments, "--json"))


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def program(name: str) -> str:
    """The installed command beside this Python."""
    return str(Path(sys.executable).with_name(name))


def run(*argv: str) -> str:
    """Run a command to its end; its standard output. StageError with what it said when it fails."""
    done = subprocess.run(argv, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-2000:]
        shown = " ".join(argv[:1] + argv[3:6])
        raise StageError(
            Text(f"{shown} 失败（{done.returncode}）：{said}", f"{shown} failed ({done.returncode}): {said}")
        )
    return done.stdout.decode()


def fetch(url: str) -> Answer:
    """GET; an HTTP error is an answer, a refused connection has status 0."""
    try:
        with urllib.request.urlopen(url, timeout=HTTP_TIMEOUT_S) as response:  # noqa: S310  # loopback, made here
            return Answer(response.status, response.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read())
    except (urllib.error.URLError, OSError):
        return Answer(0, b"")


def until(what: str, holds: Callable[[], T], timeout_s: float = 60) -> T:
    """Ask again and again until the answer is true; StageError when it is not in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = holds()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise StageError(Text(f"{timeout_s:.0f} 秒内未见：{what}", f"not seen within {timeout_s:.0f} s: {what}"))
        time.sleep(POLL_S)


def see(seen: bool, what: str) -> None:
    """What must be so now; StageError where it is not."""
    if not seen:
        raise StageError(Text(f"未见：{what}", f"not seen: {what}"))


def playlist_lines(text: str) -> Iterator[str]:
    """The segment addresses of a playlist, in order."""
    return (line for line in text.splitlines() if line and not line.startswith("#"))


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
