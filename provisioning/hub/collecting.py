"""What nothing refers to any more goes, in two phases, never in a race with who refers to it.

    phase 1   an asset that nothing refers to and that nobody used for long becomes a fossil: noted, and still there
    phase 2   a fossil goes after a grace longer than any outage, after a last look; any use in between wakes it

Every reference is made under the hub's lock: a record that names an asset, a file that is taken in, a site that says it
has something already (`Library.use` leaves the moment on the asset). Phase 2 holds the lock from its last look at the
journals and at that moment until the asset is gone; so one of the two always sees the other. Steps are short: a gate
that waits for the lock waits for a few dozen files.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import click
import msgspec

from appliance.command import say, say_json
from appliance.core import moment
from appliance.core.asset import hex_of
from appliance.core.errors import OperatorError, Text
from appliance.durable import make_folder, unlink_durably, write_atomically
from appliance.progress import ProgressLine
from provisioning.command import pass_hub
from provisioning.hub.catalogue import Catalogue, is_over
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.leftovers import sweep_all
from provisioning.hub.library import Library, digests_of
from provisioning.hub.sites import all_sites
from provisioning.hub.stream import Place

DAY_US: Final = 86_400 * moment.US
GRACE_DAYS: Final = 45
"""A county lives a month without a line, on disks that are carried; and has half of one to ask for what it missed."""
UNUSED_KEPT_US: Final = 30 * DAY_US
"""What was taken in and is named by no record yet: a film may wait so long for its schedule."""
STEP_ASSETS: Final = 64
"""Looked at and removed under one hold of the lock: some tens of milliseconds."""

Fate = Literal["keep", "mark", "wait", "wake", "remove"]
Progress = Callable[[int, int], None]


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. `leftovers`: half-written files and facts of clips that are gone."""

    assets: int
    size_bytes: int
    marked: int
    marked_bytes: int
    waiting: int
    woken: int
    removed: int
    removed_bytes: int
    leftovers: int
    next_removal_us: int | None


class _Fossil(msgspec.Struct, frozen=True):
    since: str


@dataclass
class _Counts:
    assets: int = 0
    size_bytes: int = 0
    by_fate: dict[Fate, int] = field(default_factory=dict)
    bytes_of: dict[Fate, int] = field(default_factory=dict)
    next_removal_us: int | None = None

    def add(self, fate: Fate, size_bytes: int) -> None:
        self.assets, self.size_bytes = self.assets + 1, self.size_bytes + size_bytes
        self.by_fate[fate] = self.by_fate.get(fate, 0) + 1
        self.bytes_of[fate] = self.bytes_of.get(fate, 0) + size_bytes


@click.command()
@click.option("--dry-run", is_flag=True, help="say what would be done, and change nothing")
@click.option(
    "--grace-days", default=GRACE_DAYS, show_default=True, type=click.IntRange(1, 3650), help="from mark to removal"
)
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def collect(folder: HubFolder, dry_run: bool, grace_days: int, as_json: bool) -> None:
    """Remove assets that nothing refers to any more: recalled, replaced, expired, of schedules that are over.

    Run it daily. The grace must be longer than the longest outage of a county.

    Example: songshan-hub collect --dry-run
    """
    folder.settings()
    line = ProgressLine(Text("清理媒资", "collecting assets"))
    done = run(folder, grace_days * DAY_US, is_dry=dry_run, progress=line)
    line.end()
    if as_json:
        next_at = moment.to_text(done.next_removal_us) if done.next_removal_us is not None else None
        facts = {key: value for key, value in msgspec.to_builtins(done).items() if key != "next_removal_us"}
        say_json({**facts, "next_removal_at": next_at, "dry_run": dry_run})
        return
    removed, marked = f"{done.removed_bytes / 2**30:.1f} GiB", f"{done.marked_bytes / 2**30:.1f} GiB"
    say(
        Text(
            f"媒资 {done.assets} 个：清除 {done.removed} 个 {removed}，新标记 {done.marked} 个 {marked}，"
            f"待清除 {done.waiting} 个，恢复 {done.woken} 个",
            f"{done.assets} assets: {done.removed} removed ({removed}), {done.marked} marked ({marked}),"
            f" {done.waiting} wait, {done.woken} woken",
        )
    )


def fate(is_root: bool, touched_us: int, fossil_us: int | None, at_us: int, grace_us: int) -> Fate:
    """What becomes of an asset. `fossil_us`: since when it is one; `touched_us`: when it came or was last used."""
    if is_root or touched_us + UNUSED_KEPT_US > at_us or (fossil_us is not None and touched_us >= fossil_us):
        return "keep" if fossil_us is None else "wake"
    if fossil_us is None:
        return "mark"
    return "remove" if fossil_us + grace_us <= at_us else "wait"


