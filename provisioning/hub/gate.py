"""`songshan-hub gate`: the forced command of every site's key. Who comes in gets what `admission` says, or nothing."""

import os
import sys
from typing import TYPE_CHECKING, Final, TypeVar

import click
import msgspec

from appliance.core.errors import LockedOut, Refused, SongshanError, Text
from provisioning.command import pass_hub
from provisioning.hub.admission import (
    Admission,
    ControlSession,
    Denied,
    Download,
    Join,
    Rekey,
    Upload,
    admit,
    admit_claim,
)
from provisioning.hub.folder import HubFolder, parse_site_id

if TYPE_CHECKING:
    from provisioning.hub.reception import Caller
    from provisioning.joining import JoinAnswer

A = TypeVar("A")
JOIN_REQUEST_BYTES_MAX: Final = 8 * 1024


@click.command()
@click.argument("site", required=False)
@click.option("--claim", help="the id of the claim whose key was used, in place of SITE")
@click.option("--socket", "by_socket", is_flag=True, help="standard input is a connection from a site's door")
@pass_hub
def gate(folder: HubFolder, site: str | None, claim: str | None, by_socket: bool) -> None:
    """What sshd runs for a key; what was asked for stands in SSH_ORIGINAL_COMMAND. Not for people.

    Where each site has an account of its own, systemd runs it for each connection to the gate's socket.

    Example, in authorized_keys: restrict,command="songshan-hub --hub /srv/hub gate dengfeng" ssh-ed25519 AAAA…
    """
    asked = os.environ.get("SSH_ORIGINAL_COMMAND")
    if by_socket:
        _receive(folder)
    elif claim is not None:
        sys.exit(_answer(folder, f"claim {claim}", asked, admit_claim(asked), claim))
    elif site is not None:
        sys.exit(_answer(folder, parse_site_id(site), asked, admit(asked)))
    else:
        raise click.UsageError("SITE or --claim")


def _receive(folder: HubFolder) -> None:
    """Answer a door, and tell it how it ended."""
    from appliance.command import complain
    from provisioning.hub.reception import receive

    caller = receive(folder)
    asked, claim, site = caller.question.asked, caller.question.claim, caller.site.site
    try:
        if claim:
            _check_claim(folder, claim, site)
            status = _answer(folder, f"claim {claim}", asked, admit_claim(asked), claim)
        else:
            status = _answer(folder, site, asked, admit(asked), caller=caller)
    except SongshanError as error:
        complain(error)
        status = error.exit_status
    caller.ended(status)


def _answer(
    folder: HubFolder,
    who: str,
    asked: str | None,
    admission: Admission,
    claim: str = "",
    caller: "Caller | None" = None,
) -> int:
    """The exit status of the session."""
    from provisioning.hub.refusals import log_refusal

    match admission:
        case Denied(reason):
            log_refusal(folder, who, "command", asked or "", reason)
            raise Refused(reason)
        case Join():
            _join(folder, claim)
            return 0
        case Rekey(is_confirmed):
            try:
                _check_keys(folder, who, renews=True)
            except LockedOut as refused:
                log_refusal(folder, who, "command", asked or "", refused.problems[0])
                raise
            _rekey(folder, who, is_confirmed=is_confirmed)
            return 0
        case ControlSession() | Download() | Upload():
            try:
                _check_keys(folder, who, renews=False)
                return _site(folder, who, admission, caller)
            except (Refused, LockedOut) as refused:
                log_refusal(folder, who, "command", asked or "", refused.problems[0])
                raise


def _check_keys(folder: HubFolder, site: str, *, renews: bool) -> None:
    """LockedOut for a site that is not approved; and, KeyRanOut among them, for one whose keys are too old for this."""
    from provisioning.hub.key_terms import check
    from provisioning.hub.sites import site_of

    try:
        known = site_of(folder, site)
    except Refused as refused:
        raise LockedOut(*refused.problems) from refused
    if known.state != "approved":
        raise LockedOut(Text(f"{site} 未获准", f"{site} is not approved"))
    check(folder, known, renews=renews)


def _site(folder: HubFolder, site: str, admission: ControlSession | Download | Upload, caller: "Caller | None") -> int:
    from provisioning.hub.presence import may_go_on

    if not may_go_on(folder, site):
        raise LockedOut(Text(f"{site} 未获准", f"{site} is not approved"))
    match admission:
        case ControlSession():
            from provisioning.hub import control
            from provisioning.hub.confine import confine

            confine(folder, site)
            return control.run(folder, site)
        case Download(names):
            from provisioning.hub import transfers

            if caller is not None:
                return transfers.let_download(caller, folder, names)
            return transfers.download(folder, site, names)
        case Upload():
            from provisioning.hub import transfers

            return transfers.upload(folder, site) if caller is None else transfers.let_upload(caller, folder)


def _check_claim(folder: HubFolder, claim: str, site: str) -> None:
    """A site's account speaks for the claims of that site alone."""
    from provisioning.hub.sites import claim_of

    known = claim_of(folder, claim)
    if known is None or known.site != site:
        raise LockedOut(Text("没有这份邀请", "there is no such claim"))


def _join(folder: HubFolder, claim: str) -> None:
    """One JSON line in, one out."""
    from provisioning.hub import enrolment
    from provisioning.joining import JoinRequest

    request = _request(JoinRequest)
    answer = enrolment.join(folder, claim, request, folder.now_us()) if request is not None else None
    _say(folder, f"claim {claim}", "join", answer)


def _rekey(folder: HubFolder, site: str, *, is_confirmed: bool) -> None:
    """The same, of a box that changes its keys, or has changed them."""
    from provisioning.hub import rekeying
    from provisioning.rekeying import RekeyedRequest, RekeyRequest

    now_us = folder.now_us()
    if is_confirmed:
        changed = _request(RekeyedRequest)
        answer = rekeying.rekeyed(folder, site, changed, now_us) if changed is not None else None
    else:
        following = _request(RekeyRequest)
        answer = rekeying.rekey(folder, site, following, now_us) if following is not None else None
    _say(folder, site, "rekey", answer)


def _request(kind: type[A]) -> A | None:
    """What is asked; None for what is no request."""
    try:
        return msgspec.json.decode(sys.stdin.buffer.readline(JOIN_REQUEST_BYTES_MAX), type=kind)
    except msgspec.DecodeError:
        return None


def _say(folder: HubFolder, who: str, asked: str, answer: "JoinAnswer | None") -> None:
    from provisioning.hub.refusals import log_refusal
    from provisioning.joining import JoinAnswer

    answer = answer or JoinAnswer("refused", Text("请求格式不对", "a malformed request"))
    if answer.reason is not None:
        log_refusal(folder, who, "claim" if asked == "join" else "command", asked, answer.reason)
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()
