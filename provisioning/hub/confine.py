"""A gate closes to itself what is not its site's, before it reads a byte of what the site says (landlock(7)).

It has the hub's rights, for it signs and links for the site. Of the hub's folder it needs the streams that the site
reads, the site's own folder, the pile of assets, the key, the lock and the log. The journals and folders of all other
sites are out of its reach from then on, and whatever it starts inherits that. What is not closed: the names in the
folder, and assets, which are linked by digest.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from provisioning.hub.folder import HubFolder
from provisioning.hub.presence import SERVING_VARIABLE

ABI_MIN: Final = 2
"""Linux 5.19. Before, a process that confines itself can make no link from one folder into another."""

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_VERSION: Final = 1
_PATH_BENEATH: Final = 1
_NO_NEW_PRIVILEGES: Final = 38

_EXECUTE: Final = 1 << 0
_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_FOLDER: Final = 1 << 3
_TRUNCATE: Final = 1 << 14
_READ: Final = _EXECUTE | _READ_FILE | _READ_FOLDER
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_BITS: Final = {2: 14}
"""How many rights an ABI knows; from 3 on, 15: what came later is about devices and the network."""

_SYSTEM: Final = ("/bin", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc", "/sys", "/usr")
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64),)


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def confine(folder: HubFolder, site: str) -> bool:
    """Close it; False where this kernel cannot. OSError where it can and did not."""
    abi = _LIBC.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    if abi < ABI_MIN:
        return False
    everything = (1 << _BITS.get(abi, 15)) - 1
    for needed in (
        folder.log,
        folder.assets,
        folder.renditions,
        folder.journals / "all",
        folder.journals / site,
        folder.backups_of(site),
    ):
        needed.mkdir(mode=0o700, parents=True, exist_ok=True)
    ruleset = _Ruleset(everything)
    descriptor = _checked(
        _LIBC.syscall(_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(ctypes.sizeof(ruleset)), 0)
    )
    try:
        for path, rights in _open_to(folder, site, everything):
            _allow(descriptor, path, rights)
        _checked(_LIBC.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _checked(_LIBC.syscall(_RESTRICT_SELF, descriptor, 0))
    finally:
        os.close(descriptor)
    return True


def _open_to(folder: HubFolder, site: str, everything: int) -> Iterator[tuple[Path, int]]:
    """What stays open, and for what."""
    for named in (*_SYSTEM, sys.prefix, sys.base_prefix, Path(__file__).parents[2]):
        yield Path(named), _READ
    yield Path(os.devnull), _READ_FILE | _WRITE_FILE
    # Names alone: a folder is fsynced by opening it.
    yield folder.path, _READ_FOLDER
    for path in (folder.settings_file, folder.sign_key.parent):
        yield path, _READ
    for path in (folder.path / "lock", folder.log, folder.assets, folder.renditions):
        yield path, everything
    for path in (folder.journals / "all", folder.journals / site, folder.site(site).path, folder.backups_of(site)):
        yield path, everything
    if SERVING_VARIABLE in os.environ:
        yield Path(os.environ[SERVING_VARIABLE]), _READ_FILE


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not path.is_dir():
            rights &= _OF_FILES
        rule = _Beneath(rights, descriptor)
        _checked(_LIBC.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0))
    finally:
        os.close(descriptor)


def _checked(result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "landlock")
    return result
