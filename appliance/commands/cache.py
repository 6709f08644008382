"""`songshan cache`: what the disk of the media is used for, why each asset is there, and what would go next."""

from collections.abc import Mapping, Sequence
from typing import Final

import click
import msgspec

from appliance import files
from appliance.command import Box, language, now_us, pass_box, say, say_json
from appliance.commands.overview import clock_of
from appliance.config import Config
from appliance.core.asset import parse_digest
from appliance.core.cache import Kept, Pin, Quarantined, order_of_eviction, words
from appliance.core.errors import Refused, Text
from appliance.core.facts import as_facts
from appliance.core.findings import Check, describe
from appliance.core.health import Storage
from appliance.core.moment import US
from appliance.core.scrub import Progress, progress
from appliance.core.stock import Holding
from appliance.core.ts import HOUSE_PROFILE
from appliance.store import air
from appliance.store import assets as stored
from appliance.store import cache as cached
from appliance.store.database import reading
from appliance.store.facts import look

NEXT_SHOWN: Final = 20
GIB: Final = 1024**3
MIB: Final = 1024**2
DAY_US: Final = 86_400 * US


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    storage: Storage | None
    pinned_bytes: int
    loose_bytes: int
    verified: Progress
    quarantine: tuple[Quarantined, ...]
    assets: tuple[Kept, ...]


@click.command()
@click.argument("digest", required=False)
@click.option("--all", "show_all", is_flag=True, help="every asset, not only what would go next")
@click.option("--json", "as_json", is_flag=True, help="for programs")
@pass_box
def cache(box: Box, digest: str | None, show_all: bool, as_json: bool) -> None:
    """缓存：占用、复查、隔离；每个媒资为何在本机，空间不足时先清退什么。 Why assets are here, what would go next.

    With DIGEST, all about that one. Works with the agent dead.

    Example: songshan cache --json
    """
    config, moment_us = box.config, now_us()
    report = report_of(config, moment_us)
    if digest is not None:
        _one(report, config, parse_digest(digest), as_json)
    elif as_json:
        say_json(as_facts(report))
    else:
        _say(report, config.zone, show_all)


def report_of(config: Config, wall_us: int) -> Report:
    """What the database and the disk say now; raises WorldError without a database."""
    with reading(config.database) as db:
        air_us = air.now_us(db)
        held = {each.digest: each for each in cached.on_disk(db, air_us)}
        pinned = cached.pinned(db, air_us, config.limits.catchup_days)
        unread = cached.unread(db, air_us)
    order = {each.digest: place for place, each in enumerate(order_of_eviction(held.values(), pinned), start=1)}
    airs_us = {each.digest: each.airs_us for each in unread}
    kept = pinned.keys() - order.keys()
    return Report(
        storage=look(config, wall_us).storage,
        pinned_bytes=sum(each.size_bytes for each in held.values() if each.digest in kept),
        loose_bytes=sum(held[each].size_bytes for each in order),
        verified=progress(unread, air_us, config.limits.verify_days * DAY_US),
        quarantine=files.quarantined(config),
        assets=_kept(held, pinned, order, airs_us),
    )


def _kept(
    held: Mapping[str, Holding],
    pinned: Mapping[str, tuple[Pin, ...]],
    order: Mapping[str, int],
    airs_us: Mapping[str, int | None],
) -> tuple[Kept, ...]:
    """What would go first comes first, then what stays, by name."""
    kept = [
        Kept(
            digest=each.digest,
            name=each.name,
            role=each.role,
            size_bytes=each.size_bytes,
            state=each.state,
            last_used_us=each.last_used_us,
            verified_us=each.verified_at_us,
            airs_us=airs_us.get(each.digest),
            pins=pinned.get(each.digest, ()),
            goes=order.get(each.digest),
        )
        for each in held.values()
    ]
    return tuple(sorted(kept, key=lambda each: (each.goes is None, each.goes, each.name, each.digest)))


def _one(report: Report, config: Config, digest: str, as_json: bool) -> None:
    with reading(config.database) as db:
        check = stored.checks(db, (digest,), HOUSE_PROFILE).get(digest)
    found = next((each for each in report.assets if each.digest == digest), None)
    aside = tuple(each for each in report.quarantine if each.digest == digest)
    if found is None and not aside and check is None:
        raise Refused(Text(f"本机没有 {digest}", f"this box does not have {digest}"))
    if as_json:
        say_json({"asset": as_facts(found), "quarantine": as_facts(aside), "check": as_facts(check)})
        return
    about = _about(found, config.zone) if found is not None else []
    for line in (*about, *_of_check(check), *_of_quarantine(aside, config.zone)):
        say(line)


