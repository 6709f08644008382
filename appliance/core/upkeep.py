"""What is wrong with backups and upgrades, and what to do about it. Pure."""

from collections.abc import Iterator
from typing import Final

from appliance.core.backup import BackupFact
from appliance.core.errors import Text
from appliance.core.health import Finding
from appliance.core.moment import US
from appliance.core.release import UNDER_WAY, ReleaseFact

BACKUP_AMBER_US: Final = 50 * 3600 * US
"""Two nights and a little: one that was missed for want of power is no alarm."""
STUCK_US: Final = 30 * 60 * US
"""Longer than any upgrade takes."""


def of_upkeep(backup: BackupFact, release: ReleaseFact, now_us: int) -> Iterator[Finding]:
    """All of it."""
    yield from _of_backup(backup, now_us)
    yield from _of_release(release, now_us)


def _of_backup(backup: BackupFact, now_us: int) -> Iterator[Finding]:
    """The age of the last one; of a box that never made one, since it joined."""
    since_us = backup.last_us if backup.last_us is not None else backup.joined_us
    if since_us is None or now_us - since_us <= BACKUP_AMBER_US:
        return
    age = age_of(now_us - since_us)
    text = Text(f"最近一次备份在 {age.zh}前", f"the last backup is {age.en} old")
    if backup.last_us is None:
        text = Text(f"入网 {age.zh}，从未备份", f"joined {age.en} ago, and never backed up")
    yield Finding(
        id="backup",
        severity="amber",
        text=text,
        hint=Text(
            "songshan backup --nightly；定时：systemctl status songshan-backup.timer",
            "songshan backup --nightly; its timer: systemctl status songshan-backup.timer",
        ),
    )


def _of_release(release: ReleaseFact, now_us: int) -> Iterator[Finding]:
    if release.problem is not None:
        yield Finding(
            id="release",
            severity="red",
            text=release.problem,
            hint=Text("songshan upgrade status；请联系嵩山云运维", "songshan upgrade status; tell the hub's operator"),
        )
    if release.state in UNDER_WAY:
        is_stuck = release.changed_us is not None and now_us - release.changed_us > STUCK_US
        yield Finding(
            id="upgrade",
            severity="amber" if is_stuck else "info",
            text=Text(f"正在升级到 {release.new}", f"an upgrade to {release.new} is under way"),
            hint=Text("systemctl start songshan-upgrade", "systemctl start songshan-upgrade")
            if is_stuck
            else Text("无需操作，播出不受影响", "nothing to do; the air goes on"),
        )
    elif release.state == "rolled_back" and release.why is not None:
        yield Finding(
            id="upgrade",
            severity="amber",
            text=Text(
                f"升级到 {release.new} 已回退：{release.why.zh}", f"{release.new} was rolled back: {release.why.en}"
            ),
            hint=Text(
                "请把 songshan upgrade status 告诉嵩山云运维", "tell the hub's operator: songshan upgrade status"
            ),
        )


def age_of(span_us: int) -> Text:
    """`3 天`, `5 小时`, `12 分钟`."""
    minutes = max(0, span_us) // (60 * US)
    if minutes < 120:
        return Text(f"{minutes} 分钟", f"{minutes} min")
    hours = minutes // 60
    return Text(f"{hours} 小时", f"{hours} h") if hours < 72 else Text(f"{hours // 24} 天", f"{hours // 24} d")
