"""log/refusals.jsonl: what was asked for and not given. One JSON object a line: at, site, from, what, asked, reason."""

import os
from typing import Final

import msgspec

from appliance.core import moment
from appliance.core.errors import Text
from provisioning.hub.folder import HubFolder

ASKED_CHARS_MAX: Final = 500
LOG_BYTES_MAX: Final = 16 * 1024 * 1024


class Refusal(msgspec.Struct, frozen=True):
    at: str
    site: str
    from_: str = msgspec.field(name="from")
    """The address and port that the connection came from."""
    what: str
    """command, session, record, upload, submission or claim."""
    asked: str
    reason: Text


def log_refusal(folder: HubFolder, site: str, what: str, asked: str, reason: Text) -> None:
    """Append one line. A file grown past LOG_BYTES_MAX becomes refusals.old.jsonl, in place of the one before."""
    refusal = Refusal(
        at=moment.to_text(folder.now_us()),
        site=site,
        from_=" ".join(os.environ.get("SSH_CONNECTION", "").split()[:2]),
        what=what,
        asked=asked[:ASKED_CHARS_MAX],
        reason=reason,
    )
    folder.log.mkdir(parents=True, exist_ok=True)
    path = folder.log / "refusals.jsonl"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, msgspec.json.encode(refusal) + b"\n")
        grown = os.fstat(descriptor).st_size > LOG_BYTES_MAX
    finally:
        os.close(descriptor)
    if grown:
        path.replace(path.with_name("refusals.old.jsonl"))
