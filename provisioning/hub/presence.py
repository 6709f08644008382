"""Who is connected, and for how long: one control session a site, the newest; none past a revocation."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from appliance.core.errors import OperatorError, Refused
from appliance.core.key_term import LET_IN
from appliance.durable import STAGED_SUFFIX
from provisioning.hub.folder import HubFolder
from provisioning.hub.key_terms import standing_of
from provisioning.hub.sites import site_of

SERVING_VARIABLE: Final = "SONGSHAN_SERVING"
"""Set by `serve` for what its sshd starts: the file that it holds locked for as long as it lives."""


def may_go_on(folder: HubFolder, site: str) -> bool:
    """Whether what runs for a site may run on: the site is approved, its keys have not run out, the `serve` that let it
    in still lives."""
    serving = os.environ.get(SERVING_VARIABLE)
    if serving is not None and not is_held(Path(serving)):
        return False
    try:
        known = site_of(folder, site)
    except Refused:
        return False
    try:
        return known.state == "approved" and standing_of(folder, known) in LET_IN
    except OperatorError:
        # A slip in hub.toml ends no session that runs.
        return True


def is_held(path: Path) -> bool:
    """Whether a living process holds this file locked: a lock does not outlive kill -9."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


@contextmanager
def session_of(folder: HubFolder, site: str) -> Iterator["Presence"]:
    """Be the site's control session. An older one sees that it was followed, and ends."""
    path = folder.site(site).session
    # Two gateways may give one number to two processes. What a killed one leaves is swept by this name; and nobody else
    # may open it, for who can open it can hold it.
    own = path.with_name(f".{secrets.token_hex(8)}{STAGED_SUFFIX}")
    with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        own.rename(path)
        presence = Presence(folder, site, path, os.fstat(file.fileno()).st_ino)
        try:
            yield presence
        finally:
            if presence.is_newest():
                path.unlink(missing_ok=True)


class Presence:
    """The standing of one control session."""

    def __init__(self, folder: HubFolder, site: str, path: Path, inode: int) -> None:
        self._folder, self._site, self._path, self._inode = folder, site, path, inode

    def is_newest(self) -> bool:
        """Whether no later session of this site has begun, and nobody revoked it."""
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def may_go_on(self) -> bool:
        return self.is_newest() and may_go_on(self._folder, self._site)
