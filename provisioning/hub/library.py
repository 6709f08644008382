"""Assets at the hub: the pile by digest, and the hard links by which a site may read some of it."""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from appliance.core.asset import Asset, Digest, hex_of
from appliance.core.errors import Text
from appliance.core.moment import US
from appliance.durable import (
    copy_settled,
    disk_errors,
    make_folder,
    names_in,
    regular_file,
    staged_beside,
    sync_folder,
    unlink_durably,
    write_atomically,
)
from provisioning.hub.folder import HubFolder

ASSET_MODE: Final = 0o444
LEFTOVERS_KEPT_US: Final = 86_400 * US


class Facts(msgspec.Struct, frozen=True):
    """renditions/<source hex>.json: a clip, with its rendition, or why it has none."""

    asset: Asset
    reason: Text | None = None


@dataclass(frozen=True)
class Library:
    folder: HubFolder

    def path_of(self, digest: str) -> Path:
        name = hex_of(digest)
        return self.folder.assets / name[:2] / name

    def holds(self, digest: str) -> bool:
        name = hex_of(digest)
        try:
            # Asked of all that a site needs whenever it comes: no path is made of parts.
            return stat.S_ISREG(os.stat(f"{self.folder.assets}/{name[:2]}/{name}").st_mode)  # noqa: PTH116
        except OSError:
            return False

    def copy_in(self, source: Path, bytes_max: int) -> tuple[Digest, int, bool]:
        """Copy a file into the pile, hashed on the way: its digest, its size, and whether it is new here.

        Raises Refused for a file that is empty, too large, no plain file, or changes meanwhile.
        """
        with (
            regular_file(source, follow=True) as descriptor,
            disk_errors(self.folder.assets),
            staged_beside(self.folder.assets / "copy", ASSET_MODE) as (into, staged),
        ):
            digest, size_bytes = copy_settled(descriptor, into, source, bytes_max)
            os.fsync(into)
            with self.folder.locked():
                return digest, size_bytes, self.adopt(staged, digest)

    def adopt(self, verified: Path, digest: str) -> bool:
        """Link a file, hashed and fsynced by the caller, into the pile; whether it was new there. The lock is held."""
        path = self.path_of(digest)
        if self._touch(digest):
            # Who linked it may have been killed before the name was durable.
            sync_folder(path.parent)
            return False
        make_folder(path.parent)
        verified.chmod(ASSET_MODE)
        if _link(verified, path):
            sync_folder(path.parent)
        # Whoever sent it may have set its time.
        self._touch(digest)
        return True

    def use(self, *digests: str) -> bool:
        """Say that somebody is about to refer to these, so that none of them is collected; whether all are there.

        Takes the lock: who collects holds it from his last look at an asset until it is gone.
        """
        with self.folder.locked():
            found = [self._touch(digest) for digest in digests]
        return all(found)

    def touched_us(self, digest: str) -> int | None:
        """When an asset came or was last used; None when it is not there."""
        try:
            return self.path_of(digest).stat().st_mtime_ns // 1000
        except FileNotFoundError:
            return None

    def drop(self, digest: str) -> None:
        """Take one asset out of the pile, with what is known of it. The lock is held, and nothing refers to it."""
        self._facts_file(digest).unlink(missing_ok=True)
        unlink_durably(self.path_of(digest))

    def set_aside(self, digest: str, sites: Iterable[str]) -> None:
        """Let nobody read bytes that are not what they are called; they go like what was left half-written.

        The lock is held. What comes under that digest again is linked for the sites anew.
        """
        for site in sites:
            self.withdraw(site, (digest,))
        path = self.path_of(digest)
        path.rename(self.folder.assets / f".damaged-{path.name}")
        sync_folder(path.parent)

    def sweep(self, now_us: int) -> None:
        """Remove what killed publishers and collectors left half-written a day ago or earlier."""
        folders = (self.folder.assets, self.folder.fossils, self.folder.renditions)
        for entry in (entry for folder in folders for entry in folder.glob(".*")):
            # Whoever writes it may be through, and it is gone.
            with suppress(FileNotFoundError):
                if entry.lstat().st_mtime_ns // 1000 < now_us - LEFTOVERS_KEPT_US:
                    entry.unlink()

    def remove(self, digest: str) -> None:
        """Take an asset out of the pile, and its rendition with it."""
        facts = self.facts(digest)
        if facts is not None and facts.asset.rendition is not None:
            self.path_of(facts.asset.rendition.digest).unlink(missing_ok=True)
        self.path_of(digest).unlink(missing_ok=True)
        self._facts_file(digest).unlink(missing_ok=True)

    def let_read(self, site: str, assets: Iterable[Asset]) -> None:
        """Link the assets, and their renditions, into what a site may read. What is not in the pile is passed over.

        The links survive a power cut once this returns: the folder is fsynced once, however many they are; also where
        all are there, since whoever made them may have been killed before that.
        """
        readable = self.folder.site(site).readable
        there = set(names_in(readable))
        for digest in digests_of(assets):
            name = hex_of(digest)
            if name not in there and self._touch(digest):
                _link(self.path_of(digest), readable / name)
        sync_folder(readable)

    def withdraw(self, site: str, digests: Iterable[str]) -> None:
        """Take the links away; a box that is reading one reads it to its end."""
        for digest in digests:
            (self.folder.site(site).readable / hex_of(digest)).unlink(missing_ok=True)

    def may_read(self, site: str, digest: str) -> bool:
        return (self.folder.site(site).readable / hex_of(digest)).is_file()

    def facts(self, digest: str) -> Facts | None:
        """What is known of a clip; None when nobody tried to bring it to house format yet."""
        try:
            return msgspec.json.decode(self._facts_file(digest).read_bytes(), type=Facts)
        except FileNotFoundError:
            return None

    def keep_facts(self, facts: Facts) -> None:
        write_atomically(self._facts_file(facts.asset.digest), msgspec.json.encode(facts))

    def _touch(self, digest: str) -> bool:
        at_ns = self.folder.now_us() * 1000
        try:
            os.utime(self.path_of(digest), ns=(at_ns, at_ns))
        except FileNotFoundError:
            return False
        return True

    def _facts_file(self, digest: str) -> Path:
        return self.folder.renditions / f"{hex_of(digest)}.json"


def digests_of(assets: Iterable[Asset]) -> tuple[str, ...]:
    """The digests of the assets and of their renditions."""
    found: list[str] = []
    for asset in assets:
        found.append(asset.digest)
        if asset.rendition is not None:
            found.append(asset.rendition.digest)
    return tuple(found)


def _link(source: Path, target: Path) -> bool:
    """A hard link, whether it was new; one that is there already is as good. Its folder is still to be fsynced."""
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    return True
