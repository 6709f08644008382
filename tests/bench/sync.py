"""First copy, nothing changed, one change, another name: this project beside rsync, Unison, rclone bisync, Syncthing.

    python -m tests.bench --only small            10,000 small files on loopback and over the thin line
    python -m tests.bench --only many             100,000 of them
    python -m tests.bench --only large            files of 50 MB
    python -m tests.bench --only small --quick    the same with few files and ours and rsync alone, in a minute

Every program copies the same bytes from a hub to a box on this machine, through the line of tests/simulators/link.py,
which counts what passes both ways. All go over ssh but Syncthing, which has its own TLS. A program that is not done
within its bound is ended, and shown as "> bound"; where that was its first copy, the box gets the files by a copy
beside the line, so that the later figures can be had.
"""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench import oneshot, ours, syncthing
from tests.bench.corpus import Corpus, large, small
from tests.bench.exchange import exchange
from tests.bench.oneshot import Account, account
from tests.bench.program import Program, TooSlow, measured
from tests.bench.row import Row
from tests.bench.verdicts import Figures, Shape, Table, large_rows, row, small_rows
from tests.simulators.link import Link, link
from tests.simulators.namespace import lacking, namespace

ASKED = 5
QUICK = ("ours", "rsync")
PEER_FAILS = (AssertionError, TooSlow, OSError)
"""What leaves a program of others out, with its words; of ours it breaks the part off."""


@dataclass(frozen=True)
class Bounds:
    """How long a program may take for its first copy (0: it is seeded), and for each later run."""

    first_s: float
    later_s: float


LOOPBACK = Shape("loopback")
LINE = Shape("20 Mbit/s, 60 ms", 0.06, 2_500_000)


def few(folder: Path, *, quick: bool) -> Iterator[Row]:
    """10,000 small files."""
    corpus = small(folder / "corpus", 500 if quick else 10_000)
    for shape in (LOOPBACK, LINE):
        found = table(folder, corpus, shape, Bounds(90, 60), quick=quick)
        yield from small_rows(found, corpus, shape)
        yield _durable(folder, found, corpus, shape)


def _durable(folder: Path, found: Table, corpus: Corpus, shape: Shape) -> Row:
    """Ours is on the disk when it says so; rsync's is where it is told to fsync each file."""
    with account(folder / f"account-durable-{shape.name.split()[0]}") as ssh_account:
        one = oneshot.Durable(ssh_account, folder / "durable", "rsync --fsync")
        with (
            own_folder(one.folder),
            closing(one),
            link(one.server_port, shape.round_trip_s, shape.rate_bytes_per_s) as line,
        ):
            one.connect(line.port)
            one.stock(corpus)
            first = {"ours": found["ours"], one.name: {"first": measured(line, partial(one.sync, 240))}}
    return row(f"first copy that a power cut leaves whole, {corpus.count:,} files, {shape.name}", first, "first")


def many(folder: Path, *, quick: bool) -> Iterator[Row]:
    """100,000 small files. Over the thin line only ours and rsync copy them for the first time; the others, which took
    several times as long for 10,000, would take hours together, and are seeded."""
    corpus = small(folder / "corpus", 1_000 if quick else 100_000)
    yield from small_rows(table(folder, corpus, LOOPBACK, Bounds(240, 120), quick=quick), corpus, LOOPBACK)
    rows = table(folder, corpus, LINE, Bounds(0, 120), quick=quick, first_of=QUICK)
    yield from small_rows(rows, corpus, LINE)


def of_50_mb(folder: Path, *, quick: bool) -> Iterator[Row]:
    """20 of them on loopback. Over the thin line, where each takes 20 seconds, 4 of them by ours and rsync alone."""
    corpus = large(folder / "corpus-20", 2 if quick else 20, 50)
    yield from large_rows(table(folder, corpus, LOOPBACK, Bounds(120, 60), quick=quick, later=False), corpus, LOOPBACK)
    corpus = large(folder / "corpus-thin", 1 if quick else 4, 50)
    yield from large_rows(table(folder, corpus, LINE, Bounds(180, 60), quick=True, later=False), corpus, LINE)
    yield from _in_a_namespace(folder)


