"""`songshan-hub bundle`, `bundle-open`: a release as one file that boxes take from this hub and from nobody else."""

import hashlib
import io
import os
import platform
import shutil
import tarfile
from pathlib import Path
from typing import IO, Final

import click

from appliance import bundles
from appliance.command import say
from appliance.core import bundle as core
from appliance.core.bundle import FOLDERS, MANIFEST, SIGNATURE, WHEEL, File, Manifest, V
from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.journal import parse_public_key
from appliance.core.moment import to_text
from appliance.core.release import VERSION
from appliance.durable import disk_errors, put_in_place, staged_beside, sync_disk, sync_folder, write_atomically
from provisioning import identity
from provisioning.command import pass_hub
from provisioning.hub.debian import write_index
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals

CHUNK_BYTES: Final = 1024 * 1024
OURS: Final = "songshan_edge"
DEBIAN_ARCH: Final = {"x86_64": "amd64", "aarch64": "arm64"}
READ_BY_ALL: Final = 0o644


@click.command()
@click.argument("parts", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="the bundle")
@click.option("--version", default=None, help="of the release; by default that of the wheel of songshan-edge")
@click.option("--python", default="3.11", show_default=True, help="the oldest Python that it runs on")
@click.option("--suite", default="", help="whose Debian packages these are, as in bookworm")
@pass_hub
def bundle(folder: HubFolder, parts: Path, out: Path, version: str | None, python: str, suite: str) -> None:
    """Sign wheels, Debian packages and playbooks into one file, from which boxes are built with no network.

    PARTS holds wheels/ (pip's too), and may hold debs/, ansible/ and controller/; make bundle fills it.

    Example: songshan-hub bundle build/bundle --out songshan-1.2.0.bundle
    """
    manifest = manifest_of(parts, folder.now_us(), version=version, python=python, suite=suite)
    said, signature = core.sign(manifest, HubJournals(folder).key)
    with disk_errors(out), staged_beside(out.absolute(), READ_BY_ALL) as (descriptor, staged):
        with (
            os.fdopen(os.dup(descriptor), "wb") as file,
            tarfile.open(fileobj=file, mode="w|", format=tarfile.GNU_FORMAT) as archive,
        ):
            for name, data in ((MANIFEST, said), (SIGNATURE, signature)):
                _add(archive, name, len(data), io.BytesIO(data))
            for each in manifest.files:
                with (parts / each.path).open("rb") as body:
                    _add(archive, each.path, each.size_bytes, body)
        put_in_place(descriptor, staged, out.absolute())
    size = f"{out.stat().st_size / 2**20:.1f} MiB"
    say(Text(f"{manifest.version} 的升级包：{out}（{size}）", f"the bundle of {manifest.version}: {out} ({size})"))


@click.command("bundle-open")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--into", required=True, type=click.Path(path_type=Path, file_okay=False), help="a folder; it is made")
@click.option("--key", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="keys/sign.pub of the hub")
@pass_hub
def bundle_open(folder: HubFolder, file: Path, into: Path, key: Path | None) -> None:
    """Check a bundle against the hub's key and unpack it, for playbooks that build boxes from it.

    Where it lies unpacked already nothing is done. Example: songshan-hub bundle-open 1.2.0.bundle --into bundle
    """
    trusted = _public_key(key) if key else HubJournals(folder).signs()
    with bundles.opened(file) as archive:
        manifest, said, signature = bundles.manifest_of(archive, parse_public_key(trusted))
        if _lies_there(into, said):
            say(Text(f"{into} 已是 {manifest.version}", f"{into} is {manifest.version} already"))
            return
        staged = into.with_name(f".{into.name}.part")
        with disk_errors(staged):
            shutil.rmtree(staged, ignore_errors=True)
            for path in {(staged / each.path).parent for each in manifest.files}:
                path.mkdir(parents=True, exist_ok=True)
        bundles.take(archive, manifest, lambda each: staged / each.path)
    with disk_errors(into):
        write_atomically(staged / SIGNATURE, signature, READ_BY_ALL)
        write_atomically(staged / MANIFEST, said, READ_BY_ALL)
        sync_disk(staged)
        staged.rename(into)
        sync_folder(into.absolute().parent)
    say(Text(f"{manifest.version} 已验签并解到 {into}", f"{manifest.version} was checked and unpacked into {into}"))


def manifest_of(parts: Path, at_us: int, *, version: str | None, python: str, suite: str) -> Manifest:
    """What lies in the folders of a bundle in the making; OperatorError for all that is wrong with it at once.

    The index of the packages is written anew.
    """
    if (parts / "debs").is_dir():
        write_index(parts / "debs")
    with disk_errors(parts):
        found = [path for folder in FOLDERS for path in _files(parts / folder)]
    paths = core.in_order(str(path.relative_to(parts)) for path in found)
    _check(parts, paths)
    return Manifest(
        v=V,
        version=_version(paths, version),
        made_at=to_text(at_us),
        python=python,
        arch=DEBIAN_ARCH.get(platform.machine(), platform.machine()),
        suite=suite,
        files=tuple(_file(parts, path) for path in paths),
    )


def _files(folder: Path) -> list[Path]:
    """All below it but what tools keep there for themselves."""
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(folder).parts)
    ]


def _check(parts: Path, paths: list[str]) -> None:
    strange = [path for path in paths if not core.is_path(path)]
    wheels = [path.removeprefix("wheels/") for path in paths if path.startswith("wheels/")]
    missing = [name for name in ("pip", OURS) if not any(wheel.startswith(f"{name}-") for wheel in wheels)]
    problems = [
        *(Text(f"升级包里不能有 {path}", f"{path} is no name that a bundle may hold") for path in strange),
        *(Text(f"{parts} 里没有 {name} 的 wheel", f"there is no wheel of {name} in {parts}") for name in missing),
    ]
    if len(paths) > core.FILES_MAX:
        problems.append(Text(f"超过 {core.FILES_MAX} 个文件", f"more than {core.FILES_MAX} files"))
    if problems:
        raise OperatorError(*problems)


def _version(paths: list[str], given: str | None) -> str:
    ours = next(path for path in paths if path.startswith(f"wheels/{OURS}-"))
    match = WHEEL.fullmatch(ours.removeprefix("wheels/"))
    assert match, "its name was looked at"
    version = given or match[2]
    if not VERSION.fullmatch(version):
        raise OperatorError(Text(f"版本号不合规：{version!r}", f"not a version: {version!r}"))
    return version


def _file(parts: Path, path: str) -> File:
    hashed, size_bytes = hashlib.sha256(), 0
    with disk_errors(parts / path), (parts / path).open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            hashed.update(chunk)
            size_bytes += len(chunk)
    return File(path, size_bytes, hashed.hexdigest())


def _add(archive: tarfile.TarFile, name: str, size_bytes: int, file: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size_bytes, 0o644
    archive.addfile(member, file)


def _public_key(path: Path) -> str:
    with disk_errors(path):
        return identity.sign_key_of_line(path.read_text().strip())


def _lies_there(into: Path, said: bytes) -> bool:
    """A folder gets its name when all of it is there. Refused where it is another one."""
    if not into.exists():
        return False
    if (into / MANIFEST).is_file() and (into / MANIFEST).read_bytes() == said:
        return True
    raise Refused(
        Text(f"{into} 已存在，不是此升级包", f"{into} exists and is not this bundle"),
        hint=Text("请另选文件夹", "choose another folder"),
    )
