"""What can be seen again less far back than it should: told, since nobody notices what is not there."""

from collections.abc import Iterator

from appliance.core.errors import Text
from appliance.core.health import Finding, Storage


def of_catchup(disk: Storage | None) -> Iterator[Finding]:
    """Programmes of the days that are kept whose files had to go."""
    if disk is not None and disk.catchup_gone:
        yield Finding(
            id="catchup",
            severity="info",
            text=Text(
                f"回看少了 {disk.catchup_gone} 个节目：文件已为新内容让出空间或损坏",
                f"{disk.catchup_gone} programmes can no longer be seen again: their files made room, or went bad",
            ),
            hint=Text(
                "可换更大的盘，或减小 catchup_days", "fit a larger disk, or ask for fewer catchup_days; songshan cache"
            ),
        )
