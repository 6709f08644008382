"""`songshan-hub gate`: the forced command of every site's key. Who comes in gets what `admission` says, or nothing."""

import os
import sys
from typing import Final

import click
import msgspec

from appliance.core.errors import LockedOut, Refused, Text
from provisioning.command import pass_hub
from provisioning.hub.admission import Admission, ControlSession, Denied, Download, Join, Upload, admit, admit_claim
from provisioning.hub.folder import HubFolder, parse_site_id

JOIN_REQUEST_BYTES_MAX: Final = 8 * 1024


@click.command()
@click.argument("site", required=False)
@click.option("--claim", help="the id of the claim whose key was used, in place of SITE")
@pass_hub
def gate(folder: HubFolder, site: str | None, claim: str | None) -> None:
    """What sshd runs for a key; what was asked for stands in SSH_ORIGINAL_COMMAND. Not for people.

    Example, in authorized_keys: restrict,command="songshan-hub --hub /srv/hub gate dengfeng" ssh-ed25519 AAAA…
    """
    asked = os.environ.get("SSH_ORIGINAL_COMMAND")
    if claim is not None:
        _answer(folder, f"claim {claim}", asked, admit_claim(asked), claim)
    elif site is not None:
        _answer(folder, parse_site_id(site), asked, admit(asked))
    else:
        raise click.UsageError("SITE or --claim")


def _answer(folder: HubFolder, who: str, asked: str | None, admission: Admission, claim: str = "") -> None:
    from provisioning.hub.refusals import log_refusal

    match admission:
        case Denied(reason):
            log_refusal(folder, who, "command", asked or "", reason)
            raise Refused(reason)
        case Join():
            _join(folder, claim)
        case ControlSession() | Download() | Upload():
            try:
                sys.exit(_site(folder, who, admission))
            except (Refused, LockedOut) as refused:
                log_refusal(folder, who, "command", asked or "", refused.problems[0])
                raise


def _site(folder: HubFolder, site: str, admission: ControlSession | Download | Upload) -> int:
    from provisioning.hub.presence import may_go_on

    if not may_go_on(folder, site):
        raise LockedOut(Text(f"{site} 未获准", f"{site} is not approved"))
    match admission:
        case ControlSession():
            from provisioning.hub import control

            return control.run(folder, site)
        case Download(names):
            from provisioning.hub import transfers

            return transfers.download(folder, site, names)
        case Upload():
            from provisioning.hub import transfers

            return transfers.upload(folder, site)


def _join(folder: HubFolder, claim: str) -> None:
    """One JSON line in, one out."""
    from provisioning.hub import enrolment
    from provisioning.hub.refusals import log_refusal
    from provisioning.joining import JoinAnswer, JoinRequest

    try:
        request = msgspec.json.decode(sys.stdin.buffer.readline(JOIN_REQUEST_BYTES_MAX), type=JoinRequest)
    except msgspec.DecodeError:
        answer = JoinAnswer("refused", Text("请求格式不对", "a malformed request"))
    else:
        answer = enrolment.join(folder, claim, request, folder.now_us())
    if answer.reason is not None:
        log_refusal(folder, f"claim {claim}", "claim", "join", answer.reason)
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()