def run(folder: HubFolder, grace_us: int, *, is_dry: bool = False, progress: Progress = lambda *_: None) -> Collected:
    """Both phases over everything that there is. It can be killed at any moment, and run again."""
    collector = _Collector(folder, grace_us, is_dry)
    names = sorted(path.name for shelf in folder.assets.glob("[0-9a-f][0-9a-f]") for path in shelf.iterdir())
    digests = [f"sha256:{name}" for name in names if not name.startswith(".")]
    for start in range(0, len(digests), STEP_ASSETS):
        collector.step(digests[start : start + STEP_ASSETS])
        progress(start, len(digests))
    leftovers = collector.leftovers()
    counts, of = collector.counts, collector.counts.by_fate.get
    return Collected(
        assets=counts.assets,
        size_bytes=counts.size_bytes,
        marked=of("mark", 0),
        marked_bytes=counts.bytes_of.get("mark", 0),
        waiting=of("wait", 0),
        woken=of("wake", 0),
        removed=of("remove", 0),
        removed_bytes=counts.bytes_of.get("remove", 0),
        leftovers=leftovers,
        next_removal_us=counts.next_removal_us,
    )


def roots(catalogue: Catalogue, sites: Iterable[str], at_us: int) -> frozenset[str]:
    """Every digest that something still refers to: what is shown or on offer, what airs or may have to be caught up on,
    and what a site sent up and has no answer for."""
    items = [item for copies in catalogue.live_items().values() for item in copies if not is_over(item, at_us)]
    items += [submission.item for site in sites for submission in catalogue.waiting(site)]
    assets = [asset for item in items for asset in item.assets]
    assets += [asset for stream in catalogue.aired for asset in catalogue.airing(stream, at_us)]
    return frozenset(digests_of(asset for asset in assets if asset.digest not in catalogue.recalled))


class _Collector:
    """One run."""

    def __init__(self, folder: HubFolder, grace_us: int, is_dry: bool) -> None:
        self._folder, self._grace_us, self._is_dry = folder, grace_us, is_dry
        self._library, self._journals = Library(folder), HubJournals(folder)
        self._catalogue = Catalogue()
        self._heads: dict[str, Place] = {}
        self._roots: frozenset[str] = frozenset()
        self.counts = _Counts()
        # The first reading, of everything, needs no lock; under it only what is new is read.
        self._look()

    def step(self, digests: Sequence[str]) -> None:
        """Look at a few assets, and do with each what is due."""
        if self._is_dry:
            for digest in digests:
                self._judge(digest)
            return
        with self._folder.locked():
            self._look()
            for digest in digests:
                self._do(digest, self._judge(digest))

    def leftovers(self) -> int:
        """What killed publishers left half-written; fossils and facts of what is gone. How many."""
        gone = [path for path in self._fossil_files() if not self._library.holds(f"sha256:{path.name}")]
        oldest_us = self._folder.now_us() - UNUSED_KEPT_US
        gone += [
            path
            for path in self._folder.renditions.glob("*.json")
            if len(path.stem) == 64 and not self._library.holds(f"sha256:{path.stem}") and _is_older(path, oldest_us)
        ]
        if self._is_dry:
            return len(gone)
        self._library.sweep(self._folder.now_us())
        swept = sweep_all(self._folder)
        for start in range(0, len(gone), STEP_ASSETS):
            with self._folder.locked():
                for path in gone[start : start + STEP_ASSETS]:
                    if not self._library.holds(f"sha256:{path.stem}"):
                        path.unlink(missing_ok=True)
        return len(gone) + swept

    def _look(self) -> None:
        sites = [site.site for site in all_sites(self._folder)]
        heads = self._catalogue.read(self._journals, sites).heads()
        if heads != self._heads:
            self._heads, self._roots = heads, roots(self._catalogue, sites, self._folder.now_us())

    def _judge(self, digest: str) -> Fate:
        touched_us, fossil_us, at_us = self._library.touched_us(digest), self._since_us(digest), self._folder.now_us()
        if touched_us is None:
            return "keep"
        found = fate(digest in self._roots, touched_us, fossil_us, at_us, self._grace_us)
        self.counts.add(found, self._library.path_of(digest).stat().st_size)
        since_us = at_us if found == "mark" else fossil_us
        if found in ("mark", "wait") and since_us is not None:
            known_us = self.counts.next_removal_us
            goes_us = since_us + self._grace_us
            self.counts.next_removal_us = goes_us if known_us is None else min(known_us, goes_us)
        return found

    def _do(self, digest: str, found: Fate) -> None:
        """Links first: while one stands, the site has the asset. The fossil last: it says that there is more to do."""
        fossil = self._fossil(digest)
        if found == "mark":
            make_folder(fossil.parent)
            write_atomically(fossil, msgspec.json.encode(_Fossil(moment.to_text(self._folder.now_us()))))
        elif found == "wake":
            unlink_durably(fossil)
        elif found == "remove":
            for site in all_sites(self._folder):
                unlink_durably(self._folder.site(site.site).readable / fossil.name)
            self._library.drop(digest)
            unlink_durably(fossil)

    def _fossil(self, digest: str) -> Path:
        return self._folder.fossils / hex_of(digest)

    def _since_us(self, digest: str) -> int | None:
        """Since when it is a fossil; one that cannot be read begins anew."""
        try:
            return moment.to_us(msgspec.json.decode(self._fossil(digest).read_bytes(), type=_Fossil).since)
        except (FileNotFoundError, msgspec.DecodeError, OperatorError):
            return None

    def _fossil_files(self) -> Iterator[Path]:
        yield from (path for path in self._folder.fossils.glob("*") if len(path.name) == 64)


def _is_older(path: Path, than_us: int) -> bool:
    """Not, where another collector had it meanwhile."""
    try:
        return path.stat().st_mtime_ns // 1000 < than_us
    except FileNotFoundError:
        return False