def _in_a_namespace(folder: Path) -> Iterator[Row]:
    """One for ours and rsync over a token bucket of the kernel's, with its delay where it can do that; shown, and held
    to nothing, since that rate includes the headers of TCP and IP."""
    delays = (LINE.round_trip_s, 0.0)
    found = [delay_s for delay_s in delays if not lacking(delay_s, LINE.rate_bytes_per_s)]
    if not found:
        yield Row("first copy in a network namespace", "-", lacking(0.0, LINE.rate_bytes_per_s))
        return
    shape = Shape(f"namespace, 20 Mbit/s, {found[0] * 1000:.0f} ms", found[0], LINE.rate_bytes_per_s)
    corpus, rows = large(folder / "corpus-1", 1, 50), Table()
    with namespace(shape.round_trip_s, shape.rate_bytes_per_s) as line, account(folder / "account-in") as ssh_account:
        for name in chosen(quick=True):
            with own_folder(folder / name) as own, closing(made(own, name, ssh_account)) as one:
                line.serve_at(one.server_port)
                one.stock(corpus)
                rows[name] = {"first": measured(line, partial(one.sync, 120))}
    yield row(f"first copy, 1 of 50 MiB, {shape.name}", rows, "first")


def installed() -> dict[str, str | None]:
    """The versions of the others; None where one is not there."""
    return {**oneshot.versions(), "syncthing": syncthing.version()}


def chosen(*, quick: bool) -> list[str]:
    """Ours and the others that are installed; where it is only to be seen that it runs, rsync alone."""
    return ["ours", *(name for name, version in installed().items() if version and not (quick and name not in QUICK))]


def table(
    folder: Path,
    corpus: Corpus,
    shape: Shape,
    bounds: Bounds,
    *,
    quick: bool,
    later: bool = True,
    first_of: tuple[str, ...] | None = None,
) -> Table:
    """Every program's figures for one tree over one line, one program after the other."""
    found: Table = {}
    with account(folder / f"account-{corpus.count}-{shape.name.split()[0]}") as ssh_account:
        for name in chosen(quick=quick):
            first_s = bounds.first_s if first_of is None or name not in first_of else 240
            mine = Bounds(first_s, bounds.later_s)
            try:
                found[name] = _figures(folder / name, name, ssh_account, corpus, shape, mine, later=later)
            except PEER_FAILS as error:
                if name == "ours":
                    raise
                print(f"  {shape.name}, {corpus.count:,} files, {name} failed, no figures of it: {error}", flush=True)
                continue
            said = ", ".join(f"{key} {taken.text()}" for key, taken in found[name].items())
            print(f"  {shape.name}, {corpus.count:,} files, {name}: {said}", flush=True)
    return found


def made(folder: Path, name: str, ssh_account: Account) -> Program:
    """A program with its servers running and nothing to copy yet."""
    if name == "ours":
        return ours.Ours(folder)
    if name == "syncthing":
        return syncthing.Syncthing(folder)
    return oneshot.PROGRAMS[name](ssh_account, folder, name)


def _figures(
    folder: Path, name: str, ssh_account: Account, corpus: Corpus, shape: Shape, bounds: Bounds, *, later: bool
) -> Figures:
    found: Figures = {}
    if bounds.first_s:
        with own_folder(folder) as own, closing(made(own, name, ssh_account)) as one:
            found = _run(one, corpus, shape, bounds, later=later)
    if later and "same" not in found:
        with own_folder(folder) as own, closing(made(own, name, ssh_account)) as one:
            found |= _run(one, corpus, shape, Bounds(0, bounds.later_s), later=True)
    return found


def _run(one: Program, corpus: Corpus, shape: Shape, bounds: Bounds, *, later: bool) -> Figures:
    found: Figures = {}
    with link(one.server_port, shape.round_trip_s, shape.rate_bytes_per_s) as line:
        one.connect(line.port)
        one.stock(corpus)
        if bounds.first_s:
            found["first"] = measured(line, lambda: one.sync(bounds.first_s))
            if found["first"].is_over:
                return found
            assert one.holds(corpus), f"{one.name} says that it is done, and is not"
        elif later:
            one.connect(one.server_port)
            one.seed(corpus)
            one.connect(line.port)
        if later:
            found["same"] = measured(line, lambda: one.sync(bounds.later_s))
            found |= _connected(one, line, bounds)
            one.change(1)
            found["change"] = measured(line, lambda: one.sync(bounds.later_s))
            one.rename()
            found["rename"] = measured(line, lambda: one.sync(bounds.later_s))
    return found


def _connected(one: Program, line: Link, bounds: Bounds) -> Figures:
    """Nothing changed, where a session stands already. Only ours and Syncthing keep one."""
    if isinstance(one, ours.Ours):
        with exchange(one) as opened:
            asked = sorted((measured(line, opened.ask) for _ in range(ASKED)), key=lambda taken: taken.seconds)
        return {"open": asked[ASKED // 2]}
    if isinstance(one, syncthing.Syncthing):
        one.start()
        try:
            return {"open": measured(line, lambda: one.sync_connected(bounds.later_s))}
        finally:
            one.box.stop()
    return {}


@contextmanager
def own_folder(path: Path) -> Iterator[Path]:
    """For one program's two ends; gone at the end, since the next one needs as much."""
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
