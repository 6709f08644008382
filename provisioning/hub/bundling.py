"""`songshan-hub bundle`: the wheels of a release as one file that boxes take from this hub and from nobody else."""

import hashlib
import io
import os
import tarfile
from pathlib import Path
from typing import Final

import click

from appliance.command import say
from appliance.core.bundle import MANIFEST, SIGNATURE, WHEEL, Manifest, V, Wheel, sign
from appliance.core.errors import OperatorError, Text
from appliance.core.moment import to_text
from appliance.core.release import VERSION
from appliance.durable import disk_errors, put_in_place, staged_beside
from provisioning.command import pass_hub
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals

CHUNK_BYTES: Final = 1024 * 1024
OURS: Final = "songshan_edge"


@click.command()
@click.option(
    "--wheels",
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="all of them, pip's too",
)
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="the bundle")
@click.option("--version", default=None, help="of the release; by default that of the wheel of songshan-edge")
@click.option("--python", default="3.11", show_default=True, help="the oldest Python that it runs on")
@pass_hub
def bundle(folder: HubFolder, wheels: Path, out: Path, version: str | None, python: str) -> None:
    """Sign the wheels of a release into one file, from which boxes install it with no network.

    The wheels, pip's among them, come from pip download. Example: songshan-hub bundle --wheels w --out 1.2.0.bundle
    """
    with disk_errors(wheels):
        paths = sorted(path for path in wheels.iterdir() if path.suffix == ".whl")
    _check(wheels, paths)
    manifest = Manifest(
        v=V,
        version=_version(paths, version),
        made_at=to_text(folder.now_us()),
        python=python,
        files=tuple(_wheel(path) for path in paths),
    )
    said, signature = sign(manifest, HubJournals(folder).key)
    with disk_errors(out), staged_beside(out.absolute()) as (descriptor, staged):
        with (
            os.fdopen(os.dup(descriptor), "wb") as file,
            tarfile.open(fileobj=file, mode="w|", format=tarfile.USTAR_FORMAT) as archive,
        ):
            for name, data in ((MANIFEST, said), (SIGNATURE, signature)):
                _add(archive, name, len(data), io.BytesIO(data))
            for path in paths:
                with path.open("rb") as wheel:
                    _add(archive, f"wheels/{path.name}", path.stat().st_size, wheel)
        put_in_place(descriptor, staged, out.absolute())
    size = f"{out.stat().st_size / 2**20:.1f} MiB"
    say(Text(f"{manifest.version} 的升级包：{out}（{size}）", f"the bundle of {manifest.version}: {out} ({size})"))


def _check(wheels: Path, paths: list[Path]) -> None:
    strange = [path.name for path in paths if not WHEEL.fullmatch(path.name)]
    missing = [name for name in ("pip", OURS) if not any(path.name.startswith(f"{name}-") for path in paths)]
    problems = [
        *(Text(f"{name} 不是 wheel 的名字", f"{name} is no name of a wheel") for name in strange),
        *(Text(f"{wheels} 里没有 {name} 的 wheel", f"there is no wheel of {name} in {wheels}") for name in missing),
    ]
    if problems:
        raise OperatorError(*problems)


def _version(paths: list[Path], given: str | None) -> str:
    ours = next(path.name for path in paths if path.name.startswith(f"{OURS}-"))
    match = WHEEL.fullmatch(ours)
    assert match, "its name was looked at"
    version = given or match[2]
    if not VERSION.fullmatch(version):
        raise OperatorError(Text(f"版本号不合规：{version!r}", f"not a version: {version!r}"))
    return version


def _wheel(path: Path) -> Wheel:
    hashed = hashlib.sha256()
    with disk_errors(path), path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            hashed.update(chunk)
    return Wheel(path.name, path.stat().st_size, hashed.hexdigest())


def _add(archive: tarfile.TarFile, name: str, size_bytes: int, file: io.BufferedIOBase) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size_bytes, 0o644
    archive.addfile(member, file)
