"""The first release of a box: an environment that a person or a playbook installed becomes what upgrades start from."""

from pathlib import Path

import msgspec

from appliance import releases
from appliance.config import Config
from appliance.core.errors import Refused, Text
from appliance.core.journal import parse_public_key
from appliance.core.release import UNDER_WAY, VERSION, Release
from appliance.durable import disk_errors, sync_disk, sync_folder, write_atomically
from appliance.staging import HUB_KEY


def adopt(config: Config, prefix: Path, hub_key: str, now_us: int) -> tuple[str, bool]:
    """Make the environment in `prefix` the release that runs; its version, and whether anything was changed.

    It lies where releases lie. `hub_key` is whose bundles are believed from now on, where nobody is yet; "" where that
    is to be seen when the box has joined. Killed anywhere, the same again finishes it. The caller holds
    `one_at_a_time`. Raises Refused where the box runs another release: that is what `stage` and `apply` are for.
    """
    version = prefix.name
    if prefix.parent != config.releases / "releases" or not VERSION.fullmatch(version):
        place = config.releases / "releases" / "VERSION"
        raise Refused(Text(f"{prefix} 不在 {place}", f"{prefix} is not a {place}"))
    current = releases.linked(config, "current")
    if current not in ("", version) or releases.journal(config).state in UNDER_WAY:
        raise Refused(
            Text(f"本机已在用 {current}", f"this box runs {current} already"),
            hint=Text("升级：songshan upgrade stage BUNDLE", "to upgrade it: songshan upgrade stage BUNDLE"),
        )
    was = _state(config, version)
    if not (prefix / releases.MARK).is_file():
        with disk_errors(prefix):
            sync_disk(prefix)
            found = Release(version=version, staged_at_us=now_us)
            write_atomically(prefix / releases.MARK, msgspec.json.encode(found), releases.READ_BY_ALL)
            sync_folder(prefix.parent)
    if hub_key and not (config.releases / HUB_KEY).exists():
        parse_public_key(hub_key)
        write_atomically(config.releases / HUB_KEY, hub_key.encode() + b"\n", releases.READ_BY_ALL)
    # What judges upgrades is there before what runs: from the first start on there is a release to go on from.
    releases.point(config, "trusted", releases.linked(config, "trusted") or version)
    releases.point(config, "current", version)
    return version, _state(config, version) != was


def _state(config: Config, version: str) -> tuple[bool, bool, str, str]:
    return (
        (releases.folder_of(config, version) / releases.MARK).is_file(),
        (config.releases / HUB_KEY).exists(),
        releases.linked(config, "trusted"),
        releases.linked(config, "current"),
    )
