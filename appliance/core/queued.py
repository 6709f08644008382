"""A transfer as it stands in the queue, for somebody who looks through it. PURE."""

from typing import Final, Literal

import msgspec

from appliance.core.errors import Text

NEVER_US: Final = 2**62
"""What has no deadline comes last."""


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """An asset that waits or travels; `name` is "" where the asset is not known by one."""

    digest: str
    direction: Literal["down", "up"]
    name: str
    state: Literal["queued", "running", "failed"]
    due_us: int
    """NEVER_US where nothing waits for it."""
    size_bytes: int
    done_bytes: int
    rate_bytes_per_s: float | None
    attempts: int
    not_before_us: int
    reason: Text | None

    @property
    def place(self) -> tuple[int, str, str]:
        """Where it stands in the queue: what to go on after."""
        return self.due_us, self.digest, self.direction
