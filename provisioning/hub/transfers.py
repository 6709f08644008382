"""rsync for one site: rrsync over its `readable/` or its `incoming/`, watched until it ends.

We run it ourselves where all sites come in as one account; else the door of the site's account does, once we let it.
"""

import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from typing import Final

from appliance.core.errors import Refused, Text, WorldError
from provisioning.hub import room
from provisioning.hub.folder import HubFolder
from provisioning.hub.intake import sweep
from provisioning.hub.presence import may_go_on
from provisioning.hub.reception import Caller

_READING: Final = ("-ro", "-no-lock")
_WRITING: Final = ("-wo", "-munge", "-no-del", "-no-lock")
"""Without -no-overwrite, which would forbid to resume."""
RRSYNC_PLACES: Final = ("/usr/bin/rrsync", "/usr/local/bin/rrsync")
LOOK_EVERY_S: Final = 1.0
END_TIMEOUT_S: Final = 5.0


_NOT_READABLE: Final = Text(
    "没有此文件，或未对本站开放：No such file or directory", "not here, or not for this site: No such file or directory"
)
"""With the words by which rsync itself says it, whatever the language."""


def download(folder: HubFolder, site: str, names: Sequence[str]) -> int:
    """Let rsync read these files of `readable/`; its exit status. Refused when one of them is not there."""
    _check_readable(folder, site, names)
    return _run(folder, site, [*_READING, str(folder.site(site).readable)])


def upload(folder: HubFolder, site: str) -> int:
    """Let rsync write `incoming/`, no file larger than the hub takes; its exit status."""
    file_bytes_max = _prepare(folder, site)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))
    return _run(folder, site, [*_WRITING, str(folder.site(site).incoming)])


def let_download(caller: Caller, folder: HubFolder, names: Sequence[str]) -> int:
    """`download`, by the site's own account: until its door has ended, or the site may not go on."""
    site = caller.site.site
    _check_readable(folder, site, names)
    caller.grant(list(_READING), str(folder.site(site).readable), 0)
    while not caller.is_gone(LOOK_EVERY_S):
        if not may_go_on(folder, site):
            return 1
    return 0


def let_upload(caller: Caller, folder: HubFolder) -> int:
    """`upload`, by the site's own account."""
    site = caller.site.site
    file_bytes_max = _prepare(folder, site)
    caller.grant(list(_WRITING), str(folder.site(site).incoming), file_bytes_max)
    while not caller.is_gone(LOOK_EVERY_S):
        if not may_go_on(folder, site) or room.is_over(folder, site):
            return 1
    return 0


def _check_readable(folder: HubFolder, site: str, names: Sequence[str]) -> None:
    if not all((folder.site(site).readable / name).is_file() for name in names):
        raise Refused(_NOT_READABLE)


def _prepare(folder: HubFolder, site: str) -> int:
    """See to it that the site may send something; the largest file that it may."""
    sweep(folder.site(site).incoming)
    room.check(folder, site)
    settings = folder.settings()
    return min(settings.upload_bytes_max, settings.site_bytes_max)


def _run(folder: HubFolder, site: str, restriction: list[str]) -> int:
    """rrsync reads what was asked from SSH_ORIGINAL_COMMAND, and speaks over our own stdin and stdout.

    With -no-lock it becomes rsync instead of starting it, so that it dies with us; its lock would also make a site wait
    for a dead predecessor.
    """
    program = next((path for path in RRSYNC_PLACES if os.access(path, os.X_OK)), None)
    if program is None:
        raise WorldError(
            Text("没有 rrsync", "there is no rrsync"), hint=Text("apt-get install rsync", "apt-get install rsync")
        )
    rsync = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", program, *restriction], start_new_session=True)
    while True:
        try:
            return rsync.wait(LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            if not may_go_on(folder, site) or room.is_over(folder, site):
                return _end(rsync)


def _end(rsync: subprocess.Popen[bytes]) -> int:
    os.killpg(rsync.pid, signal.SIGTERM)
    try:
        rsync.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(rsync.pid, signal.SIGKILL)
        rsync.wait()
    return 1
