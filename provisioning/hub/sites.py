"""Sites and claims as the hub knows them, and the authorized_keys file that follows from them alone."""

import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

import msgspec

from appliance.config import ChannelConfig
from appliance.core import moment
from appliance.core.errors import Refused, Text
from provisioning.hub.folder import HubFolder, is_site_id

SITES_MAX: Final = 1000
ACCOUNT_PREFIX: Final = "sh-"
State = Literal["invited", "joined", "approved", "revoked"]


class Site(msgspec.Struct, frozen=True):
    """site.json."""

    site: str
    name: str
    zone: str
    channels: tuple[ChannelConfig, ...]
    state: State
    enrolled_at: str
    pre_approved: bool = False
    ssh_key: str | None = None
    sign_key: str | None = None
    next_ssh_key: str | None = None
    next_sign_key: str | None = None
    """What the box has handed in to change its keys; both pairs are good until the new one has spoken."""
    keyed_at: str | None = None
    """When its keys were changed last."""
    let_renew_until: str | None = None
    """An operator lets keys that ran out be changed until then."""
    former_sign_keys: tuple[str, ...] = ()
    """Keys of the boxes that stood at this site before; they vouch for the epochs that those wrote."""
    shut_out: tuple[str, ...] = ()
    """Keys of boxes of this site that were revoked: they are told so by stick (`provisioning.hub.shutting_out`)."""
    joined_at: str | None = None
    approved_at: str | None = None
    revoked_at: str | None = None
    number: int | None = None
    """Of its account's user and group, where the hub has accounts."""


class Claim(msgspec.Struct, frozen=True):
    """claims/<id>.json: a one-off invitation, bound to its site."""

    id: str
    site: str
    ssh_key: str
    expires: str
    spent_at: str | None = None


def site_of(folder: HubFolder, site: str) -> Site:
    """site.json; Refused when there is no such site."""
    try:
        return msgspec.json.decode(folder.site(site).facts.read_bytes(), type=Site)
    except FileNotFoundError as error:
        raise Refused(
            Text(f"没有县级中心 {site}", f"there is no site {site}"),
            hint=Text(f"用 songshan-hub enrol {site} 登记", f"enrol it: songshan-hub enrol {site}"),
        ) from error


def all_sites(folder: HubFolder) -> tuple[Site, ...]:
    """Every site, by id."""
    if not folder.sites.is_dir():
        return ()
    names = sorted(entry.name for entry in folder.sites.iterdir() if is_site_id(entry.name))
    return tuple(site_of(folder, name) for name in names if folder.site(name).facts.exists())


def targets(folder: HubFolder, to: str) -> tuple[Site, ...]:
    """The sites that `--to` means: all of them, or one. Refused for a site that nobody enrolled."""
    return all_sites(folder) if to == "all" else (site_of(folder, to),)


def write_site(folder: HubFolder, site: Site) -> None:
    """Keep site.json and the folders that go with it. The hub's lock is held."""
    from appliance.durable import write_atomically

    own = folder.site(site.site)
    # Whom else they are open to is said by `provisioning.hub.accounts`, later.
    for path in (own.path, own.readable, own.incoming, own.uploaded, own.journal):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(own.facts, msgspec.json.format(msgspec.json.encode(site)))


def claim_of(folder: HubFolder, claim: str) -> Claim | None:
    """The invitation with this id, or None."""
    if not claim.isalnum():
        return None
    try:
        return msgspec.json.decode((folder.claims / f"{claim}.json").read_bytes(), type=Claim)
    except FileNotFoundError:
        return None


def all_claims(folder: HubFolder) -> tuple[Claim, ...]:
    """Every invitation, by id."""
    paths = sorted(folder.claims.glob("*.json"))
    return tuple(msgspec.json.decode(path.read_bytes(), type=Claim) for path in paths)


def write_claim(folder: HubFolder, claim: Claim) -> None:
    from appliance.durable import write_atomically

    write_atomically(folder.claims / f"{claim.id}.json", msgspec.json.format(msgspec.json.encode(claim)))


def drop_open_claims(folder: HubFolder, site: str) -> None:
    """Take back the invitations of a site that nobody used. The hub's lock is held."""
    for claim in all_claims(folder):
        if claim.site == site and claim.spent_at is None:
            (folder.claims / f"{claim.id}.json").unlink()


def write_authorized_keys(folder: HubFolder, now_us: int) -> None:
    """Bring what sshd reads into step with sites and claims. The hub's lock is held."""
    from appliance.durable import make_folder, write_atomically

    settings = folder.settings()
    if not settings.accounts:
        text = authorized_keys(gate_command(folder), all_sites(folder), all_claims(folder), now_us)
        write_atomically(folder.authorized_keys, text.encode())
        return
    make_folder(folder.account_keys, 0o700)
    claims = all_claims(folder)
    for site in all_sites(folder):
        path = folder.account_keys / account_of(site.site)
        own = [claim for claim in claims if claim.site == site.site]
        data = account_keys(settings.gate_socket, site, own, now_us).encode()
        if not path.exists() or path.read_bytes() != data:
            write_atomically(path, data, mode=0o600)


def account_of(site: str) -> str:
    """The system's account of a site, where the hub has accounts; its group is called the same."""
    return f"{ACCOUNT_PREFIX}{site}"


def account_keys(gate_socket: str, site: Site, claims: Iterable[Claim], now_us: int) -> str:
    """The lines of one site's account; pure. The command is read by no shell: the account's shell is the door."""
    keys = [("site", key, site.site) for key in (site.ssh_key, site.next_ssh_key) if key and site.state == "approved"]
    keys += [
        (f"claim {claim.id}", claim.ssh_key, f"claim-{claim.id}")
        for claim in claims
        if moment.to_us(claim.expires) > now_us
    ]
    return "".join(f'restrict,command="{gate_socket} {command}" {key} {name}\n' for command, key, name in keys)


def authorized_keys(gate: str, sites: Iterable[Site], claims: Iterable[Claim], now_us: int) -> str:
    """One line for every approved site and every claim that has not expired; pure.

    A spent claim stays until it expires, so that whoever comes with the bundle a second time is told why not.
    """
    keys = [
        (f"{gate} {site.site}", key, site.site)
        for site in sites
        for key in (site.ssh_key, site.next_ssh_key)
        if key and site.state == "approved"
    ]
    keys += [
        (f"{gate} --claim {claim.id}", claim.ssh_key, f"claim-{claim.id}")
        for claim in claims
        if moment.to_us(claim.expires) > now_us
    ]
    return "".join(f'restrict,command="{_escaped(command)}" {key} {comment}\n' for command, key, comment in keys)


def gate_command(folder: HubFolder) -> str:
    """How sshd starts the gate of this hub; the shell reads it."""
    program = Path(sys.executable).with_name("songshan-hub")
    argv = [str(program)] if os.access(program, os.X_OK) else [sys.executable, "-m", "provisioning.command"]
    return shlex.join([*argv, "--hub", str(folder.path), "gate"])


def _escaped(command: str) -> str:
    """For the inside of an option's quotes in authorized_keys (sshd(8), AUTHORIZED_KEYS FILE FORMAT)."""
    return command.replace('"', '\\"')
