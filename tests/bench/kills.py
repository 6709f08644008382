"""Hard kills of both ends within one transfer: what is sent again, and what is left lying about.

Each time another twentieth or so of the file has passed the line, everything at both ends is killed with SIGKILL and
started again. rsync is shown as it is mostly run (`--partial`, `--partial-dir`) and as it keeps what has come
(`--inplace`). Sent again is all that passed the line beyond the file itself: also the
greetings of 21 sessions, and what both ends say to find out where they were.
"""

import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench import ours, sync
from tests.bench.corpus import Corpus, large
from tests.bench.oneshot import Account, Rsync, account
from tests.bench.program import Taken, end, kill_all, measured, shown_bytes, wait
from tests.bench.row import Row
from tests.simulators.link import Link, link

KILLS = 20
SENT_AGAIN_BYTES_MAX = 1024 * 1024
"""For each kill."""
LIMIT_S = 180
RATE_BYTES_PER_S = 50_000_000
"""A line that neither end can outrun: what lies in buffers on either side of it at a kill was not sent yet."""
WAYS = {"--partial": ["--partial"], "--partial-dir": ["--partial-dir=.partial"], "--inplace": ["--inplace"]}


@dataclass(frozen=True)
class Endured:
    """How one program got through the kills."""

    taken: Taken
    again_bytes: int
    orphan_files: int
    orphan_bytes: int
    is_whole: bool

    def text(self) -> str:
        left = f"{self.orphan_files} orphans {shown_bytes(self.orphan_bytes)}" if self.orphan_files else "no orphan"
        return f"{shown_bytes(self.again_bytes)} again, {left}{'' if self.is_whole else ', NOT whole'}"

    def as_json(self) -> dict[str, object]:
        orphans = {"orphan_files": self.orphan_files, "orphan_bytes": self.orphan_bytes}
        return {**self.taken.as_json(), "again_bytes": self.again_bytes, **orphans, "is_whole": self.is_whole}


def rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """One file of 1 GB."""
    corpus = large(folder / "corpus", 1, 128 if quick else 1024)
    found = {"ours": _ours(folder / "ours", corpus)}
    if sync.installed()["rsync"]:
        with account(folder / "account") as ssh_account:
            for way, options in WAYS.items():
                found[f"rsync {way}"] = _rsync(folder / f"rsync{way}", corpus, ssh_account, options)
    mine, rate = found["ours"], f"{RATE_BYTES_PER_S * 8 // 1_000_000} Mbit/s"
    yield Row(
        f"{KILLS} hard kills of both ends, {corpus.size_bytes // 1024**2} MiB, {rate}",
        mine.text(),
        "; ".join(f"{name} {each.text()}" for name, each in found.items() if name != "ours"),
        "<= 1 MiB a kill, no orphan",
        mine.is_whole and mine.orphan_files == 0 and mine.again_bytes <= KILLS * SENT_AGAIN_BYTES_MAX,
        {name: each.as_json() for name, each in found.items()},
    )


def _ours(folder: Path, corpus: Corpus) -> Endured:
    with (
        sync.own_folder(folder) as own,
        closing(ours.Ours(own)) as one,
        link(one.server_port, 0.0, RATE_BYTES_PER_S) as line,
    ):
        one.connect(line.port)
        one.stock(corpus)

        def begin() -> None:
            if "hub" not in one.stage.running:
                one.stage.start_hub()
            one.stage.start_agent(one.site)

        def is_done() -> bool:
            with suppress(sqlite3.OperationalError):
                return one.held()[0] == corpus.count
            return False

        taken = measured(line, lambda: _endure(line, corpus, begin, one.kill_both, is_done))
        incoming = [path for path in (one.site.home / "media" / "incoming").iterdir() if path.is_file()]
        return _endured(taken, corpus, incoming, is_whole=one.holds(corpus))


def _rsync(folder: Path, corpus: Corpus, ssh_account: Account, options: list[str]) -> Endured:
    with sync.own_folder(folder) as own, closing(Rsync(ssh_account, own, "rsync")) as one:
        with link(one.server_port, 0.0, RATE_BYTES_PER_S) as line:
            one.connect(line.port)
            one.stock(corpus)
            running: list[subprocess.Popen[bytes]] = []

            def begin() -> None:
                # With --delete the next run would take away what the one before it left lying about.
                program, *others = [word for word in one.argv() if word != "--delete"]
                argv = [program, *options, *others]
                with one.log.open("ab") as log:
                    process = subprocess.Popen(
                        argv,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        env=one.environ(),
                        start_new_session=True,
                    )
                running.append(process)

            def kill() -> None:
                serving = ssh_account.sessions()
                # The box first: rsync that sees the other end go tidies up, which a power cut gives nobody time for.
                end(running.pop())
                kill_all(serving)

            def is_done() -> bool:
                return running[-1].poll() == 0

            taken = measured(line, lambda: _endure(line, corpus, begin, kill, is_done))
        left = [path for path in one.box.rglob("*") if path.is_file()]
        (source,) = corpus.files()
        whole = one.box / source.name
        is_whole = whole.is_file() and whole.stat().st_size == corpus.size_bytes
        return _endured(taken, corpus, [path for path in left if path != whole], is_whole=is_whole)


def _endure(
    line: Link, corpus: Corpus, begin: Callable[[], None], kill: Callable[[], None], is_done: Callable[[], bool]
) -> None:
    """Begin, kill once another part has passed, begin again; then let it end."""
    part_bytes = corpus.size_bytes // (KILLS + 1)
    for _ in range(KILLS):
        before = line.bytes_down
        begin()
        wait(lambda: line.bytes_down - before >= part_bytes or is_done(), LIMIT_S)  # noqa: B023  # waited for here
        kill()
    begin()
    wait(is_done, LIMIT_S)


def _endured(taken: Taken, corpus: Corpus, orphans: list[Path], *, is_whole: bool) -> Endured:
    again_bytes = max(0, taken.wire_bytes - corpus.size_bytes)
    return Endured(taken, again_bytes, len(orphans), sum(path.stat().st_size for path in orphans), is_whole)
