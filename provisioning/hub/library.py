"""Assets at the hub: the pile by digest, and the hard links by which a site may read some of it."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from appliance.core.asset import Asset, Digest, Rendition, hex_of, parse_digest
from appliance.core.errors import Text
from appliance.durable import sync_folder, write_atomically
from provisioning.hub.folder import HubFolder

HASH_BYTES: Final = 4 * 1024 * 1024


class Packaged(msgspec.Struct, frozen=True):
    """renditions/<source hex>.json: what became of a source in house format."""

    source: str
    rendition: Rendition | None
    duration_s: float | None = None
    reason: Text | None = None


@dataclass(frozen=True)
class Library:
    folder: HubFolder

    def path_of(self, digest: str) -> Path:
        name = hex_of(digest)
        return self.folder.assets / name[:2] / name

    def holds(self, digest: str) -> bool:
        return self.path_of(digest).is_file()

    def copy_in(self, source: Path) -> tuple[Digest, int]:
        """Copy a file into the pile, hashed on the way; its digest and size. What is there already is left alone."""
        staged = self.folder.assets / f".{secrets.token_hex(8)}"
        digest = hashlib.sha256()
        try:
            with source.open("rb") as read, staged.open("xb") as write:
                while chunk := read.read(HASH_BYTES):
                    digest.update(chunk)
                    write.write(chunk)
                write.flush()
                os.fsync(write.fileno())
            size_bytes = staged.stat().st_size
            named = parse_digest(digest.hexdigest())
            self.adopt(staged, named)
        finally:
            staged.unlink(missing_ok=True)
        return named, size_bytes

    def adopt(self, verified: Path, digest: str) -> None:
        """Put a file, hashed by the caller and on the same disk, under its digest."""
        path = self.path_of(digest)
        if path.is_file():
            return
        path.parent.mkdir(exist_ok=True)
        verified.chmod(0o440)
        _link(verified, path)

    def remove(self, digest: str) -> None:
        """Take an asset out of the pile, with what is known of its rendition."""
        self.path_of(digest).unlink(missing_ok=True)
        self._packaged_file(digest).unlink(missing_ok=True)

    def let_read(self, site: str, assets: Iterable[Asset]) -> None:
        """Link the assets, and their renditions, into what a site may read. What is not in the pile is passed over."""
        readable = self.folder.site(site).readable
        for digest in digests_of(assets):
            target = readable / hex_of(digest)
            if not target.exists() and self.holds(digest):
                _link(self.path_of(digest), target)

    def withdraw(self, site: str, digests: Iterable[str]) -> None:
        """Take the links away; a box that is reading one reads it to its end."""
        for digest in digests:
            (self.folder.site(site).readable / hex_of(digest)).unlink(missing_ok=True)

    def may_read(self, site: str, digest: str) -> bool:
        return (self.folder.site(site).readable / hex_of(digest)).is_file()

    def packaged(self, digest: str) -> Packaged | None:
        """What became of a source in house format; None when nobody tried yet."""
        try:
            return msgspec.json.decode(self._packaged_file(digest).read_bytes(), type=Packaged)
        except FileNotFoundError:
            return None

    def keep_packaged(self, packaged: Packaged) -> None:
        write_atomically(self._packaged_file(packaged.source), msgspec.json.encode(packaged))

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.folder.path).free

    def _packaged_file(self, digest: str) -> Path:
        return self.folder.renditions / f"{hex_of(digest)}.json"


def digests_of(assets: Iterable[Asset]) -> tuple[str, ...]:
    """The digests of the assets and of their renditions."""
    found: list[str] = []
    for asset in assets:
        found.append(asset.digest)
        if asset.rendition is not None:
            found.append(asset.rendition.digest)
    return tuple(found)


def _link(source: Path, target: Path) -> None:
    """A hard link that survives a power cut; one that is there already is as good."""
    try:
        os.link(source, target)
    except FileExistsError:
        return
    sync_folder(target.parent)
