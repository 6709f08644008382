"""A hub that is served, and boxes that speak with it through the plain ssh and rsync programs."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.clock import SYSTEM_CLOCK
from appliance.core import journal, records
from appliance.core.events import Event, RecordsArrived
from appliance.core.journal import Checkpoint, Position, Record, genesis
from appliance.core.session import Session
from appliance.joining import Bundle, read_bundle
from provisioning import identity
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.library import Library

TIMEOUT_S = 30
T = TypeVar("T")
E = TypeVar("E")


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def until(holds: Callable[[], T], timeout_s: float = TIMEOUT_S) -> T:
    """Ask until the answer is true; the test fails when it is not in time."""
    deadline = time.monotonic() + timeout_s
    while not (answer := holds()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)
    return answer


@dataclass
class LiveHub:
    """One hub in a folder; `serving` while it is up."""

    path: Path
    serving: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> HubFolder:
        return HubFolder(self.path)

    @property
    def journals(self) -> HubJournals:
        return HubJournals(self.folder)

    @property
    def library(self) -> Library:
        return Library(self.folder)

    def run(self, *arguments: str, status: int = 0) -> str:
        """songshan-hub; its output. The exit status must be the expected one."""
        done = self.attempt(*arguments)
        assert done.returncode == status, done.stderr
        return done.stdout if status == 0 else done.stderr

    def attempt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [program("songshan-hub"), "--hub", str(self.path), *arguments]
        env = {**os.environ, "SONGSHAN_LANG": "en"}
        return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, env=env)

    def facts(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))

    def serve(self) -> None:
        """Start sshd and wait until it has said so."""
        argv = [program("songshan-hub"), "--hub", str(self.path), "serve", "--port"]
        argv.append("0" if self.serving is None else str(self.folder.settings().port))
        self.serving = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert self.serving.stdout is not None
        assert b"127.0.0.1" in self.serving.stdout.readline()

    def end(self) -> int:
        assert self.serving is not None
        assert self.serving.stdout is not None
        self.serving.terminate()
        self.serving.stdout.close()
        return self.serving.wait(TIMEOUT_S)

    def kill(self) -> None:
        """As a power cut would."""
        assert self.serving is not None
        assert self.serving.stdout is not None
        self.serving.kill()
        self.serving.stdout.close()
        self.serving.wait(TIMEOUT_S)

    def refusals(self) -> list[dict[str, Any]]:
        path = self.path / "log" / "refusals.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def box(self, site: str, home: Path, *options: str) -> "LiveBox":
        """A box that has joined, approved unless the options say otherwise."""
        bundle = home.with_suffix(".bundle")
        self.run("enrol", site, "--out", str(bundle), *(options or ("--approve",)))
        box = LiveBox(self, site, home, read_bundle(bundle))
        done = box.join(bundle)
        assert done.returncode == 0, done.stderr
        return box


@dataclass
class LiveBox:
    """What a site has: its keys, and the programs of any machine."""

    hub: LiveHub
    site: str
    home: Path
    bundle: Bundle
    sign_key_override: Ed25519PrivateKey | None = field(default=None)

    @property
    def sign_key(self) -> Ed25519PrivateKey:
        return self.sign_key_override or identity.read_private(self.home / "keys" / "sign")

    def join(self, bundle: Path, *options: str) -> subprocess.CompletedProcess[str]:
        argv = [program("songshan"), "--home", str(self.home), "join", *options, str(bundle)]
        env = {**os.environ, "SONGSHAN_LANG": "en"}
        return subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=env)

    def ssh(self) -> list[str]:
        """The ssh command up to the remote command, with this box's key and the pinned host key alone."""
        address = self.bundle.hub
        known = self.home / "known_hosts"
        port = self.hub.folder.settings().port
        known.write_text("".join(f"[{address.host}]:{port} {line}\n" for line in address.host_keys))
        options = [f"UserKnownHostsFile={known}", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "BatchMode=yes"]
        named = [word for option in options for word in ("-o", option)]
        return ["ssh", "-F", "none", "-p", str(port), "-i", str(self.home / "keys" / "ssh"), *named]

    @property
    def remote(self) -> str:
        return f"{self.bundle.hub.user}@{self.bundle.hub.host}"

    def command(self, command: str, said: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        argv = [*self.ssh(), self.remote, command]
        return subprocess.run(argv, input=said, capture_output=True, timeout=TIMEOUT_S, check=False)

    def rsync_argv(self, *arguments: str) -> list[str]:
        return ["rsync", "-e", " ".join(self.ssh()), "--timeout=20", *arguments]

    def rsync(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(self.rsync_argv(*arguments), capture_output=True, timeout=TIMEOUT_S, check=False)

    def fetch(self, digest: str) -> bytes | None:
        """The bytes of an asset, None when the hub does not give it."""
        into = self.home / "fetched"
        into.mkdir(exist_ok=True)
        name = digest.removeprefix("sha256:")
        done = self.rsync(f"{self.remote}:{name}", f"{into}/")
        return (into / name).read_bytes() if done.returncode == 0 else None

    def upload(self, path: Path) -> subprocess.CompletedProcess[bytes]:
        return self.rsync("--inplace", "--partial", str(path), f"{self.remote}:")

    @contextmanager
    def session(self, **have: Position) -> Iterator["BoxSession"]:
        """A control session, past the greeting."""
        argv = [*self.ssh(), self.remote, "session"]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            session = BoxSession(
                self, process, Session.box(self.site, have, self.position(), "test", SYSTEM_CLOCK.wall_us())
            )
            try:
                yield session
            finally:
                process.kill()

    def position(self) -> Position:
        return self.hub.journals.stream(f"{self.site}/report").position()


@dataclass
class BoxSession:
    """The box's end of a control session over a running ssh."""

    box: LiveBox
    process: subprocess.Popen[bytes]
    session: Session
    events: list[Event] = field(default_factory=list)
    ended: bool = False

    def pump(self, wait_s: float = 0.05) -> None:
        """Send what is queued, read what is there; records are acknowledged unjudged."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        data = self.session.data_to_send()
        if data:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        if select.select([self.process.stdout], [], [], wait_s)[0]:
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            self.ended = not data
            arrived = self.session.receive(data)
            for event in arrived:
                if isinstance(event, RecordsArrived):
                    self.session.ack(journal.position_after(event.records[-1]))
            self.events += arrived

    def wait(self, kind: type[E], matching: Callable[[E], bool] = lambda _event: True) -> E:
        """The first event of a kind that matches; it and all before it are forgotten."""

        def found() -> E | None:
            self.pump()
            for number, event in enumerate(self.events):
                if isinstance(event, kind) and matching(event):
                    del self.events[: number + 1]
                    return event
            assert not self.ended, "the session ended"
            return None

        return until(found)

    def send(self, *written: tuple[str, str, records.Body]) -> list[Record]:
        """Write records (kind, key, body) to the report stream and offer them under a checkpoint."""
        made = chain(self.box.position(), written)
        until(lambda: self.pump() or self.session.may_send(f"{self.box.site}/report"))
        self.session.offer(f"{self.box.site}/report", made, signed(made[-1], self.box.sign_key))
        return made


def chain(position: Position, written: tuple[tuple[str, str, records.Body], ...]) -> list[Record]:
    """Records that follow a position."""
    made: list[Record] = []
    for kind, key, body in written:
        made.append(journal.append(position, kind, key, records.encode(body), SYSTEM_CLOCK.wall_us()))
        position = journal.position_after(made[-1])
    return made


def signed(record: Record, key: Ed25519PrivateKey) -> Checkpoint:
    at_us = SYSTEM_CLOCK.wall_us()
    return journal.sign_checkpoint(journal.position_after(record), at_us, at_us + 60_000_000, key)


def nowhere(site: str) -> Position:
    return genesis(f"{site}/report")
