"""rsync for one site: rrsync over its `readable/` or its `incoming/`, watched until it ends."""

import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from typing import Final

from appliance.core.errors import Refused, Text, WorldError
from provisioning.hub.folder import HubFolder
from provisioning.hub.intake import sweep
from provisioning.hub.presence import may_go_on

RRSYNC_PLACES: Final = ("/usr/bin/rrsync", "/usr/local/bin/rrsync")
LOOK_EVERY_S: Final = 1.0
END_TIMEOUT_S: Final = 5.0


_NOT_READABLE: Final = Text(
    "没有此文件，或未对本站开放：No such file or directory", "not here, or not for this site: No such file or directory"
)
"""With the words by which rsync itself says it, whatever the language."""


def download(folder: HubFolder, site: str, names: Sequence[str]) -> int:
    """Let rsync read these files of `readable/`; its exit status. Refused when one of them is not there."""
    if not all((folder.site(site).readable / name).is_file() for name in names):
        raise Refused(_NOT_READABLE)
    return _run(folder, site, ["-ro", "-no-lock", str(folder.site(site).readable)])


def upload(folder: HubFolder, site: str) -> int:
    """Let rsync write `incoming/`, no file larger than the hub takes; its exit status.

    Without -no-overwrite, which would forbid to resume.
    """
    settings = folder.settings()
    own = folder.site(site)
    sweep(own.incoming)
    if sum(1 for _ in own.incoming.iterdir()) + sum(1 for _ in own.uploaded.iterdir()) >= settings.uploads_max:
        raise Refused(Text("待收文件太多", "too many files wait to be accepted"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (settings.upload_bytes_max, settings.upload_bytes_max))
    return _run(folder, site, ["-wo", "-munge", "-no-del", "-no-lock", str(own.incoming)])


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
            if not may_go_on(folder, site):
                return _end(rsync)


def _end(rsync: subprocess.Popen[bytes]) -> int:
    os.killpg(rsync.pid, signal.SIGTERM)
    try:
        rsync.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(rsync.pid, signal.SIGKILL)
        rsync.wait()
    return 1
