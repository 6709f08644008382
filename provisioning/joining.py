"""What a box that joins says to the hub, and what the hub answers: one line of JSON each."""

import msgspec

from appliance.core.errors import Text


class JoinRequest(msgspec.Struct, frozen=True):
    """What the box hands in: the public halves of its two keys."""

    ssh_key: str
    """An `ssh-ed25519 <base64>` line."""
    sign_key: str
    """32 bytes in base64."""
    software: str = ""


class JoinAnswer(msgspec.Struct, frozen=True):
    """`approved`: the key is let in from now on; `joined`: once it is approved; `refused`: nothing was taken."""

    verdict: str
    reason: Text | None = None
