"""From a signed bundle (升级包) to a release that can run: checked before it is unpacked, installed with no network.

    stage(config, path, ...)    releases/VERSION with an environment of its own; release.json is written last

Of a bundle the wheels are taken; its packages and playbooks are read and checked, and are the hub operator's to use.
docs/formats.md, section 11.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from appliance import bundles, releases
from appliance.config import Config
from appliance.core import bundle
from appliance.core.bundle import Manifest
from appliance.core.errors import Refused, Text, WorldError
from appliance.core.journal import parse_public_key
from appliance.core.release import UNDER_WAY, Release, Upgrade, check_version
from appliance.durable import (
    disk_errors,
    make_folder,
    sync_disk,
    sync_folder,
    write_atomically,
)
from appliance.store import at_rest

INSTALL_TIMEOUT_S: Final = 1800.0
TRY_TIMEOUT_S: Final = 300.0
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
    with bundles.opened(path) as archive:
        manifest, _said, _signature = bundles.manifest_of(archive, parse_public_key(key))
        folder = releases.folder_of(config, manifest.version)
        _check_new(config, manifest)
        with _made(folder):
            bundles.take(archive, manifest, lambda file: folder / file.path if file.folder == "wheels" else None)
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
    needed = 4 * sum(wheel.size_bytes for wheel in manifest.within("wheels")) + releases.FILE_BYTES_MAX
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


def _install(folder: Path, manifest: Manifest) -> None:
    """An environment of its own, by the pip that comes with the bundle: no network, nothing of Debian's."""
    wheels = folder / "wheels"
    (folder / "requirements.txt").write_text(bundle.requirements(manifest))
    pip = next(wheel.name for wheel in manifest.within("wheels") if wheel.name.startswith("pip-"))
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
