"""From figures to rows: what is held against what, and whether the limits of the project hold. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.bench.corpus import SMALL_BYTES, Corpus
from tests.bench.program import Taken, shown_bytes, shown_s
from tests.bench.row import Row

FIRST_SLOWER_MAX = 1.1
LINE_SHARE_MIN = 0.95
SAME_FASTER_MIN = 5
SAME_FEWER_BYTES_MIN = 20
HELD_AGAINST_ALL = 100_000
"""From so many files on the targets of "nothing changed" are meant."""

Figures = dict[str, Taken]
"""By what was measured: `first`, `same` (from a process start), `open` (on an open session), `change`, `rename`."""
Table = dict[str, Figures]
"""By program."""


@dataclass(frozen=True)
class Shape:
    """A line that is measured over."""

    name: str
    round_trip_s: float = 0.0
    rate_bytes_per_s: float = 0.0


def small_rows(table: Table, corpus: Corpus, shape: Shape) -> Iterator[Row]:
    """One row for each thing that was measured."""
    sizes = "-".join(f"{size // 1024}" for size in SMALL_BYTES)
    what = f"{corpus.count:,} files of {sizes} KiB, {shape.name}"
    if "first" in table["ours"]:
        limit, holds = f"<= {FIRST_SLOWER_MAX} rsync", no_slower(table, "first", FIRST_SLOWER_MAX)
        yield row(f"first copy, {what}", table, "first", limit, holds)
    yield row(f"nothing changed, from a start, {what}", table, "same")
    if "open" in table["ours"]:
        yield _same_row(f"nothing changed, connected, {what}", table, corpus)
    yield row(f"one small file changed, from a start, {what}", table, "change")
    yield row(f"one file has another name, from a start, {what}", table, "rename")


def large_rows(table: Table, corpus: Corpus, shape: Shape) -> Iterator[Row]:
    """The first copy: where the line has a rate, how much of it was used."""
    what = f"first copy, {corpus.count} of {corpus.size_bytes // corpus.count // 1024**2} MiB, {shape.name}"
    if not shape.rate_bytes_per_s:
        yield row(what, table, "first")
        return
    shares = {
        name: corpus.size_bytes / figures["first"].seconds / shape.rate_bytes_per_s
        for name, figures in table.items()
        if "first" in figures and not figures["first"].is_over
    }
    yield Row(
        what,
        _share(table["ours"], shares.get("ours")),
        "; ".join(f"{name} {_share(table[name], shares.get(name))}" for name in table if name != "ours"),
        f">= {LINE_SHARE_MIN} of the line",
        "ours" in shares and shares["ours"] >= LINE_SHARE_MIN,
        as_json(table, "first"),
    )


def row(what: str, table: Table, key: str, limit: str = "", holds: bool | None = None) -> Row:
    """Ours and everybody else's of one thing."""
    others = (f"{name} {_text(figures, key)}" for name, figures in table.items() if name != "ours")
    return Row(what, _text(table["ours"], key), "; ".join(others) or "-", limit, holds, as_json(table, key))


def no_slower(table: Table, key: str, factor: float) -> bool | None:
    """Whether ours took at most so many times rsync's seconds; None where rsync has no figure."""
    rsync = table.get("rsync", {}).get(key)
    if rsync is None or rsync.is_over:
        return None
    ours = table["ours"][key]
    return not ours.is_over and ours.seconds <= factor * rsync.seconds


def as_json(table: Table, key: str) -> dict[str, dict[str, float | int | bool]]:
    """The bare figures, for bench.json."""
    return {name: figures[key].as_json() for name, figures in table.items() if key in figures}


def best(table: Table) -> tuple[float, int]:
    """The fewest seconds and the fewest bytes of the others for "nothing changed", each in its quickest way.

    Bytes count where a program asks the other end at all: Syncthing with an open session does not.
    """
    others = [figures for name, figures in table.items() if name != "ours"]
    seconds = [taken.seconds for each in others for key in ("same", "open") if (taken := each.get(key))]
    wire = [each["same"].wire_bytes for each in others if "same" in each and not each["same"].is_over]
    return min(seconds, default=0.0), min(wire, default=0)


def _same_row(what: str, table: Table, corpus: Corpus) -> Row:
    ours, (seconds, wire_bytes) = table["ours"]["open"], best(table)
    is_held = corpus.count >= HELD_AGAINST_ALL and bool(wire_bytes)
    holds = ours.seconds * SAME_FASTER_MIN <= seconds and ours.wire_bytes * SAME_FEWER_BYTES_MIN <= wire_bytes
    opened = [f"{name} {_text(figures, 'open')}" for name, figures in table.items() if "open" in figures]
    others = [each for each in opened if not each.startswith("ours")]
    return Row(
        what,
        ours.text(),
        "; ".join([*others, f"best of all {shown_s(seconds)}, of those that ask {shown_bytes(wire_bytes)}"]),
        f"{SAME_FASTER_MIN}x faster, {SAME_FEWER_BYTES_MIN}x fewer bytes" if is_held else "",
        holds if is_held else None,
        as_json(table, "open"),
    )


def _text(figures: Mapping[str, Taken], key: str) -> str:
    return figures[key].text() if key in figures else "-"


def _share(figures: Mapping[str, Taken], share: float | None) -> str:
    return _text(figures, "first") + ("" if share is None else f" ({share:.2f})")
