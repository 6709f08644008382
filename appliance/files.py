"""Assets on disk: staged, hashed, fsynced, named by their digest; set aside when they are not what they are called.

    media/incoming/<hex>     where a transfer writes; what is there may be half
    media/ab/<hex>           whole, and checked when it came
    media/quarantine/<hex>   bytes that were not what their name said
    public/<hex>             hard link: may be served over HTTP now

Only digests become names here. What a file was called where it came from is for people only (`name_for_people`).
"""

import errno
import os
import secrets
import shutil
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from appliance.config import Config
from appliance.core.asset import Digest, hex_of, parse_digest
from appliance.core.cache import Quarantined
from appliance.core.errors import Corrupt, Refused, Text, Unreadable, WorldError
from appliance.durable import (
    STAGED_SUFFIX,
    copy_settled,
    disk_errors,
    hash_of,
    make_folder,
    names_in,
    put_in_place,
    regular_file,
    staged_beside,
    sync_folder,
    unlink_durably,
)
from appliance.durable import write_atomically as write_atomically
from appliance.mounts import is_mount_point

ASSET_MODE: Final = 0o444
"""Nobody writes an asset: other names of the same bytes are served while it is here."""
MARK: Final = ".songshan-media"
"""Lies in `media`; its copy, beside the database, is the one that this box knows."""
MARK_BYTES_MAX: Final = 64
NAME_CHARS_MAX: Final = 200
NOTHING: Final = frozenset({"lost+found"})
"""What a file system brings along itself."""
NAMES_LOOKED_AT_MAX: Final = 1000
NAMES_TOLD_MAX: Final = 3
UNREADABLE: Final = ".unreadable"
"""Ends the name in quarantine of what the disk does not give back; nothing is compared with it."""
BROKEN: Final = frozenset({errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.ENODATA})
"""What a disk or file system says when it cannot give back what it was given."""


def make_folders(config: Config, *, with_media: bool = True) -> None:
    """All that a box writes into; what is there stays. Without the media where `media_are_there` says no."""
    if with_media:
        _make_media_folders(config)
    for folder in (config.database.parent, config.drop, config.library, config.keys, config.run):
        with disk_errors(folder):
            make_folder(folder, 0o700 if folder == config.keys else 0o750)


def _make_media_folders(config: Config) -> None:
    """Where the assets lie. From now on this disk is known by its mark.

    Links in `public` are names of the same bytes: where the media have a disk of their own, it lies on that.
    """
    with disk_errors(config.media):
        make_folder(config.database.parent)
        for folder in (config.media, config.incoming, config.quarantine):
            make_folder(folder)
        found, known = _mark(config.media / MARK), _mark(_known_mark(config))
        name = found or known or secrets.token_hex(16)
        if not found:
            write_atomically(config.media / MARK, name.encode())
        if not known:
            write_atomically(_known_mark(config), name.encode())
        if not config.public.exists() and _is_own_disk(config):
            make_folder(config.media / "public")
            config.public.symlink_to(config.media / "public")
            sync_folder(config.home)
        make_folder(config.public)


def media_are_there(config: Config) -> bool:
    """Whether `media` is the folder that this box knows, by its mark: an empty mount point is not, nor another disk.

    What was lost with the folder and what is only not mounted look alike; the mark tells them apart.
    """
    known = _mark(_known_mark(config))
    return not known or _mark(config.media / MARK) == known


def take_new_disk(config: Config) -> None:
    """Make the empty disk that is mounted in the place of the media the one that this box knows.

    Nothing happens where the disk that it knows is there. Raises Refused where no disk is mounted, or one that holds
    something, which may be somebody else's; WorldError where it cannot be written.
    """
    if media_are_there(config):
        return
    with disk_errors(config.media):
        if not is_mount_point(config.media):
            raise Refused(
                Text(f"{config.media} 处没有挂载磁盘", f"no disk is mounted at {config.media}"),
                hint=Text("先格式化并挂载新盘", "make a file system on the new disk and mount it there first"),
            )
        if strange := foreign_names(config):
            names = ", ".join(strange)
            raise Refused(
                Text(f"盘上已有内容：{names}", f"the disk is not empty: {names}"),
                hint=Text("请换空盘，或先确认并清空", "use an empty disk; or make sure what that is, and empty it"),
            )
        write_atomically(config.media / MARK, _mark(_known_mark(config)).encode())


def foreign_names(config: Config) -> tuple[str, ...]:
    """What lies on a disk that is mounted in the place of the media and is to be empty; the first few names."""
    found = sorted(islice(config.media.iterdir(), NAMES_LOOKED_AT_MAX))
    return tuple(name_for_people(path) for path in found if path.name not in NOTHING)[:NAMES_TOLD_MAX]


