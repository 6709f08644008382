"""What was wrong and is over. PURE."""

from typing import Literal

import msgspec

from appliance.core.errors import Text
from appliance.core.health import Severity


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm that is over, as it was said last, or a time without an agent. `times`: how often it came and went.

    `kind`: `alarm`; `off`, the machine was off; `unattended`, it ran and nobody kept watch. The last two have no text.
    """

    kind: Literal["alarm", "off", "unattended"]
    id: str
    severity: Severity | None
    text: Text | None
    hint: Text | None
    since_us: int
    ended_us: int
    times: int = 1

    @property
    def place(self) -> tuple[int, str]:
        """Where it stands in the history: what to go on after."""
        return self.ended_us, self.id
