"""One byte of a large file changed, and a second use of its bytes: what travels, here and with the others."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.bench import sync
from tests.bench.corpus import Corpus, large
from tests.bench.oneshot import account
from tests.bench.program import Program, measured
from tests.bench.row import Row
from tests.bench.verdicts import Figures, Table, row
from tests.simulators.link import link

CHANGED_MORE_MAX = 1.2
AGAIN_BYTES_MAX = 64 * 1024
"""A session from its greeting to its end, with a record: no room in it for an asset."""
LIMIT_S = 120


def rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """A file of 1 GB on loopback, where seconds show what comparing costs and bytes what travels."""
    corpus = large(folder / "corpus", 1, 32 if quick else 1024)
    (path,) = corpus.files()
    (folder / "changed").mkdir()
    fresh = folder / "changed" / path.name
    _change_a_byte(path, fresh)
    found: Table = {}
    with account(folder / "account") as ssh_account:
        for name in sync.chosen(quick=quick):
            with sync.own_folder(folder / name) as own, closing(sync.made(own, name, ssh_account)) as one:
                found[name] = _figures(one, corpus, fresh)
    what = f"of {corpus.size_bytes // 1024**2} MiB, from a start, loopback"
    yield _changed_row(f"one byte changed {what}", found)
    used = found["ours"]["rename"]
    holds = not used.is_over and used.wire_bytes <= AGAIN_BYTES_MAX
    yield row(f"its bytes under a second name, {what}", found, "rename", "no asset bytes", holds)


def _figures(one: Program, corpus: Corpus, fresh: Path) -> Figures:
    with link(one.server_port) as line:
        one.connect(line.port)
        one.stock(corpus)
        first = measured(line, lambda: one.sync(LIMIT_S))
        if first.is_over:
            return {"first": first}
        one.replace(fresh)
        changed = measured(line, lambda: one.sync(LIMIT_S))
        one.rename()
        return {"first": first, "changed": changed, "rename": measured(line, lambda: one.sync(LIMIT_S))}


def _changed_row(what: str, found: Table) -> Row:
    """In bytes: the limit is rsync's own of the same run."""
    ours, rsync = found["ours"].get("changed"), found.get("rsync", {}).get("changed")
    holds = None
    if rsync is not None and not rsync.is_over:
        holds = ours is not None and not ours.is_over and ours.wire_bytes <= CHANGED_MORE_MAX * rsync.wire_bytes
    return row(what, found, "changed", f"<= {CHANGED_MORE_MAX} rsync's bytes", holds)


def _change_a_byte(path: Path, fresh: Path) -> None:
    shutil.copyfile(path, fresh)
    middle = path.stat().st_size // 2
    with fresh.open("r+b") as file:
        file.seek(middle)
        (byte,) = file.read(1)
        file.seek(middle)
        file.write(bytes([byte ^ 0xFF]))
    # rsync takes a file of the same size and second for the same.
    before = path.stat()
    os.utime(fresh, (before.st_atime + 60, before.st_mtime + 60))