def stage_path(config: Config, digest: str) -> Path:
    """Where a transfer of this asset writes."""
    return config.incoming / hex_of(digest)


def path_of(config: Config, digest: str) -> Path:
    """Where the asset is once it is here."""
    name = hex_of(digest)
    return config.media.joinpath(name[:2], name)


def is_there(config: Config, digest: str) -> bool:
    """Whether the asset is on disk. Its bytes were right when it came; `verify` reads them again."""
    return path_of(config, digest).is_file()


def held(config: Config) -> Iterator[Digest]:
    """The digests of all assets on disk, in no order."""
    for folder in config.media.glob("[0-9a-f][0-9a-f]"):
        yield from map(parse_digest, names_in(folder))


def adopt(config: Config, staged: Path, digest: str) -> Path:
    """Make a staged file the asset of that digest: hash, fsync, rename, fsync the folder.

    Whoever wrote it must have ended. Bytes that are not what the digest says go to quarantine, and Corrupt is raised.
    """
    digest, target = parse_digest(digest), path_of(config, digest)
    with regular_file(staged) as descriptor:
        check(config, staged, descriptor, digest)
        with disk_errors(target):
            make_folder(target.parent)
            os.fchmod(descriptor, ASSET_MODE)
            put_in_place(descriptor, staged, target)
            sync_folder(staged.parent)
    return target


def check(config: Config, staged: Path, descriptor: int, digest: Digest) -> int:
    """The size of an open staged file; Corrupt or Unreadable when it is not what it is called, and it is set aside."""
    try:
        with disk_errors(staged):
            found, size_bytes = hash_of(descriptor)
    except WorldError as error:
        if not _is_broken(error):
            raise
        raise _unreadable(config, staged, digest, error) from error
    if found != digest:
        raise _set_aside(config, staged, digest, found)
    return size_bytes


def adopt_copy(config: Config, source: Path) -> tuple[Digest, int]:
    """Take in somebody else's file by copying it; `source` is left alone. Digest and size of what was taken.

    Raises Refused when it is no regular file, is empty, larger than `file_bytes_max`, or changes while it is read; and
    DiskFull or WorldError. Nothing half is left.
    """
    with (
        regular_file(source) as descriptor,
        disk_errors(config.incoming),
        staged_beside(config.incoming / "copy", ASSET_MODE) as (into, staged),
    ):
        digest, size_bytes = copy_settled(descriptor, into, source, config.limits.file_bytes_max)
        target = path_of(config, digest)
        make_folder(target.parent)
        put_in_place(into, staged, target)
    return digest, size_bytes


def adopt_link(config: Config, source: Path) -> tuple[Digest, int]:
    """Take in a file of ours, which nobody writes any more, as a second name of the same bytes; a copy where it lies
    on another disk. `source` stays until its owner removes it."""
    with regular_file(source) as descriptor, disk_errors(source):
        digest, size_bytes = hash_of(descriptor)
        target = path_of(config, digest)
        make_folder(target.parent)
        if target.exists():
            # Whoever gave it that name may have been killed before it was on the disk.
            sync_folder(target.parent)
            return digest, size_bytes
        try:
            os.fsync(descriptor)
            os.fchmod(descriptor, ASSET_MODE)
            target.hardlink_to(source)
        except OSError:
            # Another disk, or a file system without hard links.
            return adopt_copy(config, source)
        sync_folder(target.parent)
    return digest, size_bytes


def verify(config: Config, digest: str, bytes_per_s: int = 0) -> int:
    """Read an asset again, at most so fast where not 0; its size.

    Corrupt when it has changed: then it is in quarantine and no longer served.
    """
    path = path_of(config, digest)
    try:
        with regular_file(path) as descriptor, disk_errors(path):
            found, size_bytes = hash_of(descriptor, bytes_per_s)
    except WorldError as error:
        if not _is_broken(error):
            raise
        raise _unreadable(config, path, digest, error) from error
    if found != parse_digest(digest):
        _withdraw_if_possible(config, digest)
        raise _set_aside(config, path, digest, found)
    return size_bytes


def quarantined(config: Config) -> tuple[Quarantined, ...]:
    """What was set aside, by name."""
    found = []
    with suppress(FileNotFoundError):
        for path in sorted(config.quarantine.iterdir()):
            name, _dot, ending = path.name.partition(".")
            if len(name) == 64 and ending in ("", UNREADABLE[1:]):
                facts = path.lstat()
                found.append(
                    Quarantined(
                        name=path.name,
                        digest=f"sha256:{name}",
                        size_bytes=facts.st_size,
                        since_us=facts.st_ctime_ns // 1000,
                        is_readable=not ending,
                    )
                )
    return tuple(found)


