"""What is wrong with the keys of a box, as the box tells it: they should change by themselves, and have not. Pure."""

from collections.abc import Iterator

from appliance.core.errors import Text
from appliance.core.health import Finding, Snapshot
from appliance.core.key_term import Key, standing
from appliance.core.moment import to_text


def of_key(seen: Snapshot) -> Iterator[Finding]:
    """By the hub's clock as it is known here: a wrong one of our own may tell too early, and shuts nobody out."""
    ahead_us = round((seen.clock.hub_offset_ms or 0.0) * 1000)
    yield from finding_of(seen.key, seen.now_us + ahead_us)


def finding_of(key: Key, hub_now_us: int) -> Iterator[Finding]:
    """Nothing while they are good, or have just come due."""
    if key.until_us is None or key.grace_until_us is None:
        return
    until, grace_until = to_text(key.until_us)[:10], to_text(key.grace_until_us)[:10]
    match standing(key, hub_now_us):
        case "late":
            yield Finding(
                id="key",
                severity="amber",
                text=Text(
                    f"本站密钥 {until} 期满，还没有自动换成",
                    f"this site's keys run out on {until}, and have not changed",
                ),
                hint=Text(
                    "journalctl -u songshan-agent | grep keys；或 runuser -u songshan -- songshan rotate-keys",
                    "journalctl -u songshan-agent | grep keys; or runuser -u songshan -- songshan rotate-keys",
                ),
            )
        case "renew_only":
            yield Finding(
                id="key",
                severity="amber",
                text=Text(
                    f"本站密钥已于 {until} 期满：在换之前不能同步；{grace_until} 前联网即自动更换",
                    f"this site's keys ran out on {until}: no sync before they are changed,"
                    f" which happens by itself over a line until {grace_until}",
                ),
                hint=Text("恢复线路；本地播出照常", "bring the line back; the local air goes on"),
            )
        case "out":
            yield Finding(
                id="key",
                severity="red",
                text=Text(
                    f"本站密钥期满且宽限已过（{grace_until}）：嵩山云不再接纳",
                    f"this site's keys ran out, and the time to change them ended on {grace_until}: nobody is let in",
                ),
                hint=Text(
                    "请嵩山云运维 songshan-hub approve 本站，节点随后自动更换",
                    "ask the hub's operator: songshan-hub approve SITE; the box then changes them by itself",
                ),
            )
        case _:
            return
