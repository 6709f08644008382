"""From a signed bundle (升级包) to a release that can run: checked before it is unpacked, installed with no network.

    stage(config, path, ...)    releases/VERSION with an environment of its own; release.json is written last

A bundle is a tar: manifest.json, manifest.sig, the wheels in the order of the manifest. docs/formats.md, section 11.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import msgspec

from appliance import releases
from appliance.config import Config
from appliance.core import bundle
from appliance.core.bundle import Manifest, Wheel
from appliance.core.errors import Corrupt, Refused, Text, WorldError
from appliance.core.journal import parse_public_key
from appliance.core.release import UNDER_WAY, Release, Upgrade, check_version
from appliance.durable import (
    disk_errors,
    make_folder,
    regular_file,
    sync_disk,
    sync_folder,
    write_all,
    write_atomically,
)
from appliance.store import at_rest

INSTALL_TIMEOUT_S: Final = 1800.0
TRY_TIMEOUT_S: Final = 60.0
CHUNK_BYTES: Final = 1024 * 1024
HUB_KEY: Final = "hub-key"
"""In OPT: the key of the hub that root believes, from the first bundle on; the box's own user cannot write here."""


def stage(config: Config, path: Path, by: str, now_us: int) -> Release:
    """Install what a bundle holds beside what runs. Raises Refused, Corrupt, WorldError; then nothing has changed.

    The caller holds `one_at_a_time`.
    """
    upgrade = releases.journal(config)
    if upgrade.state in UNDER_WAY:
        raise Refused(Text("升级正在进行", "an upgrade is under way"))
    key = trusted_key(config)
    with _opened(path) as archive:
        manifest = _manifest(archive, key)
        folder = releases.folder_of(config, manifest.version)
        _check_new(config, manifest)
        with _made(folder):
            _unpack(archive, manifest, folder / "wheels")
            _install(folder, manifest)
            found = Release(version=manifest.version, made_at=manifest.made_at, staged_at_us=now_us, signed_by=key)
            with disk_errors(folder):
                sync_disk(folder)
                write_atomically(folder / releases.MARK, msgspec.json.encode(found), releases.READ_BY_ALL)
                sync_folder(folder.parent)
    staged = Upgrade(
        state="staged",
        old=releases.linked(config, "current"),
        new=manifest.version,
        by=by,
        changed_us=now_us,
        undo=upgrade.undo,
        past=upgrade.past,
    )
    releases.keep(config, staged)
    return found


def trusted_key(config: Config) -> str:
    """The hub's key by which bundles are judged: the one that was believed first, or one that it led to.

    Refused for a box without a hub, and where the database names a key that no proof leads to.
    """
    if config.hub is None:
        raise Refused(Text("本节点未加入嵩山云，不认识任何签名", "this box belongs to no hub, and knows no signature"))
    path = config.releases / HUB_KEY
    first = path.read_text().strip() if path.exists() else config.hub.sign_key
    now = first
    if config.database.exists():
        now = at_rest.proven_hub_key_of(config.database, config.hub.id, first)
    if not path.exists() or now != first:
        write_atomically(path, now.encode() + b"\n", releases.READ_BY_ALL)
    return now


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with (
            regular_file(path, follow=True) as descriptor,
            os.fdopen(os.dup(descriptor), "rb") as file,
            tarfile.open(fileobj=file, mode="r|") as archive,
        ):
            yield archive
    except tarfile.TarError as error:
        raise Corrupt(Text(f"{path} 不是升级包：{error}", f"{path} is no bundle: {error}")) from error


def _manifest(archive: tarfile.TarFile, key: str) -> Manifest:
    said = _next(archive, bundle.MANIFEST, bundle.MANIFEST_BYTES_MAX)
    signature = _next(archive, bundle.SIGNATURE, bundle.SIGNATURE_BYTES_MAX)
    return bundle.parse_manifest(said, signature, parse_public_key(key))


def _next(archive: tarfile.TarFile, name: str, bytes_max: int) -> bytes:
    member = archive.next()
    if member is None or member.name != name or not member.isreg() or member.size > bytes_max:
        raise Corrupt(Text(f"升级包中应有 {name}", f"{name} is not where it should be in the bundle"))
    file = archive.extractfile(member)
    assert file is not None, "it is a regular file"
    return file.read()


