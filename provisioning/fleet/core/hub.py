"""The hub as its own operator sees it: disk, sessions, journals, what waits; and what is wrong with it. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from appliance.core import moment
from appliance.core.errors import Text
from appliance.core.moment import US
from provisioning.fleet.core.row import RANK, Level, Row, Told, plain
from provisioning.fleet.core.words import ago, size, span

SILENT_S: Final = 300.0
"""A box speaks every ten seconds; one that stands in a session and has said nothing for so long does not work."""
IN_SERVICE_S: Final = 7 * 86_400.0
"""A county that was not heard for a week says nothing about the hub's line."""
UPLOADS_FULL: Final = 0.9


class Watching(msgspec.Struct, frozen=True, kw_only=True):
    """Where normal ends, for what the hub itself sees."""

    quiet_after_s: float = 3600.0
    line_after_s: float = 180.0
    counties_min: int = 3
    free_bytes_min: int = 20 * 1024**3
    away_from_us: int = 0
    """Nobody is held to have been away before this: the watch did not look, or the hub had no line itself."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stream has come here."""

    stream: str
    epoch: int
    seq: int
    signed_at: str | None = None


class Hub(msgspec.Struct, frozen=True, kw_only=True):
    """The hub's own facts at one moment."""

    id: str
    version: str
    disk_free_bytes: int | None = None
    disk_total_bytes: int | None = None
    sessions: int = 0
    """Counties whose control session stands."""
    heads: tuple[Head, ...] = ()
    waiting_records: int = 0
    """Records that approved sites have not acknowledged, summed."""
    uploads: int = 0
    """Files of all sites that lie unaccepted."""
    letters_waiting: int = 0
    """Alarm messages that could not be delivered yet."""
    alarms: tuple[Told, ...] = ()


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """Everything at one moment; the rows worst first."""

    generated_at: str
    hub: Hub
    sites: tuple[Row, ...]


def judged(row: Row, limits: Watching, at_us: int, hub_has_line: bool = True) -> Row:
    """The row with what the hub itself finds wrong, and its level."""
    found = (*row.alarms, *_of_site(row, limits, at_us, hub_has_line))
    alarms = tuple(sorted(found, key=lambda each: RANK[each.severity]))
    levels: list[Level] = [each.severity for each in alarms]
    if row.state == "revoked":
        return msgspec.structs.replace(row, level="info")
    is_normal = row.state in ("approved", "fenced") and row.link == "connected"
    lowest: Level = "ok" if is_normal else "info"
    level = min((lowest, *levels), key=lambda each: RANK[each])
    return msgspec.structs.replace(row, alarms=alarms, level=level)


def has_line(rows: Iterable[Row], limits: Watching, at_us: int) -> bool:
    """False where all counties went away, so that it must be the hub's own line: a few at least, and none is left.

    Those that were not heard for a week do not count; nor does anything within `line_after_s` of the last word.
    """
    in_service = [row for row in rows if row.state == "approved" and (row.sync_age_s or 0) < IN_SERVICE_S]
    heard = [row for row in in_service if row.heard_at is not None]
    if len(heard) < limits.counties_min or any(row.link == "connected" for row in in_service):
        return True
    last_us = max(moment.to_us(row.heard_at) for row in heard if row.heard_at is not None)
    return at_us - max(last_us, limits.away_from_us) < limits.line_after_s * US


def _of_site(row: Row, limits: Watching, at_us: int, hub_has_line: bool) -> Iterator[Told]:
    if row.state == "fenced":
        yield Told(
            id="hub:fenced",
            severity="red",
            text=Text("两台机器使用同一身份，上报已停", "two machines use one identity, its reports are stopped"),
            hint=Text(
                f"问清哪台为准：songshan-hub approve {row.site} --machine 指纹",
                f"ask which is meant: songshan-hub approve {row.site} --machine FINGERPRINT",
            ),
        )
    if row.state == "joined":
        yield Told(
            id="hub:joined",
            severity="info",
            text=Text("已交公钥，待批准", "has handed in its keys and waits to be let in"),
            hint=Text(f"核对指纹后 songshan-hub approve {row.site}", f"songshan-hub approve {row.site}"),
        )
    if row.state in ("approved", "fenced") and row.heard_at is not None and row.sync_age_s is not None:
        yield from _of_silence(row, limits, at_us, hub_has_line)
    yield from _of_keys(row)
    filled = max(
        row.uploads / row.uploads_max if row.uploads_max else 0.0,
        (row.waiting_bytes or 0) / row.waiting_bytes_max if row.waiting_bytes_max else 0.0,
    )
    if filled >= UPLOADS_FULL:
        told = f"{row.uploads}/{row.uploads_max}", size(row.waiting_bytes).en, size(row.waiting_bytes_max).en
        then = Text("已满，回传被拒", "full: uploads are refused")
        if not row.waiting_is_full:
            then = Text("满后回传被拒", "when full, uploads are refused")
        yield Told(
            id="hub:uploads",
            severity="amber",
            text=Text(
                f"待收文件 {told[0]} 个，{told[1]}/{told[2]}，{then.zh}",
                f"{told[0]} files, {told[1]} of {told[2]} wait to be accepted; {then.en}",
            ),
            hint=Text(
                "看 log/refusals.jsonl；问县里为何有文件没有回传单",
                "see log/refusals.jsonl; ask the county why files have no submission",
            ),
        )


