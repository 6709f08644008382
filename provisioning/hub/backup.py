"""`songshan-hub backup` and `restore`: keys and journals of a hub as one file. Assets are not in it.

    backup    copied under the hub's lock, so that it is of one moment; checked, packed, put in place by rename
    restore   unpacked and checked beside what is there, then swapped; what was there is kept in before-restore/

What the hub said since is not lost with it: boxes give it back, and what is written on the restored hub meanwhile is
issued again behind that (docs/adr/0014-histories-that-part.md). Assets lie in the pile by their digest and are copied
like any files; those that are missing are asked of the boxes.
"""

import gzip
import hashlib
import io
import os
import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import click
import msgspec

from appliance.command import say
from appliance.core.errors import Corrupt, OperatorError, Refused, Text
from appliance.core.moment import to_text
from appliance.durable import disk_errors, make_folder, put_in_place, staged_beside, sync_disk, sync_folder
from appliance.store.facts import version
from provisioning.command import pass_hub
from provisioning.hub.auditing import audit_streams
from provisioning.hub.folder import HubFolder
from provisioning.hub.presence import is_held
from provisioning.hub.sites import all_sites, write_authorized_keys, write_site

V: Final = 1
MANIFEST: Final = "manifest.json"
MANIFEST_BYTES_MAX: Final = 64 * 1024 * 1024
PARTS: Final = ("hub.toml", "shut-out.json", "keys", "claims", "renditions", "journals", "sites")
"""What is swapped, in this order; without the first of them it is no hub, so it comes last."""
KEPT: Final = 14
"""Nightly backups."""
SECRET: Final = 0o600
STAGE: Final = ".restoring"
READY: Final = "ready"
ASIDE: Final = "before-restore"

_NIGHTLY: Final = re.compile(r"hub-\d{8}T\d{6}Z\.tar\.gz")
_DERIVED: Final = re.compile(r"told|.+\.index|\..+")
"""Made again when it is missing, or half-written."""
_OF_SITE: Final = ("site.json", "status.json", "machines.json", "acknowledged.json")
_HASH_BYTES: Final = 1024 * 1024


class Part(msgspec.Struct, frozen=True):
    path: str
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """manifest.json, the first thing in a backup."""

    v: int
    hub: str
    made_at: str
    software: str
    heads: dict[str, str]
    """Each stream, and where it stood: EPOCH:SEQUENCE."""
    files: tuple[Part, ...]


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@pass_hub
def backup(folder: HubFolder, file: Path | None) -> None:
    """Write keys and journals into FILE; without FILE a nightly one into the folder `backups` of hub.toml.

    Whoever has the file is the hub: keep it like the keys. Example: songshan-hub backup /media/safe/hub.tar.gz
    """
    target = file.absolute() if file is not None else _nightly(folder)
    manifest = write(folder, target)
    if file is None:
        _forget_old(target.parent)
    size = f"{target.stat().st_size / 1024**2:.1f} MiB"
    say(Text(f"备份 {target}，{len(manifest.files)} 个文件，{size}", f"{target}: {len(manifest.files)} files, {size}"))


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@pass_hub
def restore(folder: HubFolder, file: Path) -> None:
    """Put a backup in the place of what is here; assets stay where they are. Nobody may be connected.

    Broken off, give the same command again. Example: songshan-hub --hub /srv/songshan-hub restore hub.tar.gz
    """
    _check_quiet(folder)
    manifest = put_back(folder, file)
    say(
        Text(
            f"已恢复到 {manifest.made_at}；之后的记录由各节点交还",
            f"restored to {manifest.made_at}; boxes bring the rest",
        )
    )


