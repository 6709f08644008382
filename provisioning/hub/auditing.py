"""All chains at the hub, checked from the first byte on: which streams there must be, and whose key signs them."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from appliance.auditing import audit_folder, size_bytes_of
from appliance.core import journal
from appliance.core.audit import Audited, Missing, Redactions
from appliance.core.errors import Text
from provisioning.hub import keys
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import streams_of
from provisioning.hub.sites import Site

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Progress = Callable[[int, int], None]
"""Bytes read of bytes to read."""


def audit_streams(
    folder: HubFolder, sites: Sequence[Site], progress: Progress
) -> tuple[tuple[Audited, ...], tuple[Text, ...]]:
    """What was found in every stream, and bodies that nobody redacted on record."""
    streams = dict(_streams(folder, sites))
    total, done = sum(size_bytes_of(folder.stream(name)) for name in streams), 0
    redactions, found, missing = Redactions(), list[Audited](), list[Missing]()
    for name, signers in streams.items():
        path = folder.stream(name)
        audited, without_body = audit_folder(path, name, signers, redactions, _from(progress, done, total))
        done += size_bytes_of(path)
        found.append(audited)
        missing += without_body
    return tuple(found), redactions.unaccounted(missing)


def _from(progress: Progress, before: int, total: int) -> Callable[[int], None]:
    return lambda read_bytes: progress(before + read_bytes, total)


def _streams(folder: HubFolder, sites: Sequence[Site]) -> Iterator[tuple[str, tuple["Ed25519PublicKey", ...]]]:
    """Every stream there is, with the keys that may have signed it."""
    own = tuple(journal.parse_public_key(text) for text in (*keys.former_keys(folder), keys.current_key(folder)))
    for name in ("all/control", "all/content", *(name for site in sites for name in streams_of(site.site))):
        yield name, own
    for site in sites:
        texts = (*site.former_sign_keys, *([site.sign_key] if site.sign_key else []))
        yield f"{site.site}/report", tuple(journal.parse_public_key(text) for text in texts)
