"""What is wrong with the disk of the media and with what lies on it, and what to do about it. Pure."""

from collections.abc import Iterator
from typing import Final

from appliance.core.errors import Text
from appliance.core.health import Finding, Storage

_GIB: Final = 1024**3


def of_storage(disk: Storage | None) -> Iterator[Finding]:
    """What is wrong with it; nothing where there is no such folder, which others tell."""
    if disk is None:
        return
    hint = Text("请清理磁盘，或换更大的盘", "free some space, or fit a larger disk")
    free = f"{disk.free_bytes / _GIB:.1f} GiB"
    if disk.free_bytes < disk.reserve_bytes // 4:
        yield _red("disk", Text(f"磁盘将满，只剩 {free}", f"the disk is nearly full, {free} left"), hint)
    elif disk.free_bytes < disk.reserve_bytes:
        yield _amber(
            "disk", Text(f"磁盘剩余 {free}，低于预留", f"{free} left on the disk, less than the reserve"), hint
        )
    if disk.cache_bytes_max and disk.media_bytes > disk.cache_bytes_max:
        held, most = f"{disk.media_bytes / _GIB:.1f} GiB", f"{disk.cache_bytes_max / _GIB:.1f} GiB"
        yield _amber(
            "cache-quota",
            Text(
                f"媒资 {held}，超过上限 {most}；都在使用，播出和备播不受影响",
                f"assets take up {held}, more than the {most} they may; all are in use, the air is not affected",
            ),
            Text(
                "请看 songshan cache；调高 cache_bytes_max，或撤下不再需要的内容",
                "see songshan cache; raise cache_bytes_max, or take down what is not needed any more",
            ),
        )
    if disk.assets_unread:
        yield _amber(
            "scrub",
            Text(
                f"{disk.assets_unread} 个媒资超期未复查",
                f"{disk.assets_unread} assets were not read again for too long",
            ),
            Text(
                "agent 会自动复查；若一直不减，请看 songshan cache 和磁盘",
                "the agent reads them by itself; if the number stays, see songshan cache and the disk",
            ),
        )
    if disk.assets_bad:
        yield _amber(
            "bad-assets",
            Text(f"{disk.assets_bad} 个媒资损坏", f"{disk.assets_bad} assets went bad"),
            Text("将自动重新传输；若反复出现请检查磁盘", "they are fetched again; if it recurs, check the disk"),
        )
    if disk.catchup_gone:
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


def _red(identity: str, text: Text, hint: Text) -> Finding:
    return Finding(id=identity, severity="red", text=text, hint=hint)


def _amber(identity: str, text: Text, hint: Text) -> Finding:
    return Finding(id=identity, severity="amber", text=text, hint=hint)