def _check_new(config: Config, manifest: Manifest) -> None:
    version = check_version(manifest.version)
    if version in {releases.linked(config, link) for link in releases.LINKS}:
        hint = Text("回到上一个版本：songshan upgrade rollback", "back to the one before: songshan upgrade rollback")
        raise Refused(Text(f"{version} 正在使用", f"{version} is in use"), hint=hint)
    if sys.version_info < tuple(int(part) for part in manifest.python.split(".")):
        here = ".".join(map(str, sys.version_info[:2]))
        raise Refused(
            Text(f"需要 Python {manifest.python}，本机 {here}", f"needs Python {manifest.python}; here {here}")
        )
    needed = 4 * sum(wheel.size_bytes for wheel in manifest.files) + releases.FILE_BYTES_MAX
    with disk_errors(config.releases):
        free = shutil.disk_usage(config.releases).free
    if free < needed:
        lacking = f"{(needed - free) / 1_000_000:.0f} MB"
        raise Refused(Text(f"磁盘空间不足，还差 {lacking}", f"no room on the disk: {lacking} too few"))


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """A release in the making: what an earlier attempt left goes first, and all of it where it fails."""
    with disk_errors(folder):
        make_folder(folder.parent, 0o755)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "wheels").mkdir(parents=True)
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _unpack(archive: tarfile.TarFile, manifest: Manifest, into: Path) -> None:
    """The wheels, in order, each hashed as it comes; names are those that were signed, and nothing else is taken."""
    for wheel in manifest.files:
        member = archive.next()
        if member is None or not member.isreg() or member.name != f"wheels/{wheel.name}":
            raise _damaged(wheel)
        file = archive.extractfile(member)
        assert file is not None, "it is a regular file"
        _unpack_one(file, wheel, into / wheel.name)
    if archive.next() is not None:
        raise Corrupt(Text("升级包末尾有多余的文件", "the bundle holds a file that nobody signed"))


def _unpack_one(file: IO[bytes], wheel: Wheel, path: Path) -> None:
    hashed, left = hashlib.sha256(), wheel.size_bytes
    with disk_errors(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            while left >= 0 and (chunk := file.read(CHUNK_BYTES)):
                left -= len(chunk)
                hashed.update(chunk)
                write_all(descriptor, chunk)
        finally:
            os.close(descriptor)
    if left != 0 or hashed.hexdigest() != wheel.sha256:
        raise _damaged(wheel)


def _damaged(wheel: Wheel) -> Corrupt:
    return Corrupt(
        Text(f"升级包中的 {wheel.name} 损坏或缺失", f"{wheel.name} in the bundle is damaged or missing"),
        hint=Text("请重新拷贝升级包", "copy the bundle again"),
    )


def _install(folder: Path, manifest: Manifest) -> None:
    """An environment of its own, by the pip that comes with the bundle: no network, nothing of Debian's."""
    wheels = folder / "wheels"
    (folder / "requirements.txt").write_text(bundle.requirements(manifest))
    pip = next(wheel.name for wheel in manifest.files if wheel.name.startswith("pip-"))
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)], INSTALL_TIMEOUT_S)
    options = ["--no-index", "--require-hashes", "--no-cache-dir", "--disable-pip-version-check", "--quiet"]
    python, program = folder / "bin" / "python", folder / "bin" / "songshan"
    given = ["--find-links", str(wheels), "-r", str(folder / "requirements.txt")]
    _run([str(python), f"{wheels / pip}/pip", "install", *options, *given], INSTALL_TIMEOUT_S)
    with disk_errors(wheels):
        shutil.rmtree(wheels)
    _run([str(program), "--help"], TRY_TIMEOUT_S)


def _run(argv: list[str], timeout_s: float) -> None:
    environ = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": "/nonexistent", "PIP_CONFIG_FILE": os.devnull}
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=timeout_s, check=False, env=environ, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WorldError(Text(f"{argv[0]}：{error}", f"{argv[0]}: {error}")) from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-500:]
        raise WorldError(Text(f"安装失败：{said}", f"the installation failed: {said}"), retryable=False)