def write(folder: HubFolder, target: Path) -> Manifest:
    """Back the hub up; whole, checked and on the disk when this returns. Corrupt where a chain does not hold."""
    hub = folder.settings().id
    with disk_errors(target), _beside(target) as stage:
        made_at = to_text(folder.now_us())
        with folder.locked():
            for name in _names(folder.path):
                (stage / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                shutil.copyfile(folder.path / name, stage / name)
        heads = _heads(HubFolder(stage, folder.clock))
        parts = tuple(_part(stage, name) for name in _names(stage))
        manifest = Manifest(V, hub, made_at, version(), heads, parts)
        with staged_beside(target, SECRET) as (descriptor, staged):
            _pack(descriptor, stage, manifest)
            put_in_place(descriptor, staged, target)
    return manifest


def put_back(folder: HubFolder, file: Path) -> Manifest:
    """Check a backup and put it in place. Corrupt that names what is wrong, and then nothing is changed."""
    stage = folder.path / STAGE
    with disk_errors(folder.path):
        make_folder(folder.path, 0o700)
        if not (stage / READY).exists():
            shutil.rmtree(stage, ignore_errors=True)
            stage.mkdir(mode=0o700)
            manifest = _unpack(file, stage)
            _heads(HubFolder(stage, folder.clock))
            sync_disk(stage)
            (stage / READY).touch()
            sync_folder(stage)
        else:
            manifest = _read_manifest((stage / MANIFEST).read_bytes())
        with folder.locked():
            _swap(folder.path, stage, {part.path for part in manifest.files})
            for empty in (folder.assets, folder.claims, folder.journals, folder.log, folder.renditions, folder.ssh):
                make_folder(empty, 0o700)
            for site in all_sites(folder):
                write_site(folder, site)
            write_authorized_keys(folder, folder.now_us())
        shutil.rmtree(stage)
    return manifest


def _names(root: Path) -> Iterator[str]:
    """What goes into a backup, in order: paths below the folder."""
    yield from (name for name in ("hub.toml", "shut-out.json") if (root / name).is_file())
    for name in ("keys", "claims", "renditions", "journals"):
        yield from _below(root, root / name)
    sites = root / "sites"
    for site in sorted(sites.iterdir()) if sites.is_dir() else ():
        yield from (f"sites/{site.name}/{name}" for name in _OF_SITE if (site / name).is_file())
        yield from _below(root, site / "journal")


def _below(root: Path, folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not _DERIVED.fullmatch(path.name):
            yield str(path.relative_to(root))


def _heads(copy: HubFolder) -> dict[str, str]:
    """Where the streams of a copy stand. Corrupt where one of its chains or signatures does not hold."""
    chains, unaccounted = audit_streams(copy, all_sites(copy), lambda _done, _total: None)
    problems = [problem for chain in chains for problem in chain.problems] + list(unaccounted)
    if problems:
        raise Corrupt(*problems)
    return {chain.stream: f"{chain.epoch}:{chain.seq}" for chain in chains}


def _part(root: Path, name: str) -> Part:
    hashed, size = hashlib.sha256(), 0
    with (root / name).open("rb") as file:
        while chunk := file.read(_HASH_BYTES):
            hashed.update(chunk)
            size += len(chunk)
    return Part(name, size, hashed.hexdigest())


def _pack(descriptor: int, stage: Path, manifest: Manifest) -> None:
    data = msgspec.json.encode(manifest)
    with (
        os.fdopen(os.dup(descriptor), "wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=1) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        archive.addfile(_member(MANIFEST, len(data)), io.BytesIO(data))
        for part in manifest.files:
            with (stage / part.path).open("rb") as file:
                archive.addfile(_member(part.path, part.size_bytes), file)


def _member(name: str, size_bytes: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size_bytes, SECRET
    return member


def _unpack(file: Path, stage: Path) -> Manifest:
    try:
        with tarfile.open(file, mode="r|gz") as archive:
            members = iter(archive)
            first = next(members)
            content = archive.extractfile(first)
            if first.name != MANIFEST or first.size > MANIFEST_BYTES_MAX or content is None:
                raise _damaged(file, "manifest.json")
            data = content.read()
            manifest = _read_manifest(data)
            wanted = {part.path: part for part in manifest.files}
            for member in members:
                part = wanted.pop(member.name, None)
                if part is None or not member.isreg() or member.size != part.size_bytes:
                    raise _damaged(file, member.name)
                archive.extract(member, stage, set_attrs=False, filter="data")
                if _part(stage, part.path) != part:
                    raise _damaged(file, part.path)
    except (tarfile.TarError, EOFError, OSError, StopIteration, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _damaged(file, str(error)) from error
    if wanted:
        raise _damaged(file, next(iter(wanted)))
    for path in stage.rglob("*"):
        path.chmod(0o700 if path.is_dir() else SECRET)
    (stage / MANIFEST).write_bytes(data)
    return manifest


def _read_manifest(data: bytes) -> Manifest:
    manifest = msgspec.json.decode(data, type=Manifest)
    if manifest.v != V:
        raise Refused(Text(f"备份格式 {manifest.v} 较新", f"a backup of a newer form, {manifest.v}"))
    return manifest


def _swap(hub: Path, stage: Path, wanted: set[str]) -> None:
    """Each part of a hub gives way to the one of the backup, where that has it. May be killed and done again."""
    aside = hub / ASIDE
    if not (stage / "began").exists():
        shutil.rmtree(aside, ignore_errors=True)
        (stage / "began").touch()
        sync_folder(stage)
    for name in reversed(PARTS):
        if name == "sites":
            _swap_sites(hub, stage, aside, wanted)
            continue
        _move(hub / name, stage / name, aside / name, _has(wanted, name))


def _swap_sites(hub: Path, stage: Path, aside: Path, wanted: set[str]) -> None:
    """What a site may read and what came up stays: these are assets."""
    made, there = stage / "sites", hub / "sites"
    known = {path.name for folder in (made, there) if folder.is_dir() for path in folder.iterdir()}
    for site in sorted(known):
        (there / site).mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (*_OF_SITE, "journal"):
            is_wanted = _has(wanted, f"sites/{site}/{name}")
            _move(there / site / name, made / site / name, aside / "sites" / site / name, is_wanted)


def _has(wanted: set[str], name: str) -> bool:
    return any(path == name or path.startswith(f"{name}/") for path in wanted)


def _move(place: Path, new: Path, aside: Path, is_wanted: bool) -> None:
    """`aside` there: what was in the place is away already. `new` gone that was wanted: it is in its place."""
    if is_wanted and not new.exists():
        return
    if place.exists() and not aside.exists():
        aside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.rename(aside)
        sync_folder(aside.parent)
    if new.exists():
        new.rename(place)
    sync_folder(place.parent)


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder for the copy, in the target's; what a killed one left goes first."""
    make_folder(target.parent, 0o700)
    stage = target.with_name(f".{target.name}.copy")
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(mode=0o700)
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _nightly(folder: HubFolder) -> Path:
    settings = folder.settings()
    if not settings.backups:
        raise OperatorError(
            Text("hub.toml 没有写备份文件夹 backups", "hub.toml names no folder for backups"),
            hint=Text("写上，或给出文件名", "name one, or give a file"),
        )
    stamp = re.sub(r"[-:]|\.\d+", "", to_text(folder.now_us()))
    return Path(settings.backups) / f"hub-{stamp}.tar.gz"


def _forget_old(folder: Path) -> None:
    nightly = sorted(path for path in folder.iterdir() if _NIGHTLY.fullmatch(path.name))
    for path in nightly[:-KEPT]:
        path.unlink()


def _check_quiet(folder: HubFolder) -> None:
    sites: Iterable[Path] = ()
    with suppress(FileNotFoundError):
        sites = sorted(folder.sites.iterdir())
    if any(is_held(site / "session") for site in sites) or any(map(is_held, folder.ssh.glob("serving.*"))):
        raise Refused(
            Text("有节点在线，不能恢复", "boxes are connected: it cannot be restored now"),
            hint=Text(
                "先停：systemctl stop songshan-hub-sshd songshan-hub-gate.socket",
                "first: systemctl stop songshan-hub-sshd songshan-hub-gate.socket",
            ),
        )


def _damaged(file: Path, detail: str) -> Corrupt:
    return Corrupt(Text(f"备份损坏：{file}：{detail}", f"a damaged backup: {file}: {detail}"))
