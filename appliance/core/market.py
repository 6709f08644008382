"""A story as somebody sees it who looks through the supermarket: what it is, how far it has come here. PURE."""

from typing import Literal

import msgspec

from appliance.core.errors import Text

Stage = Literal["offered", "arriving", "later", "shown", "over"]
"""offered: not taken. arriving: not all of it is here. later: all is, its time has not come. over: its time is gone."""

Side = Literal["offered", "taken", "sent"]
"""What is on offer; what this site took of it; what the hub published to this site."""


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """`is_sent`: published to this site by the hub, whatever the site takes. Bytes are those of all its assets."""

    id: str
    title: str
    section: str
    origin: str
    is_sent: bool
    is_taken: bool
    shown_at_us: int
    """When it was or will be published, else when it was made; what the list is ordered by."""
    publish_at_us: int | None
    until_us: int | None
    assets: int
    assets_here: int
    size_bytes: int
    here_bytes: int
    """What is here, and of what travels what has come."""
    failed: int = 0
    """Of its assets, those whose transfer failed."""

    @property
    def place(self) -> str:
        """Where it stands in a list, newest first: what to go on after."""
        return f"{self.shown_at_us} {self.id}"

    def stage(self, now_us: int) -> Stage:
        """How far it is."""
        if self.until_us is not None and self.until_us <= now_us:
            return "over"
        if not (self.is_taken or self.is_sent):
            return "offered"
        if self.assets_here < self.assets:
            return "arriving"
        return "later" if self.publish_at_us is not None and self.publish_at_us > now_us else "shown"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """An asset of a story that is read, or that was sent, and how far it is. `state` is "" where nobody wants it here.

    `moving` is the state of its transfer, "" where it has none.
    """

    digest: str
    name: str
    role: str
    size_bytes: int
    state: Literal["", "wanted", "here", "bad"] = ""
    moving: Literal["", "queued", "running", "done", "failed"] = ""
    done_bytes: int = 0
    reason: Text | None = None
