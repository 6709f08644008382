"""A box for tests: a config without any file of it, items and commands to put in, and disks that are small."""

import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from appliance.config import ChannelConfig, Config, HubAddress, Limits
from appliance.core.asset import Asset
from appliance.core.item import Item, SignOff

ROOT = Path(__file__).parents[2]
AT = "2026-11-24T06:00:00Z"
AT_US = 1_795_500_000_000_000
S = 1_000_000
HUB = HubAddress(
    id="songshan",
    host="127.0.0.1",
    port=22,
    user="songshan",
    host_keys=("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA==",),
    sign_key="A" * 43 + "=",
)


def box(home: Path, hub: HubAddress | None = HUB, limits: Limits | None = None) -> Config:
    """The config of a box that lives in `home`."""
    return Config(
        home=home,
        run=home / "run",
        site="dengfeng",
        name="登封市融媒体中心",
        hub=hub,
        channels=(ChannelConfig("dengfeng-1", "登封综合"),),
        limits=limits or Limits(),
    )


def digest(letter: str) -> str:
    """A digest of nothing that exists."""
    return "sha256:" + letter * 64


def asset(letter: str, size_bytes: int = 5) -> Asset:
    return Asset(digest=digest(letter), size_bytes=size_bytes, name=f"{letter}.mp4", role="video")


def item(
    identity: str = "i1",
    *,
    assets: tuple[Asset, ...] = (),
    created_at: str = AT,
    title: str = "嵩山秋色",
    section: str = "news",
    publish_at: str | None = None,
    until: str | None = None,
    signed: bool = True,
    body_html: str = "",
) -> Item:
    return Item(
        id=identity,
        title=title,
        section=section,  # type: ignore[arg-type]
        origin="hub",
        created_at=created_at,
        assets=assets,
        publish_at=publish_at,
        until=until,
        body_html=body_html,
        sign_offs=(SignOff("final", "值班总编", AT),) if signed else (),
    )


def run(code: str, *arguments: str | Path, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, at the root of the project."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def started(code: str, *arguments: str | Path) -> "subprocess.Popen[str]":
    """The same, not waited for; its standard output can be read."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def dies(act: Callable[[], object], at_step: int) -> bool:
    """Do something in a process that a SIGKILL ends just before its step number `at_step`; whether it came so far.

    A step is a statement of SQL on a connection of `watched`, or a change that Python makes to the file system.
    """
    child = os.fork()
    if child == 0:
        try:
            left = [at_step]

            def step(*_what: object) -> None:
                left[0] -= 1
                if left[0] <= 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            _steps.append(step)
            sys.addaudithook(lambda event, _arguments: step() if event in _CHANGES else None)
            act()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _child, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "what was to die failed by itself"
    return os.WIFSIGNALED(status)


def watched(db: Database) -> Database:
    """Each statement on this connection is a step of `dies`."""
    db.conn.set_trace_callback(lambda _sql: [step() for step in _steps] and None)
    return db


_steps: list[Callable[..., None]] = []
_CHANGES = frozenset(
    {"open", "os.rename", "os.symlink", "os.remove", "os.link", "os.mkdir", "os.chmod", "shutil.copyfile"}
)


@contextmanager
def small_disk(folder: Path, size: str = "1m") -> Iterator[Path]:
    """A real file system with next to no room; needs root."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True, timeout=10)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=10)
