"""What one site's unaccepted files take up at the hub, and what they may: two bounds of hub.toml.

A quota of the file system may stand beside it; this bound is there on every one, and can say why.
"""

import stat
from typing import Final

from appliance.core.errors import Refused, Text
from provisioning.hub.folder import GIB, HubFolder, HubSettings, SiteFolder

COPYING: Final = ".copying"
"""Ends the name of the hub's own copy while it is made: that room is the hub's."""


def taken_bytes(own: SiteFolder) -> int:
    """Bytes of all that the site has sent up and that nothing has become of yet."""
    return sum(size for _name, size in _files(own))


def waiting(own: SiteFolder) -> tuple[int, int]:
    """How many files these are, and their bytes."""
    files = _files(own)
    return len(files), sum(size for _name, size in files)


def check(folder: HubFolder, site: str) -> None:
    """Refused when the site may send nothing more for now."""
    settings, files = folder.settings(), _files(folder.site(site))
    if len(files) >= settings.uploads_max:
        raise Refused(Text("待收文件太多", "too many files wait to be accepted"))
    if sum(size for _name, size in files) >= settings.site_bytes_max:
        raise Refused(_full(settings))


def is_over(folder: HubFolder, site: str) -> bool:
    """Whether it has sent more than it may."""
    return taken_bytes(folder.site(site)) > folder.settings().site_bytes_max


def _full(settings: HubSettings) -> Text:
    most = f"{settings.site_bytes_max / GIB:.1f} GiB"
    return Text(
        f"本站待收文件已满 {most}（site_bytes_max），请嵩山云运维处理",
        f"what waits of this site has filled its {most} (site_bytes_max): the hub's operator has to look",
    )


def _files(own: SiteFolder) -> list[tuple[str, int]]:
    found = []
    for folder in (own.incoming, own.uploaded):
        for entry in folder.iterdir():
            try:
                facts = entry.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(facts.st_mode) and not entry.name.endswith(COPYING):
                found.append((entry.name, facts.st_size))
    return found
