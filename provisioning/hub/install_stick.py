"""`songshan-hub install-stick`: a stick (装机盘) from which a bare Debian 12 becomes the box of a site, offline.

    install.sh        the one thing that is called there, as root
    hub.pub           the hub's signing key; a person compares its fingerprint with what is printed here
    SHA256SUMS        all files but these three, as sha256sum reads it
    SHA256SUMS.sig    the hub's signature over that, as `ssh-keygen -Y verify` reads it: what every Debian has
    about.txt, controller.txt, hosts.json, join.bundle, songshan.bundle, vars.yml

docs/formats.md, section 11; ADR 42.
"""

import hashlib
import subprocess
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Final

import click
import msgspec

from appliance import bundles
from appliance.command import say
from appliance.core.bundle import Manifest, requirements
from appliance.core.errors import OperatorError, Refused, Text, WorldError
from appliance.core.journal import parse_public_key
from appliance.durable import disk_errors, put_in_place, staged_beside, sync_disk, write_all, write_atomically
from appliance.joining import Bundle, read_bundle
from provisioning import identity
from provisioning.command import pass_hub
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals

NAMESPACE: Final = "songshan-install"
"""What this signature is for: no other word of the hub's can be taken for it, nor it for another."""
SUMS: Final = "SHA256SUMS"
SIGNATURE: Final = "SHA256SUMS.sig"
HUB_KEY: Final = "hub.pub"
RELEASE: Final = "songshan.bundle"
CLAIM: Final = "join.bundle"
SECRET: Final = 0o600
CHUNK_BYTES: Final = 1024 * 1024
VARS_BYTES_MAX: Final = 256 * 1024
SIGN_TIMEOUT_S: Final = 30.0


@click.command("install-stick")
@click.argument("into", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--bundle", "release", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--join", "claim", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--vars", "options", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="as in host_vars/SITE.yml"
)
@pass_hub
def install_stick(folder: HubFolder, into: Path, release: Path, claim: Path, options: Path | None) -> None:
    """Write a stick, mounted at INTO, from which a bare Debian 12 becomes the box of a site; what else is on it stays.

    --bundle is what `bundle` made, --join what `enrol` gave.

    Example: songshan-hub install-stick /media/usb --bundle songshan-1.2.0.bundle --join dengfeng.bundle
    """
    joins = read_bundle(claim)
    line = identity.public_line(HubJournals(folder).key.public_key())
    manifest = _checked(release, HubJournals(folder).signs(), joins)
    files = {
        "about.txt": about(manifest, joins),
        "controller.txt": requirements(manifest, "controller").encode(),
        "hosts.json": hosts(joins),
        "install.sh": program(),
        CLAIM: claim.read_bytes(),
        "vars.yml": _bounded(options) if options else b"{}\n",
    }
    with disk_errors(into):
        for name in (SUMS, SIGNATURE):
            (into / name).unlink(missing_ok=True)
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        digests[RELEASE] = _copied(release, into / RELEASE)
        listed = sums(digests)
        for name, data in {**files, HUB_KEY: f"{line}\n".encode(), SUMS: listed}.items():
            write_atomically(into / name, data, SECRET)
        # Last: a stick that was pulled out before is one that nobody signed.
        write_atomically(into / SIGNATURE, _signed(folder.sign_key, listed), SECRET)
        sync_disk(into)
    say(Text(f"{joins.name}（{joins.site}）的装机盘：{into}", f"a stick for {joins.name} ({joins.site}): {into}"))
    say(Text("在裸机上以 root：sh install.sh", "there, as root: sh install.sh"))
    say(Text(f"签名公钥指纹 {identity.fingerprint(line)}", f"signing key {identity.fingerprint(line)}"))
    say(Text(f"install.sh 的 sha256 {digests['install.sh']}", f"sha256 of install.sh {digests['install.sh']}"))


def program() -> bytes:
    """install.sh, the same for every site of a release."""
    return resources.files("provisioning.hub").joinpath("install.sh").read_bytes()


def about(manifest: Manifest, joins: Bundle) -> bytes:
    """A line for install.sh: what machine it is for, which release, whose box; then lines for people."""
    for_program = f"{manifest.arch} {manifest.suite} {manifest.version} {joins.site}"
    name = " ".join("".join(letter if letter.isprintable() else " " for letter in joins.name).split())
    for_people = f"{name} ({joins.site})\nsongshan-edge {manifest.version}, {joins.hub.id} {joins.hub.host}"
    return f"{for_program}\n{for_people}\n".encode()


def hosts(joins: Bundle) -> bytes:
    """The inventory of one machine, which makes itself; what the operator gave by --vars counts before it."""
    told = {
        "ansible_connection": "local",
        "songshan_site": joins.site,
        "songshan_name": joins.name,
        "songshan_channels": [{"id": channel.id, "name": channel.name} for channel in joins.channels],
        "songshan_hub_address": joins.hub.host,
    }
    return msgspec.json.format(msgspec.json.encode({"boxes": {"hosts": {joins.site: told}}})) + b"\n"


def sums(digests: Mapping[str, str]) -> bytes:
    """As sha256sum writes them, in the order of their names."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()


def _checked(release: Path, key: str, joins: Bundle) -> Manifest:
    """All of the bundle is read and hashed: what would be refused there is not carried there."""
    if joins.hub.sign_key != key:
        raise Refused(Text("加入包是另一个嵩山云的", "that is a bundle to join another hub with"))
    with bundles.opened(release) as archive:
        manifest = bundles.manifest_of(archive, parse_public_key(key))[0]
        bundles.take(archive, manifest, lambda _each: None)
    missing = [name for name in ("controller", "ansible", "debs") if not manifest.within(name)]
    if missing or not manifest.suite:
        names = ", ".join(missing) or "--suite"
        raise OperatorError(
            Text(f"升级包中没有 {names}", f"the bundle lacks {names}"),
            hint=Text("make bundle，再 songshan-hub bundle --suite bookworm", "make bundle, and sign it with --suite"),
        )
    return manifest


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(VARS_BYTES_MAX + 1)
    if len(data) > VARS_BYTES_MAX:
        raise OperatorError(Text(f"{path} 太大", f"{path} is too large"))
    return data


def _copied(source: Path, into: Path) -> str:
    """The digest of what was written."""
    hashed = hashlib.sha256()
    with source.open("rb") as file, staged_beside(into, SECRET) as (descriptor, staged):
        while chunk := file.read(CHUNK_BYTES):
            hashed.update(chunk)
            write_all(descriptor, chunk)
        put_in_place(descriptor, staged, into)
    return hashed.hexdigest()


def _signed(key: Path, said: bytes) -> bytes:
    argv = ["ssh-keygen", "-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(key)]
    done = subprocess.run(argv, input=said, capture_output=True, timeout=SIGN_TIMEOUT_S, check=False)
    if done.returncode != 0:
        why = done.stderr.decode(errors="replace").strip()[-300:]
        raise WorldError(Text(f"ssh-keygen 签不了名：{why}", f"ssh-keygen could not sign: {why}"))
    return done.stdout
