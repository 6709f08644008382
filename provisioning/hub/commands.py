"""init, enrol, approve, revoke: making a hub and letting sites in."""

import getpass
import pwd
from pathlib import Path

import click
import msgspec

from appliance.command import say
from appliance.config import ChannelConfig
from appliance.core.errors import OperatorError, Refused, Text
from appliance.durable import write_atomically
from provisioning import identity
from provisioning.command import pass_hub
from provisioning.hub import enrolment, shutting_out
from provisioning.hub.folder import HubFolder, HubSettings, render_settings
from provisioning.hub.sites import write_authorized_keys

DEFAULT_PORT = 2222
INSTALLED_BACKUPS = "/var/backups/songshan-hub"
SAID = (Path("-"), Path("/dev/stdout"))
"""Not written but said: whoever called, over SSH, keeps it."""


@click.command()
@click.option("--id", "hub_id", default="songshan", show_default=True, help="the hub's id, in bundles and sign-offs")
@click.option("--host", default="127.0.0.1", show_default=True, help="the name or address that boxes connect to")
@click.option("--port", default=DEFAULT_PORT, show_default=True, help="the port of its sshd")
@click.option("--user", default=None, help="the account that owns the folder; by default yours")
@click.option("--accounts", is_flag=True, help="each site gets an account of the system: for a hub that sshd serves")
@click.option("--listen", multiple=True, metavar="ADDRESS", help="addresses of its sshd; by default all")
@pass_hub
def init(
    folder: HubFolder, hub_id: str, host: str, port: int, user: str | None, accounts: bool, listen: tuple[str, ...]
) -> None:
    """Make a hub in --hub DIR, with its keys.

    Example: songshan-hub --hub /srv/songshan-hub init --accounts --host hub.example.cn --port 22
    """
    if folder.settings_file.exists():
        raise Refused(Text(f"{folder.path} 已是嵩山云文件夹", f"{folder.path} is a hub already"))
    user = user or _own_account()
    for path in (
        folder.ssh,
        folder.journals,
        folder.assets,
        folder.renditions,
        folder.sites,
        folder.claims,
        folder.log,
        folder.fleet,
    ):
        path.mkdir(mode=0o700 if accounts else 0o755, parents=True, exist_ok=True)
    folder.path.chmod(0o711 if accounts else 0o700)
    sign = identity.make_key_files(folder.sign_key, f"{hub_id}-sign")
    identity.make_key_files(folder.host_key, f"{hub_id}-host")
    with folder.locked():
        settings = HubSettings(id=hub_id, host=host, port=port, user=user, accounts=accounts, listen=listen)
        if accounts:
            settings = msgspec.structs.replace(settings, backups=INSTALLED_BACKUPS)
        write_atomically(folder.settings_file, render_settings(settings).encode())
        write_authorized_keys(folder, folder.now_us())
    say(Text(f"嵩山云已建于 {folder.path}", f"a hub was made in {folder.path}"))
    signer = identity.fingerprint(identity.public_line(sign.public_key()))
    say(Text(f"签名公钥指纹 {signer}", f"signing key {signer}"))


@click.command()
@click.argument("site")
@click.option("--name", default=None, help="what people call it, for example 登封市融媒体中心")
@click.option("--zone", default=enrolment.DEFAULT_ZONE, show_default=True, help="its time zone")
@click.option("--channel", "channels", multiple=True, metavar="ID[=NAME]", help="its channels; by default SITE-1")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="where to; by default SITE.bundle; - says it"
)
@click.option("--approve", "--pre-approved", "pre_approved", is_flag=True, help="let the box in at once when it joins")
@click.option("--days", default=enrolment.CLAIM_DAYS, show_default=True, type=click.IntRange(1, 365))
@pass_hub
def enrol(
    folder: HubFolder,
    site: str,
    name: str | None,
    zone: str,
    channels: tuple[str, ...],
    out: Path | None,
    pre_approved: bool,
    days: int,
) -> None:
    """Invite SITE: writes a bundle for `songshan join`, good for one box, once.

    Example: songshan-hub enrol dengfeng --name 登封市 --out dengfeng.bundle
    """
    folder.settings()
    out = out or Path(f"{site}.bundle")
    is_said = out in SAID
    if not is_said and out.exists():
        raise Refused(Text(f"{out} 已存在，不覆盖", f"{out} exists and is not overwritten"))
    _check_zone(zone)
    named = tuple(_channel(text) for text in channels) or (ChannelConfig(f"{site}-1", f"{name or site}综合频道"),)
    bundle = enrolment.enrol(folder, site, name or site, zone, named, pre_approved, days, folder.now_us())
    data = msgspec.json.format(msgspec.json.encode(bundle)) + b"\n"
    if is_said:
        click.echo(data, nl=False)
        return
    write_atomically(out.absolute(), data, mode=0o600)
    say(
        Text(
            f"加入包 {out}，{bundle.claim.expires} 前有效，只能用一次",
            f"bundle {out}, good once until {bundle.claim.expires}",
        )
    )


@click.command()
@click.argument("site")
@click.option(
    "--machine", metavar="FINGERPRINT", help="where two machines stand for SITE: the one that does from now on"
)
@pass_hub
def approve(folder: HubFolder, site: str, machine: str | None) -> None:
    """Let the key in that SITE's box handed in; compare the fingerprint with the one that the box shows.

    Also lifts the fence of a site that two machines stand for: --machine says which of them is right. Where SITE's keys
    ran out, the box may change them, for a month; that is all, and it does so by itself.

    Example: songshan-hub approve dengfeng
    """
    approved = enrolment.approve(folder, site, folder.now_us(), machine)
    assert approved.ssh_key is not None
    shown = identity.fingerprint(approved.ssh_key)
    say(Text(f"{site} 已批准，指纹 {shown}", f"{site} is approved, fingerprint {shown}"))
    if approved.let_renew_until is not None:
        until = approved.let_renew_until[:10]
        say(Text(f"密钥期满，{until} 前可以更换", f"its keys ran out: until {until} the box may change them"))


@click.command()
@click.argument("site")
@pass_hub
def revoke(folder: HubFolder, site: str) -> None:
    """Shut SITE out: its key is refused from now on and its running sessions end within seconds.

    Example: songshan-hub revoke dengfeng
    """
    enrolment.revoke(folder, site, folder.now_us())
    say(Text(f"{site} 已吊销", f"{site} is revoked"))


@click.command()
@click.argument("site")
@pass_hub
def readmit(folder: HubFolder, site: str) -> None:
    """Let SITE's box in again that was revoked by mistake, with the keys that it has. Not one that was stolen.

    A box that read on a stick that it was shut out needs a stick that was written after this.

    Example: songshan-hub readmit dengfeng
    """
    known = shutting_out.readmit(folder, site, folder.now_us())
    assert known.ssh_key is not None
    shown = identity.fingerprint(known.ssh_key)
    say(Text(f"{site} 已恢复，指纹 {shown}", f"{site} is let in again, fingerprint {shown}"))


def _channel(text: str) -> ChannelConfig:
    channel, _, name = text.partition("=")
    return ChannelConfig(channel, name or channel)


def _check_zone(zone: str) -> None:
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise OperatorError(Text(f"没有时区 {zone[:60]!r}", f"there is no zone {zone[:60]!r}")) from error


def _own_account() -> str:
    """Whoever runs this; by uid, because LOGNAME may be another's."""
    import os

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return getpass.getuser()
