"""This project as the others are measured: a hub that `songshan-hub serve` serves, a box whose agent runs as a process.

The files of a tree are published as items of 64 assets each, all of them wanted by the box. Publishing itself is not
measured: it is done here in one process, with the hub's own functions for records and links.
"""

import hashlib
import itertools
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from appliance.core import moment
from appliance.core.asset import Asset, Digest
from appliance.core.item import ASSETS_MAX, Item, SignOff
from provisioning.demo.stage import Site, Stage, program, until
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.library import Library
from tests.bench.corpus import Corpus
from tests.bench.program import CHANGED_BYTES, ENVIRON, Arrived, kill_all, run
from tests.ports import free_ports

SITE = "dengfeng"
HUB = "songshan"
STOCK = "stock"
"""Begins the ids of the items that a tree becomes."""


@dataclass
class Ours:
    """A hub and a box in one folder."""

    folder: Path
    name: str = "ours"
    server_port: int = 0
    stage: Stage = field(init=False)

    def __post_init__(self) -> None:
        web, self.server_port = free_ports(2)
        site = Site(SITE, "登封市融媒体中心", self.folder / SITE, web)
        self.stage = Stage(self.folder, self.server_port, (site,))
        self.stage.build()
        self._reached = self.server_port

    @property
    def site(self) -> Site:
        return self.stage.sites[0]

    @property
    def hub(self) -> HubFolder:
        return HubFolder(self.stage.hub)

    def connect(self, port: int) -> None:
        config = self.site.home / "appliance.toml"
        config.write_text(config.read_text().replace(f"\nport = {self._reached}\n", f"\nport = {port}\n"))
        self._reached = port

    def stock(self, corpus: Corpus) -> None:
        publish(self.hub, corpus.files())

    def seed(self, corpus: Corpus) -> None:
        self.sync(limit_s=600)

    def sync(self, limit_s: float) -> None:
        argv = [program("songshan"), "--home", str(self.site.home), "agent", "--once"]
        run(argv, limit_s, self.folder / "log", ENVIRON)

    def holds(self, corpus: Corpus) -> bool:
        return self.held() == (corpus.count, corpus.size_bytes)

    def held(self) -> tuple[int, int]:
        """How many assets are here, verified, and their bytes; by the database, which the agent writes last."""
        with self.box() as box:
            count, size_bytes = box.execute(
                "SELECT count(*), coalesce(sum(size_bytes), 0) FROM assets WHERE state = 'here'"
            ).fetchone()
        return count, size_bytes

    @contextmanager
    def box(self) -> Iterator[sqlite3.Connection]:
        """Its database, for one look."""
        path = self.site.home / "state" / "box.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as box:
            yield box

    def change(self, number: int) -> Arrived:
        """An asset of CHANGED_BYTES bytes, in an item that is published anew under the same id."""
        path = self.folder / f"change-{number}.bin"
        path.write_bytes(number.to_bytes(8, "big") * (CHANGED_BYTES // 8))
        (asset,) = publish(self.hub, iter([path]), item_id="changed")

        def arrived() -> bool:
            with self.box() as box:
                found = "SELECT 1 FROM assets WHERE digest = ? AND state = 'here'"
                return box.execute(found, (asset.digest,)).fetchone() is not None

        return arrived

    def replace(self, fresh: Path) -> None:
        """The first item of the stock anew, with this file as its only asset."""
        publish(self.hub, iter([fresh]), item_id=f"{STOCK}-{0:06d}")

    def change_text(self, number: int) -> Arrived:
        """A story's text of CHANGED_BYTES bytes, which stands in the record itself."""
        publish(self.hub, iter(()), item_id="told", body=f"{number:08d}" * (CHANGED_BYTES // 8))

        def arrived() -> bool:
            with self.box() as box:
                found = "SELECT 1 FROM items WHERE id = 'told' AND CAST(document AS TEXT) LIKE ?"
                return box.execute(found, (f"%{number:08d}{number:08d}%",)).fetchone() is not None

        return arrived

    def rename(self) -> None:
        """The same bytes under another name, in another item."""
        digest, size_bytes = self._any_asset()
        send(self.hub, [Asset(Digest(digest), size_bytes, "改名.bin", "application/octet-stream", "file")], "renamed")

    def start(self) -> None:
        """The agent as a service, until it is connected."""
        self.stage.start_agent(self.site)
        until("a session", lambda: self.stage.box_facts(self.site, "status")["link"]["state"] == "connected")

    def kill_both(self) -> None:
        """As a power cut at both ends would: the agent, the hub's sshd, and all that either started."""
        for name in (f"{SITE}-agent", "hub"):
            doomed = psutil.Process(self.stage.running[name].pid).children(recursive=True)
            self.stage.kill(name)
            kill_all(doomed)

    def close(self) -> None:
        self.stage.stop()

    def _any_asset(self) -> tuple[str, int]:
        with self.box() as box:
            digest, size_bytes = box.execute("SELECT digest, size_bytes FROM assets WHERE state = 'here'").fetchone()
        return digest, size_bytes


def publish(hub: HubFolder, files: Iterator[Path], item_id: str | None = None, body: str = "") -> list[Asset]:
    """Files into the pile, by second names where the disk allows it, and into items that go to all sites."""
    library, published = Library(hub), []
    made = 0
    while (batch := list(itertools.islice(files, ASSETS_MAX))) or (body and not made):
        assets = [_in_pile(library, path) for path in batch]
        send(hub, assets, item_id or f"{STOCK}-{made:06d}", body)
        published += assets
        made += 1
    return published


def send(hub: HubFolder, assets: Sequence[Asset], item_id: str, body: str = "") -> None:
    """One item for all sites: the links that let the site read, then the record, as `songshan-hub publish` does."""
    at = moment.to_text(hub.now_us())
    signed_off = (SignOff("final", HUB, at),)
    item = Item(item_id, item_id, "news", "hub", at, body_html=body, assets=tuple(assets), sign_offs=signed_off)
    Library(hub).let_read(SITE, assets)
    HubJournals(hub).append("all/content", "item", item_id, item)


def _in_pile(library: Library, path: Path) -> Asset:
    with path.open("rb") as file:
        digest = Digest(f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}")
    in_pile = library.path_of(digest)
    if not in_pile.exists():
        in_pile.parent.mkdir(parents=True, exist_ok=True)
        in_pile.hardlink_to(path)
    return Asset(digest, path.stat().st_size, path.name, "application/octet-stream", "file")


def version() -> str:
    return f"songshan-edge, Python {sys.version.split()[0]}"