def _say(report: Report, zone: str, show_all: bool) -> None:
    for line in (*_summary(report, zone), *_of_quarantine(report.quarantine, zone)):
        say(line)
    loose = [each for each in report.assets if each.goes is not None]
    if loose:
        say(Text("空间不足时依次清退：", "when room is short these go, in this order:"))
    for each in loose if show_all else loose[:NEXT_SHOWN]:
        last, size = clock_of(each.last_used_us, zone), _size(each.size_bytes)
        text = Text(
            f"{each.goes}. {each.name or '-'} {size}，最后使用 {last}", f"{each.goes}. {each.name} {size}, used {last}"
        )
        click.echo(f"{text.in_language(language())}  {each.digest}")
    for each in report.assets if show_all else ():
        if each.goes is None:
            for line in _about(each, zone):
                say(line)


def _summary(report: Report, zone: str) -> list[Text]:
    told, seen = [], report.verified
    disk = report.storage
    if disk is not None:
        most = f"{disk.cache_bytes_max / GIB:.1f} GiB" if disk.cache_bytes_max else "-"
        free, reserve = f"{disk.free_bytes / GIB:.1f} GiB", f"{disk.reserve_bytes / GIB:.1f} GiB"
        told.append(
            Text(f"剩余 {free}，预留 {reserve}，媒资上限 {most}", f"free {free}, reserve {reserve}, quota {most}")
        )
    pinned, loose = _size(report.pinned_bytes), _size(report.loose_bytes)
    told.append(
        Text(
            f"媒资 {seen.assets} 个 {_size(seen.size_bytes)}：在用 {pinned}，可清退 {loose}",
            f"{seen.assets} assets, {_size(seen.size_bytes)}: {pinned} in use, {loose} may go",
        )
    )
    if seen.oldest_us is not None and seen.all_read_by_us is not None:
        by, oldest = clock_of(seen.all_read_by_us, zone), clock_of(seen.oldest_us, zone)
        read = f"{_size(seen.read_bytes)} / {_size(seen.size_bytes)}"
        told.append(
            Text(
                f"复查 {read}，最早一次 {oldest}，至 {by} 全部再读一遍，超期 {seen.late_assets} 个",
                f"read again {read}, the oldest {oldest}, all once more by {by}, {seen.late_assets} late",
            )
        )
    return told


def _about(each: Kept, zone: str) -> list[Text]:
    read = clock_of(each.verified_us, zone) if each.verified_us is not None else "-"
    used = clock_of(each.last_used_us, zone)
    told = [
        Text(
            f"{each.digest} {each.name} {_size(each.size_bytes)}", f"{each.digest} {each.name} {_size(each.size_bytes)}"
        ),
        Text(f"  复查 {read}，最后使用 {used}", f"  read again {read}, last used {used}"),
    ]
    if each.state == "bad":
        told.append(Text("  已损坏，将重新传输", "  bad, it comes again"))
    for pin in each.pins:
        word, at = words(pin), f" {clock_of(pin.at_us, zone)}" if pin.at_us is not None else ""
        told.append(Text(f"  在用：{word.zh}{at}", f"  in use: {word.en}{at}"))
    if each.goes is not None and each.pins:
        told.append(Text(f"  空间不足时第 {each.goes} 个清退", f"  when room is short it goes as number {each.goes}"))
    elif each.goes is not None:
        told.append(Text(f"  无人使用，第 {each.goes} 个清退", f"  nothing uses it, it would go as number {each.goes}"))
    return told


def _of_check(check: Check | None) -> list[Text]:
    """The technical check of an asset that was brought to house format, or could not be."""
    if check is None:
        return []
    told = []
    if check.lufs is not None and check.source_lufs is not None:
        before, after, gain = check.source_lufs, check.lufs, f"{check.gain_db:+.1f} dB"
        told.append(
            Text(
                f"  响度 {before:.1f} LUFS，{gain}，播出 {after:.1f} LUFS",
                f"  loudness {before:.1f} LUFS, {gain}, airs at {after:.1f} LUFS",
            )
        )
    for finding in check.findings:
        text = describe(finding)
        told.append(Text(f"  {text.zh}", f"  {text.en}"))
    return told


def _of_quarantine(aside: Sequence[Quarantined], zone: str) -> list[Text]:
    return [
        Text(
            f"隔离 {each.name} {_size(each.size_bytes)}，自 {clock_of(each.since_us, zone)}",
            f"in quarantine {each.name} {_size(each.size_bytes)}, since {clock_of(each.since_us, zone)}",
        )
        for each in aside
    ]


def _size(size_bytes: int) -> str:
    return f"{size_bytes / GIB:.1f} GiB" if size_bytes >= GIB else f"{size_bytes / MIB:.1f} MiB"
