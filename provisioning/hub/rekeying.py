"""The hub's end of a box that changes its keys: the new ones are let in beside the old, which go when a new one spoke.

taken       the box has handed them in; both pairs are good
seen        something came that the new signing key signed: from now on it alone counts, and the old pair is out
"""

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from appliance.core import journal, moment
from appliance.core.errors import OperatorError, Text
from appliance.core.journal import Checkpoint, is_signed_by
from provisioning import identity
from provisioning.hub.folder import HubFolder
from provisioning.hub.sites import Site, site_of, write_authorized_keys, write_site
from provisioning.joining import JoinAnswer
from provisioning.rekeying import RekeyedRequest, RekeyRequest, is_confirmed, is_proven


def rekey(folder: HubFolder, site: str, request: RekeyRequest, now_us: int) -> JoinAnswer:
    """Let new keys in beside the old ones. The same again gets the same answer; others take the place of those that
    were handed in and never spoke."""
    try:
        ssh_key = identity.parse_public_line(request.ssh_key)
        journal.parse_public_key(request.sign_key)
    except OperatorError as error:
        return JoinAnswer("refused", error.problems[0])
    with folder.locked():
        known = site_of(folder, site)
        if known.sign_key is None or not is_proven(folder.settings().id, site, known.sign_key, request):
            if known.sign_key == request.sign_key and known.ssh_key == ssh_key:
                return JoinAnswer("taken")
            return JoinAnswer("refused", Text("不是现用密钥签的", "the keys that count now did not sign this"))
        taken = msgspec.structs.replace(known, next_ssh_key=ssh_key, next_sign_key=request.sign_key)
        if taken != known:
            write_site(folder, taken)
            write_authorized_keys(folder, now_us)
    return JoinAnswer("taken")


def rekeyed(folder: HubFolder, site: str, request: RekeyedRequest, now_us: int) -> JoinAnswer:
    """The new pair takes the place of the old, whose words stay valid; its door is shut. The same again is well."""
    with folder.locked():
        known = site_of(folder, site)
        if not is_confirmed(folder.settings().id, site, request):
            return JoinAnswer("refused", Text("签名不对", "the signature is wrong"))
        if known.sign_key == request.sign_key:
            return JoinAnswer("changed")
        if known.next_sign_key != request.sign_key or known.sign_key is None:
            return JoinAnswer("refused", Text("不认识此密钥", "this key was not handed in"))
        following = msgspec.structs.replace(
            known,
            ssh_key=known.next_ssh_key,
            sign_key=known.next_sign_key,
            next_ssh_key=None,
            next_sign_key=None,
            former_sign_keys=(*known.former_sign_keys, known.sign_key),
            keyed_at=moment.to_text(now_us),
            let_renew_until=None,
        )
        write_site(folder, following)
        write_authorized_keys(folder, now_us)
    return JoinAnswer("changed")


def key_of(folder: HubFolder, site: str, signed: Checkpoint | None) -> Ed25519PublicKey:
    """By which key to judge what came of a site: the next one where that signed it, else the one that counts."""
    keys = keys_of(site_of(folder, site))
    return next((key for key in keys if signed is not None and is_signed_by(signed, key)), keys[0])


def keys_of(site: Site) -> tuple[Ed25519PublicKey, ...]:
    """Those that may have signed a note on a stick."""
    return tuple(journal.parse_public_key(key) for key in (site.sign_key, site.next_sign_key) if key is not None)
