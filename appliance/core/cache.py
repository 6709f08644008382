"""What may be let go when the disk of the media runs short, and what may not.

Pure: the agent says what is used, gets an order, and removes from the front of it until enough is free.
"""

from collections.abc import Iterable, Mapping

from appliance.core.errors import Text
from appliance.core.stock import Holding


def pins(
    ledger: Iterable[str], coming: Iterable[str], published: Iterable[str], transfers: Iterable[str]
) -> dict[str, Text]:
    """Why each digest stays, the most pressing reason of each.

    Sources and renditions alike: of what the air ledger has committed, of what the coming days' schedules and fillers
    name, of what is published or taken, and of what is being sent or fetched.
    """
    pinned: dict[str, Text] = {}
    for digests, why in (
        (ledger, Text("播出账已排", "the air ledger has committed it")),
        (coming, Text("节目单或垫片要用", "a coming schedule or the fillers name it")),
        (published, Text("稿件在发布", "an item shows it")),
        (transfers, Text("正在传输", "it is being transferred")),
    ):
        for digest in digests:
            pinned.setdefault(digest, why)
    return pinned


def order_of_eviction(holdings: Iterable[Holding], pinned: Mapping[str, Text]) -> tuple[Holding, ...]:
    """What is on disk and not pinned, in the order in which it goes.

    Oldest last use first; of the same age the larger, so that fewer go; then by digest, so that two boxes choose alike.
    """
    loose = (holding for holding in holdings if holding.state == "here" and holding.digest not in pinned)
    return tuple(sorted(loose, key=lambda holding: (holding.last_used_us, -holding.size_bytes, holding.digest)))
