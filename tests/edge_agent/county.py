"""A county's box as its people run it: `songshan agent` in a process, its folders, its commands, its database."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil

from appliance.core.errors import WorldError
from appliance.store.database import reading
from tests.provisioning.live import TIMEOUT_S, LiveHub, program, until

QUICK = "\n[limits]\nreserve_bytes = 1000000\ndrop_settled_s = 0.3\n"
ENVIRON = {**os.environ, "SONGSHAN_LANG": "en"}


@dataclass
class County:
    """One box in a folder. `agent` is the process, when it runs."""

    home: Path
    hub: LiveHub
    agent: subprocess.Popen[bytes] | None = None
    logs: list[Path] = field(default_factory=list)

    def limit(self, name: str, value: float) -> None:
        """One more line in the config's limits."""
        with (self.home / "appliance.toml").open("a") as config:
            config.write(f"{name} = {value}\n")

    def start(self) -> None:
        self.logs.append(self.hub.path.parent / f"{self.home.name}-{len(self.logs)}.log")
        with self.logs[-1].open("wb") as log:
            self.agent = subprocess.Popen(
                [program("songshan"), "--home", str(self.home), "agent"], stdout=log, stderr=log, env=ENVIRON
            )

    def kill(self) -> None:
        """SIGKILL to the agent alone; what it started must die by itself."""
        assert self.agent is not None
        self.agent.kill()
        self.agent.wait(TIMEOUT_S)

    def end(self) -> int:
        """SIGTERM; the exit status."""
        assert self.agent is not None
        self.agent.send_signal(signal.SIGTERM)
        return self.agent.wait(TIMEOUT_S)

    def once(self, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        return self.run("agent", "--once", timeout_s=timeout_s)

    def run(self, *words: str, timeout_s: float = TIMEOUT_S) -> subprocess.CompletedProcess[str]:
        argv = [program("songshan"), "--home", str(self.home), *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False, env=ENVIRON)

    def facts(self, *words: str) -> Any:
        done = self.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Asked of the database as any reader may."""
        try:
            with reading(self.home / "state" / "box.db") as db:
                return db.conn.execute(sql, values).fetchall()
        except WorldError:
            # Not made yet, or half migrated.
            return []

    def served(self) -> set[str]:
        """What HTTP may serve now."""
        public = self.home / "public"
        return {f"sha256:{path.name}" for path in public.iterdir()} if public.exists() else set()

    def staged(self) -> list[str]:
        return sorted(path.name for path in (self.home / "media" / "incoming").iterdir())

    def orphans(self) -> list[str]:
        """Processes that still have to do with this home."""
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            line = " ".join(process.info["cmdline"] or ())
            if str(self.home) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(line)
        return found

    def states(self) -> list[tuple[str, str]]:
        """Title and state of what was sent up."""
        return self.rows("SELECT title, state FROM submissions ORDER BY created_at_us")

    def alarms(self) -> dict[str, str]:
        return {
            name.removeprefix("raised:"): json.loads(text)["en"]
            for name, text in self.rows("SELECT id, text FROM alarms")
        }

    def said(self) -> str:
        return "".join(log.read_text() for log in self.logs)


def digest_of(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


@contextmanager
def county(hub: LiveHub, home: Path, site: str = "dengfeng") -> Iterator[County]:
    """A box that has joined, with limits for tests; its agent is not started yet, and ended at the end."""
    hub.box(site, home)
    with (home / "appliance.toml").open("a") as config:
        config.write(QUICK)
    box = County(home, hub)
    try:
        yield box
    finally:
        if box.agent is not None and box.agent.poll() is None:
            assert box.end() == 0, box.said()


def published(hub: LiveHub, data: bytes, name: str, *options: str) -> tuple[str, str]:
    """A file published at the hub: the item's id and the digest."""
    source = hub.path.parent / name
    source.write_bytes(data)
    return hub.run("publish", "--title", name, *options, str(source)).split()[-1], digest_of(data)


__all__ = ["County", "county", "digest_of", "published", "until"]
