"""A sealed backup that a box sent in its session: looked at as far as that goes without its code, kept, older ones go.

It came as an upload, under the site's bounds, and was hashed; here it moves out of the site's reach into
HUB/backups/SITE. When it came counts, by the hub's clock, and not what the box says of its age: so a clock of 1970 is
no hindrance, and a box that somebody has taken over cannot push out in one night what it sent before.
"""

import os
from pathlib import Path
from typing import BinaryIO, Final

from appliance.core import moment, seal
from appliance.core.asset import hex_of
from appliance.core.backup import NIGHTLY, nightly_name
from appliance.core.errors import Corrupt, Refused, SongshanError, Text
from appliance.core.handed import Handed, let_go
from appliance.durable import make_folder, sync_folder, unlink_durably, write_atomically
from provisioning.hub.folder import GIB, HubFolder
from provisioning.hub.intake import FileAnswer

LAST: Final = "last"
"""Beside them: the digest of the one that came last."""
KEPT: Final = Text("已收为备份", "kept as a backup")


def keep_sent(folder: HubFolder, site: str, taken: FileAnswer) -> FileAnswer:
    """The answer to a delivery that is a backup and whose bytes are right; what is none goes again."""
    uploaded = folder.site(site).uploaded / hex_of(taken.digest)
    settings = folder.settings()
    try:
        if not settings.backups_kept:
            raise Refused(Text("嵩山云不收备份（backups_kept）", "this hub keeps no backups (backups_kept)"))
        if uploaded.stat().st_size > settings.backup_bytes_max:
            most = f"{settings.backup_bytes_max / GIB:.1f} GiB"
            raise Refused(Text(f"备份超过 {most}", f"a backup of more than {most} (backup_bytes_max)"))
        with uploaded.open("rb") as file:
            made_at = check(file, site, hex_of(taken.digest)[:12])
        place = folder.backups_of(site) / name_of(site, made_at)
    except SongshanError as refused:
        unlink_durably(uploaded)
        return FileAnswer(taken.digest, "refused", refused.problems[0])
    except FileNotFoundError:
        # One that the site may read as an asset of somebody's: nothing lies here to be kept.
        return FileAnswer(taken.digest, "refused", Text("不是备份", "not a backup"))
    make_folder(place.parent, 0o700)
    came_us = folder.now_us()
    uploaded.chmod(0o600)
    os.utime(uploaded, ns=(came_us * 1000, came_us * 1000))
    uploaded.rename(place)
    sync_folder(place.parent)
    sync_folder(uploaded.parent)
    write_atomically(place.with_name(LAST), taken.digest.encode())
    for name in let_go(came(place.parent), settings.backups_kept):
        unlink_durably(place.with_name(name))
    return FileAnswer(taken.digest, "taken", KEPT)


def is_last(folder: HubFolder, site: str, digest: str) -> bool:
    """Whether it is the one that came last: the box did not hear that it was kept."""
    try:
        return (folder.backups_of(site) / LAST).read_text() == digest
    except FileNotFoundError:
        return False


def name_of(site: str, made_at: str) -> str:
    """Of what a box says of the time nothing but a time becomes a name. Refused."""
    name = nightly_name(site, moment.to_text(moment.to_us(made_at)))
    if not NIGHTLY.fullmatch(name):
        raise Refused(Text(f"备份的时间不对：{made_at[:40]!r}", f"no time of a backup: {made_at[:40]!r}"))
    return name


def came(place: Path) -> list[Handed]:
    """The backups in a site's folder, by when they came; the last one last."""
    if not place.is_dir():
        return []
    found = [
        Handed(path.name, path.stat().st_mtime_ns // 1000) for path in place.iterdir() if NIGHTLY.fullmatch(path.name)
    ]
    return sorted(found, key=lambda each: (each.at_us, each.name))


def check(file: BinaryIO, site: str, name: str) -> str:
    """When it was made, by itself; what can be known without the code. Corrupt, Refused. A file that ends at a chunk is
    known by its sum alone."""
    lines = b"".join(file.readline(seal.HEADER_BYTES_MAX) for _line in range(2))
    header, _salt = seal.parse_header(lines)
    if header.site != site:
        raise Refused(Text(f"这是 {header.site} 的备份", f"a backup of {header.site}"))
    sealed_bytes = os.fstat(file.fileno()).st_size - len(lines)
    last_bytes = sealed_bytes % (seal.CHUNK_BYTES + seal.TAG_BYTES)
    if sealed_bytes < seal.TAG_BYTES or 0 < last_bytes < seal.TAG_BYTES:
        raise Corrupt(Text(f"{name} 不完整", f"{name} is cut off"))
    return header.made_at