def drop_quarantined(config: Config, name: str) -> None:
    """Let go of bytes that were set aside."""
    assert "/" not in name, name
    unlink_durably(config.quarantine / name)


def remove(config: Config, digest: str) -> None:
    """Let go of an asset: its public name first. Nothing happens when it is not here."""
    withdraw_link(config, digest)
    unlink_durably(path_of(config, digest))
    unlink_durably(stage_path(config, digest))


def publish_link(config: Config, digest: str) -> None:
    """Let HTTP serve an asset that is here; nothing happens when it is served already."""
    link, path = config.public / hex_of(digest), path_of(config, digest)
    with disk_errors(link):
        if link.exists() and link.samefile(path):
            return
        link.unlink(missing_ok=True)
        link.hardlink_to(path)
        sync_folder(config.public)


def publish_links(config: Config, digests: Iterable[str]) -> tuple[str, ...]:
    """Let HTTP serve many assets; those of them that are not here."""
    missing = []
    with disk_errors(config.public):
        for digest in digests:
            name = hex_of(digest)
            try:
                os.link(f"{config.media}/{name[:2]}/{name}", f"{config.public}/{name}")
            except FileExistsError:
                publish_link(config, digest)
            except FileNotFoundError:
                missing.append(digest)
        sync_folder(config.public)
    return tuple(missing)


def withdraw_link(config: Config, digest: str) -> None:
    """Let HTTP serve it no more: from the return of this call on there is no such file."""
    unlink_durably(config.public / hex_of(digest))


def served(config: Config) -> frozenset[Digest]:
    """The digests that HTTP serves now."""
    with disk_errors(config.public):
        return frozenset(map(parse_digest, names_in(config.public)))


def sweep(config: Config) -> None:
    """Take away what a killed process was writing. Call it when the agent starts, before anything is written."""
    for folder in (config.media, config.incoming, *config.media.glob("[0-9a-f][0-9a-f]")):
        for path in folder.glob(f".*{STAGED_SUFFIX}"):
            unlink_durably(path)


def free_bytes(config: Config) -> int:
    """What is free on the disk of the media, for a process without privileges."""
    with disk_errors(config.media):
        return shutil.disk_usage(config.media).free


def name_for_people(path: Path) -> str:
    """What to call a file on screens and in records: one line of at most NAME_CHARS_MAX characters.

    Names in GBK, as Windows programs of the trade write them, are read as what they say.
    """
    raw = os.fsencode(path.name)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("gb18030", errors="replace")
    line = "".join(character if _is_shown(character) else " " for character in text)
    return " ".join(line.split())[:NAME_CHARS_MAX] or "?"


def _is_shown(character: str) -> bool:
    """Not a control character, nor one that turns or hides what follows it."""
    return unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _is_own_disk(config: Config) -> bool:
    """Whether no file of the media can have a name elsewhere in the home: the kernel is asked, mounts may be nested."""
    probe = config.home / f".{secrets.token_hex(8)}{STAGED_SUFFIX}"
    try:
        probe.hardlink_to(config.media / MARK)
    except OSError as error:
        return error.errno == errno.EXDEV
    probe.unlink()
    return False


def _known_mark(config: Config) -> Path:
    return config.database.parent / "media-mark"


def _mark(path: Path) -> str:
    """What stands in it; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(MARK_BYTES_MAX).decode("ascii", "replace").strip()
    except OSError:
        return ""


def _is_broken(error: WorldError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in BROKEN


def _unreadable(config: Config, path: Path, digest: str, error: WorldError) -> Unreadable:
    _withdraw_if_possible(config, digest)
    _move_aside(config, path, hex_of(digest) + UNREADABLE)
    return Unreadable(*error.problems, hint=Text("将重新传输；请检查磁盘", "it comes again; check the disk"))


def _withdraw_if_possible(config: Config, digest: str) -> None:
    """On a disk that takes no more writes the name stays, and the asset is bad all the same."""
    with suppress(WorldError):
        withdraw_link(config, digest)


def _move_aside(config: Config, path: Path, name: str) -> None:
    """Where the disk does not let us, the file stays: it is known to be bad, and is replaced when it comes again."""
    with suppress(OSError):
        make_folder(config.quarantine)
        path.rename(config.quarantine / name)
        sync_folder(config.quarantine)
        sync_folder(path.parent)


def _set_aside(config: Config, path: Path, digest: str, found: str) -> Corrupt:
    _move_aside(config, path, hex_of(digest))
    return Corrupt(
        Text(
            f"媒资内容与指纹不符：应为 {digest}，实为 {found}",
            f"an asset is not what it is called: {digest} is {found}",
        ),
        hint=Text("已隔离，将重新传输", "it is in quarantine and will be fetched again"),
    )
