"""How a site comes in and goes out: invited, joined, approved, revoked."""

import secrets
from typing import Final

import msgspec

from appliance.config import ChannelConfig, HubAddress
from appliance.core import journal, moment
from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.key_term import LET_IN
from appliance.core.machine import Machines
from appliance.joining import Bundle, ClaimKey
from provisioning import identity
from provisioning.hub.accounts import check_account_name, number_of
from provisioning.hub.folder import HubFolder, parse_site_id
from provisioning.hub.key_terms import let_renew, standing_of
from provisioning.hub.machines import choose, machines_of, note_locked
from provisioning.hub.shutting_out import shut_out, taken_off
from provisioning.hub.sites import (
    Claim,
    Site,
    account_of,
    claim_of,
    drop_open_claims,
    site_of,
    write_authorized_keys,
    write_claim,
    write_site,
)
from provisioning.joining import JoinAnswer, JoinRequest

DEFAULT_ZONE: Final = "Asia/Shanghai"
CLAIM_DAYS: Final = 7
DAY_US: Final = 86_400 * moment.US

_SPENT: Final = Text("加入包已经用过，不能再用", "this bundle has been used already")


def enrol(
    folder: HubFolder,
    site: str,
    name: str,
    zone: str,
    channels: tuple[ChannelConfig, ...],
    pre_approved: bool,
    days: int,
    now_us: int,
) -> Bundle:
    """Invite a site: a bundle with a one-off claim. Refused while the site has a box; revoke that one first."""
    parse_site_id(site)
    if folder.settings().accounts:
        check_account_name(site)
    key = identity.make_key()
    claim = Claim(
        id=secrets.token_hex(8),
        site=site,
        ssh_key=identity.public_line(key.public_key()),
        expires=moment.to_text(now_us + days * DAY_US),
    )
    with folder.locked():
        former, revoked = _former(folder, site)
        drop_open_claims(folder, site)
        write_site(
            folder,
            Site(
                site=site,
                name=name,
                zone=zone,
                channels=channels,
                state="invited",
                enrolled_at=moment.to_text(now_us),
                pre_approved=pre_approved,
                former_sign_keys=former,
                shut_out=revoked,
                number=number_of(folder, site),
            ),
        )
        write_claim(folder, claim)
        write_authorized_keys(folder, now_us)
    return Bundle(
        v=1,
        site=site,
        name=name,
        zone=zone,
        channels=channels,
        hub=address(folder, site),
        claim=ClaimKey(claim.id, identity.private_text(key).decode(), claim.expires),
    )


def join(folder: HubFolder, claim_id: str, request: JoinRequest, now_us: int) -> JoinAnswer:
    """Spend a claim: the site's keys are known from now on. The same keys again get the same answer.

    So a box whose line broke before it read the answer may ask again; anybody else is refused.
    """
    try:
        ssh_key = identity.parse_public_line(request.ssh_key)
        journal.parse_public_key(request.sign_key)
    except OperatorError as error:
        return JoinAnswer("refused", error.problems[0])
    with folder.locked():
        claim = claim_of(folder, claim_id)
        if claim is None:
            return JoinAnswer("refused", Text("没有这份邀请", "there is no such claim"))
        site = site_of(folder, claim.site)
        if claim.spent_at is not None:
            again = (site.ssh_key, site.sign_key) == (ssh_key, request.sign_key) and site.state != "revoked"
            return JoinAnswer(site.state) if again else JoinAnswer("refused", _SPENT)
        if moment.to_us(claim.expires) <= now_us:
            return JoinAnswer("refused", Text("加入包已过期", "this bundle has expired"))
        if site.state != "invited":
            return JoinAnswer("refused", Text("此中心已有节点加入", "a box has joined for this site already"))
        at = moment.to_text(now_us)
        known = msgspec.structs.replace(
            taken_off(site, request.sign_key),
            state="approved" if site.pre_approved else "joined",
            ssh_key=ssh_key,
            sign_key=request.sign_key,
            joined_at=at,
            approved_at=at if site.pre_approved else None,
        )
        write_site(folder, known)
        note_locked(folder, site.site, lambda _former_box: Machines())
        write_claim(folder, msgspec.structs.replace(claim, spent_at=at))
        write_authorized_keys(folder, now_us)
    return JoinAnswer(known.state)


def approve(folder: HubFolder, site: str, now_us: int, machine: str | None = None) -> Site:
    """Let the key in that the site handed in; or lift the fence of a site, for the machine whose print begins so.

    Keys that ran out are not made good by it: the box is let in to change them.
    """
    with folder.locked():
        known = site_of(folder, site)
        if known.state == "approved" and (machine is not None or machines_of(folder, site).fenced):
            choose(folder, site, machine)
        if known.state == "approved" and standing_of(folder, known) not in LET_IN:
            known = let_renew(known, now_us)
            write_site(folder, known)
        if known.state == "approved":
            return known
        if known.state != "joined":
            raise Refused(
                Text(f"{site} 还没有交来密钥", f"{site} has not handed in a key"),
                hint=Text("先在节点上运行 songshan join", "run songshan join on the box first"),
            )
        approved = msgspec.structs.replace(known, state="approved", approved_at=moment.to_text(now_us))
        write_site(folder, approved)
        write_authorized_keys(folder, now_us)
    return approved


def revoke(folder: HubFolder, site: str, now_us: int) -> Site:
    """Shut a site out: its key, its open invitation, and within seconds its running sessions."""
    with folder.locked():
        known = site_of(folder, site)
        revoked = msgspec.structs.replace(shut_out(known), state="revoked", revoked_at=moment.to_text(now_us))
        write_site(folder, revoked)
        drop_open_claims(folder, site)
        write_authorized_keys(folder, now_us)
        folder.site(site).session.unlink(missing_ok=True)
    return revoked


def address(folder: HubFolder, site: str) -> HubAddress:
    """What the box of a site needs to find this hub and to know it."""
    settings = folder.settings()
    host_line = folder.host_key.with_name(f"{folder.host_key.name}.pub").read_text()
    return HubAddress(
        id=settings.id,
        host=settings.host,
        port=settings.port,
        user=account_of(site) if settings.accounts else settings.user,
        host_keys=(identity.parse_public_line(host_line.strip()),),
        sign_key=journal.public_key_text(identity.read_private(folder.sign_key).public_key()),
    )


def _former(folder: HubFolder, site: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The signing keys that vouched for this site before, and those that are shut out. Refused while one may write."""
    try:
        known = site_of(folder, site)
    except Refused:
        return (), ()
    if known.state in ("joined", "approved"):
        raise Refused(
            Text(f"{site} 已登记", f"{site} is enrolled already"),
            hint=Text(f"换节点前先 songshan-hub revoke {site}", f"to replace its box: songshan-hub revoke {site}"),
        )
    return (*known.former_sign_keys, *([known.sign_key] if known.sign_key else [])), known.shut_out