def _of_keys(row: Row) -> Iterator[Told]:
    """Keys that should have changed by themselves. Those that are due and of a box that is away will."""
    until, grace_until = (row.key_until or "")[:10], (row.key_grace_until or "")[:10]
    if row.key_standing == "late":
        yield Told(
            id="hub:key",
            severity="amber",
            text=Text(f"密钥 {until} 期满，节点还没有换", f"its keys run out on {until}, and it has not changed them"),
            hint=Text(
                "在线的，请县里看 journalctl -u songshan-agent；离线的，联网后自动更换",
                "where it has a line: journalctl -u songshan-agent there; where not, it does so when it is back",
            ),
        )
    elif row.key_standing == "renew_only":
        yield Told(
            id="hub:key",
            severity="amber",
            text=Text(
                f"密钥已于 {until} 期满，{grace_until} 前联网可自动更换",
                f"its keys ran out on {until}; until {grace_until} it may change them, by itself, over a line",
            ),
            hint=Text(
                "恢复县里的线路；移动盘仍可捎带稿件，但换不了密钥",
                "bring its line back; a stick carries journals and assets still, and changes no keys",
            ),
        )
    elif row.key_standing == "out":
        yield Told(
            id="hub:key",
            severity="red",
            text=Text(
                f"密钥期满，{grace_until} 起不再接纳", f"its keys ran out, and since {grace_until} it is not let in"
            ),
            hint=Text(
                f"核实是本县的机器后 songshan-hub approve {row.site}",
                f"when it is known to be that county's: songshan-hub approve {row.site}",
            ),
        )


def _of_silence(row: Row, limits: Watching, at_us: int, hub_has_line: bool) -> Iterator[Told]:
    assert row.heard_at is not None
    heard_us = moment.to_us(row.heard_at)
    away_s = (at_us - max(heard_us, limits.away_from_us)) / US
    told = span((at_us - heard_us) / US)
    if row.link == "connected" and away_s > SILENT_S:
        yield Told(
            id="hub:silent",
            severity="amber",
            text=Text(f"在线，但 {told.zh}没有报告状态", f"connected, and has not said how it is for {told.en}"),
            hint=Text("请县里看 agent：songshan doctor", "have the county look at its agent: songshan doctor"),
            since=row.heard_at,
        )
    elif row.link == "away" and away_s > limits.quiet_after_s and hub_has_line:
        yield Told(
            id="hub:quiet",
            severity="amber",
            text=Text(f"离线 {told.zh}，县里播出照常进行", f"away for {told.en}; the county's air goes on by itself"),
            hint=Text(
                "打电话问线路；长期断线用移动盘：songshan-hub usb",
                "ring them about the line; if it lasts, carry a stick: songshan-hub usb",
            ),
            since=row.heard_at,
        )


def of_hub(hub: Hub, rows: Sequence[Row], limits: Watching, at_us: int) -> Iterator[Told]:
    """What is wrong with the hub itself."""
    if not has_line(rows, limits, at_us):
        last = max((row.heard_at for row in rows if row.heard_at is not None), key=moment.to_us)
        away = span((at_us - moment.to_us(last)) / US)
        yield Told(
            id="hub:line",
            severity="red",
            text=Text(
                f"所有县同时离线 {away.zh}：多半是嵩山云自己的线路或 sshd",
                f"all counties have been away for {away.en}: most likely the hub's own line or sshd",
            ),
            hint=Text(
                "查本机网络、防火墙与 sshd：systemctl status ssh；各县播出照常进行",
                "look at this machine's network, firewall and sshd: systemctl status ssh; the counties' air goes on",
            ),
            since=last,
        )
    free, total = hub.disk_free_bytes, hub.disk_total_bytes
    if free is not None and free < limits.free_bytes_min:
        yield Told(
            id="hub:disk",
            severity="red" if free < limits.free_bytes_min / 4 else "amber",
            text=Text(
                f"嵩山云磁盘只剩 {size(free).zh}，共 {size(total).zh}",
                f"the hub's disk has {size(free).en} of {size(total).en} left",
            ),
            hint=Text("songshan-hub collect；再扩容", "songshan-hub collect; then a larger disk"),
        )


def of_delivery(channel: str, since: str, reason: str, waiting: int, at_us: int) -> Told:
    """A way out that does not work: told on the page, and by the other way."""
    name = {"mail": Text("邮件", "mail"), "webhook": Text("webhook", "the webhook")}[channel]
    age = ago((at_us - moment.to_us(since)) / US)
    words = plain(reason, 200)
    return Told(
        id=f"hub:{channel}",
        severity="amber",
        text=Text(
            f"告警{name.zh}发不出去，{age.zh}起，{waiting} 封待发：{words}",
            f"alarms cannot leave by {name.en} since {age.en}, {waiting} wait: {words}",
        ),
        hint=Text(
            "查 hub.toml 的 [alarms]；songshan-hub alarms test", "see [alarms] in hub.toml; songshan-hub alarms test"
        ),
        since=since,
    )


def of_config(problems: Sequence[Text]) -> Told:
    """The table [alarms] cannot be used: nothing gets out until it can."""
    first, more = problems[0], len(problems) - 1
    return Told(
        id="hub:config",
        severity="red",
        text=Text(
            f"告警配置有误，发不出告警：{plain(first.zh)}" + (f"（另有 {more} 处）" if more else ""),
            f"[alarms] cannot be used, nothing is sent: {plain(first.en)}" + (f" (and {more} more)" if more else ""),
        ),
        hint=Text("songshan-hub alarms check 逐条列出", "songshan-hub alarms check lists all"),
    )
