"""Media bytes, named by their SHA-256."""

import re
from typing import Final, Literal, NewType

import msgspec

from appliance.core.errors import OperatorError, Text
from appliance.core.findings import Check

Digest = NewType("Digest", str)
"""`sha256:` and 64 lower-case hex digits. Made only by `parse_digest` and `digest_of`."""

AssetRole = Literal["video", "audio", "picture", "poster", "file"]

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_PREFIX: Final = "sha256:"


class Rendition(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """An asset in the channel's house format: one MPEG-TS file, itself named by its digest.

    `frames` is its whole length at 25 frames/s; `profile` names the recipe (`appliance.core.ts.HOUSE_PROFILE`).
    """

    digest: str
    size_bytes: int
    frames: int
    profile: str


class Asset(msgspec.Struct, frozen=True):
    """What a record says of an asset. `name` is for people only; nothing on disk is named after it.

    `check` is what the technical check found when the rendition was made; None where whoever made it knew of none.
    """

    digest: str
    size_bytes: int
    name: str = ""
    media_type: str = "application/octet-stream"
    role: AssetRole = "file"
    duration_s: float | None = None
    rendition: Rendition | None = None
    check: Check | None = None


def parse_digest(text: str) -> Digest:
    """Accept `sha256:<hex>` or the bare hex; raise OperatorError for anything else."""
    candidate = text if text.startswith(_PREFIX) else _PREFIX + text
    if not _DIGEST.fullmatch(candidate):
        raise OperatorError(
            Text(f"不是媒资指纹：{text[:80]!r}", f"not a digest: {text[:80]!r}"),
            hint=Text("指纹是 sha256: 加 64 位小写十六进制", "a digest is sha256: and 64 lower-case hex digits"),
        )
    return Digest(candidate)


def hex_of(digest: str) -> str:
    """The 64 hex digits: the asset's file name everywhere on disk."""
    return parse_digest(digest).removeprefix(_PREFIX)
