"""What the first start of a box looks at, and how it joins: by the program `songshan join`, whose words are shown."""

import base64
import hashlib
import os
import pwd
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from appliance.config import INSTALLED_CONFIG, Config
from appliance.core.errors import OperatorError, SongshanError, Text, WorldError
from appliance.core.moment import to_us
from appliance.first_boot_told import INSTALLED_TOLD, read_told
from appliance.joining import BUNDLE_BYTES_MAX, UNITS, read_bundle
from appliance.mounts import mounts
from tui.gather.brought import files_called
from tui.gather.network import tried
from tui.gather.programs import ask
from tui.gather.storage import HERE, read_disks
from tui.gather.system import home_words, program, time_source
from tui.gather.where import Where
from tui.view.acts import Case
from tui.view.first_boot import Found, Joined, Offer
from tui.view.network import LineTest
from tui.view.sheet import Asked

ENDING: Final = "*.bundle"
JOIN_TIMEOUT_S: Final = 90.0
START_TIMEOUT_S: Final = 60.0
OWNER: Final = "songshan"
SHARED_UMASK: Final = 0o007
"""What the services of the box share is for their group."""
CHOSEN: Final = "bundle-chosen"
TESTED: Final = "bundle-line"


def gather(where: Where, _asked: Asked) -> Found:
    """Everything; it is little, and the box does nothing else yet."""
    offers = tuple(_offer(path) for path in files_called(where, ENDING, (INSTALLED_CONFIG.parent,)))
    good = [each.path for each in offers if each.problem is None]
    chosen = where.notes.get(CHOSEN, "")
    test = where.notes.get(TESTED)
    source = time_source()
    return Found(
        offers=offers,
        chosen=chosen if chosen in good else good[0] if len(good) == 1 else "",
        unmounted=tuple(_unmounted()),
        test=test if isinstance(test, LineTest) else None,
        time_source=source,
        is_synchronised=bool(source),
        joined=_joined(where.config) if where.config is not None else None,
        told=read_told(where.home / "run/first-boot.json" if where.home else INSTALLED_TOLD),
    )


def choose(where: Where, case: Case) -> Text:
    """This bundle, of several."""
    where.notes[CHOSEN] = case.row
    where.notes.pop(TESTED, None)
    return Text(f"选用 {case.row}", f"{case.row} is used")


def try_line(where: Where, case: Case) -> Text:
    """Reach the hub that the bundle names, step by step."""
    found = case.found
    assert isinstance(found, Found) and found.offer is not None, "the act is refused without a bundle"
    test = tried(read_bundle(Path(found.offer.path)).hub, time.time_ns() // 1000)
    where.notes[TESTED] = test
    bad = next((step for step in test.steps if step.is_good is False), None)
    if bad is not None:
        raise WorldError(bad.found)
    return Text("线路畅通，主机密钥相符", "the line is good, the host key is the right one")


def join(where: Where, case: Case) -> Text:
    """The one yes: `songshan join`, as the user whom the box belongs to; then its services, where that is allowed."""
    path = case.value("bundle")
    if not path.startswith("/"):
        raise OperatorError(Text("没有选加入包", "no bundle was chosen"))
    argv = (*_as_owner(where), program(), *home_words(where), "join", path)
    spoken = {**where.environ, "SONGSHAN_LANG": case.look.language}
    said = ask(argv, JOIN_TIMEOUT_S, spoken, SHARED_UMASK)
    if said.status != 0:
        lines = (said.err.strip() or said.out.strip() or "-").splitlines()
        problem = "; ".join(lines[:3])[:300]
        raise WorldError(Text(f"未能入网：{problem}", f"not joined: {problem}"))
    is_up = started(where)
    return Text(
        "已入网，请把指纹报给嵩山云运维" + ("" if is_up else "；服务须以 root 启动"),
        "joined: read the fingerprint to the hub's operator" + ("" if is_up else "; root has to start the services"),
    )


def _offer(path: Path) -> Offer:
    with suppress(OSError):
        if path.stat().st_size > BUNDLE_BYTES_MAX:
            return Offer(str(path), problem=Text("文件太大，不是加入包", "too large to be a bundle to join with"))
    try:
        bundle = read_bundle(path)
        expires_us = to_us(bundle.claim.expires)
    except SongshanError as error:
        return Offer(str(path), problem=error.problems[0])
    return Offer(
        str(path),
        bundle.site,
        bundle.name,
        f"{bundle.hub.host}:{bundle.hub.port}",
        bundle.zone,
        len(bundle.channels),
        expires_us,
    )


def _unmounted() -> Iterator[str]:
    """Sticks of which nothing is mounted, by the part that would be."""
    with suppress(SongshanError, OSError):
        for disk in read_disks(HERE, mounts(), {}, {}):
            if disk.is_removable and not disk.points:
                parts = sorted(path.name for path in (HERE.sys / "block" / disk.name).glob(f"{disk.name}*"))
                yield f"/dev/{parts[0] if parts else disk.name}"


def _joined(config: Config) -> Joined:
    hub = f"{config.hub.host}:{config.hub.port}" if config.hub is not None else ""
    return Joined(config.site, config.name, _fingerprint(config.ssh_key.with_name(f"{config.ssh_key.name}.pub")), hub)


def _fingerprint(path: Path) -> str:
    """`SHA256:…` as ssh-keygen -l shows it; "" where the key cannot be read."""
    try:
        blob = base64.b64decode(path.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return ""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def _as_owner(where: Where) -> tuple[str, ...]:
    """Root joins an installed box for the user whom it belongs to; anybody else as whoever they are."""
    if where.home is not None or os.geteuid() != 0:
        return ()
    try:
        pwd.getpwnam(OWNER)
    except KeyError:
        return ()
    return ("runuser", "-u", OWNER, "--")


def started(where: Where) -> bool:
    """Start the services; whether they run from now on. A box in a folder has none."""
    if where.home is not None:
        return True
    with suppress(SongshanError):
        argv = ("systemctl", "enable", "--now", "--no-ask-password", *UNITS)
        return ask(argv, START_TIMEOUT_S, where.environ).status == 0
    return False
