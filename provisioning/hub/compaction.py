"""`songshan-hub snapshot` and `songshan-hub compact`: the history that nobody needs any more makes room."""

from typing import Final

import click
import msgspec

from appliance.command import say, say_json
from appliance.core import moment
from appliance.core.errors import OperatorError, Refused, Text
from provisioning.command import pass_hub
from provisioning.hub import acknowledged, keys, snapshots
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals, streams_of
from provisioning.hub.sites import all_sites

UNHEARD_DAYS: Final = 30
"""A site that was not heard for so long holds nothing up: when it comes back it gets the snapshot."""


_LEADS_OVER: Final = Text(
    "签名密钥更换过，须保留以便离线的县跟上",
    "the signing key was changed: counties that were away follow it by this stream",
)


class Compacted(msgspec.Struct, frozen=True):
    """One stream: how many bytes were given back, or which sites still need what a snapshot stands for."""

    stream: str
    freed_bytes: int
    waiting_for: tuple[str, ...] = ()
    reason: Text | None = None


@click.command()
@click.argument("stream", required=False)
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def snapshot(folder: HubFolder, stream: str | None, as_json: bool) -> None:
    """Make a signed snapshot of STREAM, or of every stream of the hub: a new or long-absent box starts from it.

    Example: songshan-hub snapshot all/content
    """
    folder.settings()
    journals, rows = HubJournals(folder), []
    for name in _named(folder, stream):
        if journals.stream(name).covered() is None and stream is None:
            continue
        made = snapshots.make(journals, name).statement
        rows.append({"stream": name, "seq": made.position.seq, "records": made.records, "size_bytes": made.size_bytes})
        if not as_json:
            said = f"{name} {made.position.epoch}:{made.position.seq}"
            say(Text(f"{said}：{made.records} 条仍有效", f"{said}: {made.records} records in force"))
    if as_json:
        say_json({"snapshots": rows})


@click.command()
@click.argument("stream", required=False)
@click.option("--unheard-days", default=UNHEARD_DAYS, show_default=True, type=click.IntRange(1), help="see above")
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def compact(folder: HubFolder, stream: str | None, unheard_days: int, as_json: bool) -> None:
    """Drop the records that a snapshot stands for, once every approved site has them.

    A site that was not heard for --unheard-days does not hold this up: it gets the snapshot when it comes back.
    Example: songshan-hub compact --unheard-days 60
    """
    folder.settings()
    rows = [compact_one(folder, name, unheard_days) for name in _named(folder, stream)]
    if as_json:
        say_json({"streams": [row for row in rows if row is not None]})
        return
    for row in rows:
        if row is not None and row.reason is not None:
            say(Text(f"{row.stream}：{row.reason.zh}", f"{row.stream}: {row.reason.en}"))
        elif row is not None:
            say(Text(f"{row.stream}：腾出 {row.freed_bytes} 字节", f"{row.stream}: {row.freed_bytes} bytes given back"))


def compact_one(folder: HubFolder, name: str, unheard_days: int) -> Compacted | None:
    """One stream; None when there is no snapshot of it. A site that still needs the records holds it up."""
    journals = HubJournals(folder)
    kept = snapshots.newest(journals.stream(name))
    if kept is None:
        return None
    if name == "all/control" and keys.rotations(folder):
        return Compacted(name, 0, (), _LEADS_OVER)
    waiting = tuple(site for site in _readers(folder, name) if _needs(folder, site, name, kept, unheard_days))
    if waiting:
        names = ", ".join(waiting)
        return Compacted(name, 0, waiting, Text(f"{names} 还未收到", f"{names} has not acknowledged it"))
    try:
        return Compacted(name, snapshots.compact(journals, name, kept))
    except Refused as refused:
        return Compacted(name, 0, (), refused.problems[0])


def _needs(folder: HubFolder, site: str, name: str, kept: snapshots.Kept, unheard_days: int) -> bool:
    """Whether a site may still ask for what would go. One that never spoke will get the snapshot."""
    known = acknowledged.of_site(folder, site)
    if known is None or name not in known.streams:
        return False
    unheard_us = folder.now_us() - moment.to_us(known.heard_at)
    return known.streams[name].place < kept.place.position.place and unheard_us < unheard_days * 86_400 * moment.US


def _readers(folder: HubFolder, name: str) -> list[str]:
    scope = name.split("/")[0]
    return [site.site for site in all_sites(folder) if site.state == "approved" and scope in ("all", site.site)]


def _named(folder: HubFolder, stream: str | None) -> list[str]:
    """The stream that was named, or all of the hub's own."""
    names = ["all/control", "all/content"]
    names += [name for site in all_sites(folder) for name in streams_of(site.site) if name not in names]
    if stream is None:
        return names
    if stream not in names:
        raise OperatorError(Text(f"不是嵩山云的流：{stream[:80]}", f"no stream of this hub: {stream[:80]}"))
    return [stream]
