"""What destroys waits for a fresh signature. Pure.

Whoever withholds the hub's newer records from a county, or plays old ones to it again, must not be able to make it
delete anything. So a record that destroys is done only under a checkpoint that is not past its time. One that came
under an older checkpoint is kept and held, and done by itself under the next fresh one. The air waits for none of this.
"""

from typing import Final

from appliance.core.errors import Text

DESTRUCTIVE: Final = frozenset({"recall", "redact"})
"""Kinds that take away what cannot be had again without the hub."""

REWOUND: Final = Text("嵩山云正从备份恢复", "the hub is coming back from an older copy")
EXPIRED: Final = Text("嵩山云的签名已过期", "the hub's signature is past its time")


def is_fresh(next_by_us: int | None, now_us: int, hub_now_us: int | None) -> bool:
    """Whether a stream's newest checkpoint is within its time: by this machine's clock, or by the hub's, if it listens.

    Either is enough: a county's clock that stands in 2037 must not keep a recall away that the hub has just signed.
    Whoever can set the clock at the other end of the line has the hub's host key already.
    """
    if next_by_us is None:
        return False
    return now_us < next_by_us or (hub_now_us is not None and hub_now_us < next_by_us)


def why_held(kind: str, *, fresh: bool, rewound: bool) -> Text | None:
    """Why a record of this kind is not done now; None when it is."""
    if kind not in DESTRUCTIVE:
        return None
    if rewound:
        return REWOUND
    return None if fresh else EXPIRED
