"""What the doctor looks at that nobody misses for a while: whether what recurs has run, whether there is a firewall.

Nothing of it needs the agent; where systemctl or nft is not there, or may not be asked, that is said or left to others.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance.commands.check import Check, good, wrong
from appliance.commands.unit_checks import BOOTED, TIMEOUT_S
from appliance.config import INSTALLED_HOME, Config
from appliance.core import wire
from appliance.core.errors import Text, WorldError
from appliance.core.health import Snapshot
from appliance.core.moment import to_text
from appliance.core.timer_states import ASKED, PROPERTIES, closes, of_timers
from appliance.core.unit_states import parse
from appliance.store.database import first, reading

TABLE: Final = ("nft", "list", "table", "inet", "songshan")
FIREWALL: Final = Path("/etc/nftables.conf")
PLAYBOOK: Final = Text(
    "请嵩山云运维 ansible-playbook box.yml --tags common_configure",
    "the hub's operator: ansible-playbook box.yml --tags common_configure",
)


def timers(config: Config, now_us: int) -> Iterator[Check]:
    """Of systemd; nothing for a box in a home of its own."""
    if config.home != INSTALLED_HOME or not BOOTED.is_dir():
        return
    argv = ["systemctl", "show", f"--property={','.join(PROPERTIES)}", *ASKED]
    yield from of_said(_said(argv), now_us)


def of_said(said: str | None, now_us: int) -> Iterator[Check]:
    """From what systemctl said; None: it could not be asked."""
    if said is None:
        hint = Text("systemctl list-timers", "systemctl list-timers")
        text = Text("问不到 systemd 定时任务", "systemd cannot be asked for its timers")
        yield wrong("timers", "warning", text, hint)
        return
    for each in of_timers(parse(said), now_us):
        look = f"systemctl status {each.unit}; journalctl -u {each.service}"
        if each.problem:
            yield wrong("timers", "warning", each.found, Text(look, look))
        else:
            yield good("timers", each.found.zh, each.found.en)


def agents_own(config: Config, seen: Snapshot) -> Iterator[Check]:
    """What the agent does by itself from time to time: the site's stream signed, the media read again."""
    own = next((each for each in seen.sync.streams if each.stream == wire.stream_of_site(config.site)), None)
    if own is not None and own.checkpoint_at_us is not None:
        at = to_text(own.checkpoint_at_us)
        yield good("timers", f"检查点：{own.seq} 条，签于 {at}", f"checkpoint: {own.seq} records, signed {at}")
    try:
        with reading(config.database) as db:
            row = first(
                db, "SELECT max(verified_at_us) AS last, min(verified_at_us) AS oldest FROM assets WHERE state = 'here'"
            )
    except WorldError:
        return
    if row is not None and row["last"]:
        last, oldest = to_text(row["last"]), to_text(row["oldest"]) if row["oldest"] else None
        yield good(
            "timers",
            f"媒资复查：最近 {last}，最久 {oldest or '待复查'}，每 {config.limits.verify_days} 天一轮",
            f"media read again: last {last}, oldest {oldest or 'is due'}, each within {config.limits.verify_days} d",
        )


def firewall(config: Config) -> Iterator[Check]:
    """Whether the kernel has our table. Only root may ask; for others `nftables.service` among the units must do."""
    if config.home != INSTALLED_HOME:
        return
    if os.geteuid() != 0:
        yield good(
            "firewall", "只有 root 能查看规则：sudo songshan doctor", "only root sees the rules: sudo songshan doctor"
        )
        return
    yield from of_rules(_said(list(TABLE)), is_ours="table inet songshan" in _text(FIREWALL))


def of_rules(rules: str | None, *, is_ours: bool) -> Iterator[Check]:
    """From what nft said, None where it said nothing; `is_ours`: the file that the boot loads has our table."""
    if rules is not None and closes(rules):
        yield good("firewall", "规则已加载，默认拒绝", "its rules are loaded; what nobody named is kept out")
    elif rules is not None:
        text = Text("规则已加载，但入站不是默认拒绝", "its rules are loaded, and let in what nobody named")
        yield wrong("firewall", "bad", text, PLAYBOOK)
    elif is_ours:
        load = "systemctl restart nftables; nft list table inet songshan"
        text = Text("防火墙规则没有加载：谁都能连进来", "its rules are not loaded: everybody gets in")
        yield wrong("firewall", "bad", text, Text(load, load))
    else:
        text = Text("没有设置防火墙（或没有 nft）", "no firewall was set up, or there is no nft")
        yield wrong("firewall", "warning", text, PLAYBOOK)


def _said(argv: list[str]) -> str | None:
    """What a program said; None where there is none, it failed or it does not end."""
    environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC"}
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=environ)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
