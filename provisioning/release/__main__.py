"""`python -m provisioning.release`: what a bundle is made of, from a clone; `songshan-hub bundle` signs it.

    wheels/       our own, and what it runs on by requirements.lock, pip among them
    controller/   ansible-core and what it runs on, by requirements-controller.lock
    ansible/      the playbooks of this clone
    debs/         what box and hub need and a bare Debian does not have
    bundle.json   what lies there; not signed, so it is for the first hub, which has no key yet

Needs PyPI and Debian by the ways that pip and apt of this machine are set up for. What is there already is not fetched
again.
"""

import shutil
import time
from pathlib import Path
from typing import Final

import click

from appliance.command import now_us, run, say
from appliance.core import bundle
from appliance.core.errors import OperatorError, Text
from appliance.durable import write_atomically
from provisioning.hub.bundling import manifest_of
from provisioning.release.apt import fetch_packages
from provisioning.release.wanted import wanted_packages
from provisioning.release.wheels import build_ours, fetch_wheels

SUITE: Final = "bookworm"
PYTHON: Final = "3.11"
"""Of that suite; wheels are fetched for it, whatever runs here."""


@click.command()
@click.argument("into", type=click.Path(path_type=Path, file_okay=False))
@click.option("--version", default=None, help="of the release; by default what pyproject.toml says")
@click.option("--no-debs", is_flag=True, help="wheels and playbooks alone")
def main(into: Path, version: str | None, no_debs: bool) -> None:
    """Fill INTO with the parts of a bundle.

    Example: python -m provisioning.release build/bundle
    """
    root, into = Path.cwd(), into.absolute()
    if not (root / "pyproject.toml").is_file():
        raise OperatorError(Text("请在项目文件夹中运行", "run this in a clone"))
    began_s = time.monotonic()
    build_ours(root, into / "wheels", version)
    _tell("songshan-edge", into / "wheels", began_s)
    for lock, folder in (("requirements.lock", "wheels"), ("requirements-controller.lock", "controller")):
        fetch_wheels(root / lock, into / folder, PYTHON)
        _tell(lock, into / folder, began_s)
    _copy_playbooks(root / "ansible", into / "ansible")
    if not no_debs:
        fetch_packages(into.parent / "apt", into / "debs", SUITE, wanted_packages(root / "ansible/packages.yml"))
        _tell("Debian", into / "debs", began_s)
    suite = "" if no_debs else SUITE
    manifest = manifest_of(into, now_us(), version=version, python=PYTHON, suite=suite)
    write_atomically(into / bundle.MANIFEST, bundle.encode(manifest), 0o644)
    _tell(f"{manifest.version}: {len(manifest.files)}", into, began_s)


def _copy_playbooks(source: Path, into: Path) -> None:
    shutil.rmtree(into, ignore_errors=True)
    if source.is_dir():
        shutil.copytree(source, into, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.retry"))


def _tell(what: str, folder: Path, began_s: float) -> None:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    told = f"{what}  {size / 2**20:.1f} MiB  {time.monotonic() - began_s:.0f} s  {folder}"
    say(Text(told, told))


if __name__ == "__main__":
    run(main)
