"""`songshan-hub check-storage`: whether a file system can carry a hub, seen from two gateways at once.

A hub is kept whole by a few things that a file system promises (docs/formats.md, section 4). On one machine any of
Debian's keeps them; across machines they have to be tried. One process works here, the other at the other gateway, over
its standard input and output: through ssh it runs where one likes.
"""

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import click
import msgspec

from appliance.command import say, say_json
from appliance.core.errors import OperatorError, Refused, Text, WorldError
from appliance.durable import disk_errors, sync_folder, write_atomically

REPLACEMENTS: Final = 200
SEEN_WITHIN_S: Final = 10.0
"""By then the other gateway must see what was written. A hub looks once a second."""
FREED_WITHIN_S: Final = 60.0
"""A gateway that died must have lost its locks by then: so long no gate can write."""
ANSWER_BYTES_MAX: Final = 1024 * 1024
_POLL_S: Final = 0.02


class Asked(msgspec.Struct, frozen=True):
    """What the process at the other gateway is to do with a file."""

    do: str
    name: str
    times: int = 0


class Finding(msgspec.Struct, frozen=True):
    """One property, whether it holds, and what was seen."""

    what: Text
    holds: bool
    after_s: float | None = None
    """How long it took at most."""
    detail: str = ""
    """What was seen in its place."""


@click.command("check-storage")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--other", type=click.Path(path_type=Path), help="the same storage, as the other gateway has it mounted")
@click.option("--via", default="", metavar="COMMAND", help='what starts a program there, for example "ssh gateway-2"')
@click.option("--follow", is_flag=True, hidden=True)
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
def check_storage(folder: Path, other: Path | None, via: str, follow: bool, as_json: bool) -> None:
    """Try whether a hub may lie in FOLDER, seen from two gateways; exit status 1 where it may not.

    Example: songshan-hub check-storage /srv/songshan-hub --other /srv/songshan-hub --via "ssh gateway-2"
    """
    if follow:
        _follow(folder, sys.stdin.buffer, sys.stdout.buffer)
        return
    if not os.access(folder, os.W_OK):
        raise OperatorError(Text(f"{folder} 不可写", f"{folder} cannot be written"))
    findings = tuple(check(folder, other or folder, shlex.split(via)))
    if as_json:
        say_json({"findings": findings})
    else:
        for finding in findings:
            took = f"  {finding.after_s:.2f} s" if finding.after_s is not None else f"  {finding.detail}"
            mark = "ok " if finding.holds else "NO "
            say(Text(f"{mark} {finding.what.zh}{took}", f"{mark} {finding.what.en}{took}"))
    if not all(finding.holds for finding in findings):
        raise Refused(
            Text("此文件系统不能作为多入口的嵩山云", "no hub with several gateways may lie on this file system"),
            hint=Text("见 docs/operating.md，第 2 节", "see docs/operating.md, section 2"),
        )


def check(folder: Path, other: Path, via: list[str]) -> Iterator[Finding]:
    """Each property, tried in a folder of its own that goes again."""
    ground = folder / f".check-storage-{os.getpid()}"
    with disk_errors(folder):
        ground.mkdir(mode=0o700)
    argv = [*via, *_program(bool(via)), "check-storage", str(other / ground.name), "--follow"]
    try:
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                yield from _tried(Pair(ground, process, process.stdin, process.stdout))
            finally:
                process.kill()
    finally:
        shutil.rmtree(ground, ignore_errors=True)


@dataclass
class Pair:
    """This gateway, and the process at the other one."""

    ground: Path
    process: "subprocess.Popen[bytes]"
    to: IO[bytes]
    back: IO[bytes]

    def ask(self, do: str, name: str, times: int = 0) -> str:
        """What comes of it there."""
        self.begin(do, name, times)
        return self.answer()

    def begin(self, do: str, name: str, times: int = 0) -> None:
        self.to.write(msgspec.json.encode(Asked(do, name, times)) + b"\n")
        self.to.flush()

    def answer(self) -> str:
        line = self.back.readline(ANSWER_BYTES_MAX)
        if not line:
            raise WorldError(
                Text("另一入口没有回答", "the other gateway does not answer"),
                hint=Text("核对 --other 与 --via", "look at --other and --via"),
            )
        return msgspec.json.decode(line, type=str)

    def seen(self, do: str, name: str, wanted: str) -> float | None:
        """Seconds until the other gateway sees it; None: not in time."""
        return _until(lambda: self.ask(do, name) == wanted, SEEN_WITHIN_S)


def _tried(pair: Pair) -> Iterator[Finding]:
    ground = pair.ground
    write_atomically(ground / "a", b"first")
    after_s = pair.seen("read", "a", "first")
    yield Finding(Text("写入对方可见", "what is written is seen by the other"), after_s is not None, after_s)
    pair.begin("watch", "a", REPLACEMENTS)
    for number in range(REPLACEMENTS):
        write_atomically(ground / "a", b"next %d" % number)
    seen = pair.answer()
    what = Text("改名替换不缺不半", "a rename replaces: never nothing, never half")
    yield Finding(what, seen == "whole", detail="" if seen == "whole" else seen)
    after_s = pair.seen("read", "a", f"next {REPLACEMENTS - 1}")
    yield Finding(Text("替换对方可见", "a replacement is seen by the other"), after_s is not None, after_s)
    with (ground / "b").open("ab") as file:
        for part in (b"one ", b"two"):
            file.write(part)
            file.flush()
            os.fsync(file.fileno())
        after_s = pair.seen("read", "b", "one two")
    yield Finding(Text("追加对方可见", "what is appended is seen by the other"), after_s is not None, after_s)
    yield _only_one_creates(pair)
    yield _links(pair)
    yield _inode(pair)
    yield _times(pair)
    yield from _locks(pair)


def _only_one_creates(pair: Pair) -> Finding:
    wins = 0
    for number in range(REPLACEMENTS // 4):
        pair.begin("create", f"c{number}")
        mine = _create(pair.ground / f"c{number}")
        wins += (mine == "made") + (pair.answer() == "made")
    return Finding(Text("独占新建只成一个", "of two that create a name one succeeds"), wins == REPLACEMENTS // 4)


def _links(pair: Pair) -> Finding:
    os.link(pair.ground / "a", pair.ground / "linked")
    sync_folder(pair.ground)
    after_s = pair.seen("links", "a", "2")
    is_refused = pair.ask("link", "linked") == "there"
    return Finding(Text("硬链接", "hard links, and none over another"), after_s is not None and is_refused, after_s)


def _inode(pair: Pair) -> Finding:
    write_atomically(pair.ground / "d", b"d")
    number = str((pair.ground / "d").stat().st_ino)
    (pair.ground / "d").rename(pair.ground / "e")
    after_s = pair.seen("inode", "e", number)
    return Finding(
        Text("改名不变号，两边同号", "a file keeps its number, the same for both"), after_s is not None, after_s
    )


def _times(pair: Pair) -> Finding:
    at_ns = 1_700_000_000_123_456_000
    os.utime(pair.ground / "a", ns=(at_ns, at_ns))
    after_s = pair.seen("time", "a", str(at_ns // 1000))
    return Finding(Text("时间戳到微秒", "times to the microsecond"), after_s is not None, after_s)


def _locks(pair: Pair) -> Iterator[Finding]:
    """Last of all, for the other process dies in it."""
    with (pair.ground / "lock").open("ab") as mine:
        fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_excluded = pair.ask("lock", "lock") == "held"
    yield Finding(Text("flock 互斥", "flock excludes the other"), is_excluded)
    after_s = pair.seen("lock", "lock", "taken")
    yield Finding(Text("放锁后对方可得", "a lock that is let go is had by the other"), after_s is not None, after_s)
    pair.process.kill()
    with (pair.ground / "lock").open("ab") as mine:
        after_s = _until(lambda: _lock(mine) == "taken", FREED_WITHIN_S)
    what = Text("持锁进程被杀后锁即放开", "a lock does not outlive its process at the other gateway")
    yield Finding(what, after_s is not None, after_s)


def _follow(ground: Path, asked: IO[bytes], answers: IO[bytes]) -> None:
    """Do what is asked until nobody asks any more."""
    held: list[IO[bytes]] = []
    while line := asked.readline(ANSWER_BYTES_MAX):
        question = msgspec.json.decode(line, type=Asked)
        answers.write(msgspec.json.encode(_done(ground / question.name, question, held)) + b"\n")
        answers.flush()


def _done(path: Path, question: Asked, held: list[IO[bytes]]) -> str:
    acts: dict[str, Callable[[], str]] = {
        "read": lambda: path.read_text(),
        "links": lambda: str(path.stat().st_nlink),
        "inode": lambda: str(path.stat().st_ino),
        "time": lambda: str(path.stat().st_mtime_ns // 1000),
        "create": lambda: _create(path),
        "link": lambda: _link(path),
        "watch": lambda: _watch(path, question.times),
        "lock": lambda: _take(path, held),
    }
    try:
        return acts[question.do]()
    except OSError as error:
        return f"error {error.errno}"


def _create(path: Path) -> str:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return "there"
    return "made"


def _link(path: Path) -> str:
    try:
        os.link(path.with_name("b"), path)
    except FileExistsError:
        return "there"
    return "made"


def _watch(path: Path, times: int) -> str:
    """Look at it until the last replacement, or long enough."""
    last, deadline_s = f"next {times - 1}", time.monotonic() + FREED_WITHIN_S
    while time.monotonic() < deadline_s:
        try:
            text = path.read_text()
        except OSError as error:
            return f"error {error.errno}"
        if text != "first" and not text.startswith("next "):
            return f"torn: {text[:40]!r}"
        if text == last:
            return "whole"
    return "late"


def _take(path: Path, held: list[IO[bytes]]) -> str:
    file = path.open("ab")
    taken = _lock(file)
    if taken == "taken":
        held.append(file)
    else:
        file.close()
    return taken


def _lock(file: IO[bytes]) -> str:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "held"
    return "taken"


def _until(holds: Callable[[], bool], within_s: float) -> float | None:
    began_s = time.monotonic()
    while not holds():
        if time.monotonic() - began_s > within_s:
            return None
        time.sleep(_POLL_S)
    return time.monotonic() - began_s


def _program(is_elsewhere: bool) -> list[str]:
    """By its name where it runs on another machine, else this very one."""
    return ["songshan-hub"] if is_elsewhere else [sys.executable, "-m", "provisioning.command"]
