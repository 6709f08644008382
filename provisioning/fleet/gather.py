"""The hub's folder, read into a `Fleet`. Nothing is locked and nothing written; one strange file costs one row."""

import shutil
from collections.abc import Iterator
from importlib import metadata

import msgspec

from appliance.core import moment
from appliance.core.errors import SongshanError, Text
from provisioning.fleet.core.hub import Fleet, Head, Hub, Watching, has_line, judged, of_hub
from provisioning.fleet.core.row import RANK, Row, Told, keyed, row, standing, worst_first
from provisioning.hub.acknowledged import of_site
from provisioning.hub.backups_sent import came
from provisioning.hub.folder import HubFolder, HubSettings, is_site_id
from provisioning.hub.journals import HubJournals, streams_of
from provisioning.hub.key_terms import term_of_site
from provisioning.hub.machines import machines_of
from provisioning.hub.presence import is_held
from provisioning.hub.room import waiting
from provisioning.hub.sites import SITES_MAX, site_of
from provisioning.hub.status import read_status


def gather(folder: HubFolder, limits: Watching, told: tuple[Told, ...] = (), letters_waiting: int = 0) -> Fleet:
    """Everything as it is now. `told`: what the watch itself found wrong with the hub."""
    settings, at_us = folder.settings(), folder.now_us()
    heads = tuple(_heads(folder))
    known = {head.stream: head for head in heads}
    rows = [_row(folder, settings, site, known, at_us) for site in _names(folder)]
    hub = _hub(folder, settings, rows, heads, letters_waiting)
    line = has_line(rows, limits, at_us)
    rows = worst_first([judged(each, limits, at_us, line) for each in rows])
    found = sorted((*told, *of_hub(hub, rows, limits, at_us)), key=lambda each: RANK[each.severity])
    return Fleet(
        generated_at=moment.to_text(at_us), hub=msgspec.structs.replace(hub, alarms=tuple(found)), sites=tuple(rows)
    )


def _names(folder: HubFolder) -> list[str]:
    if not folder.sites.is_dir():
        return []
    return sorted(
        entry.name for entry in folder.sites.iterdir() if is_site_id(entry.name) and (entry / "site.json").exists()
    )[:SITES_MAX]


def _row(folder: HubFolder, settings: HubSettings, site: str, heads: dict[str, Head], at_us: int) -> Row:
    own = folder.site(site)
    try:
        known = site_of(folder, site)
        shown = row(known, read_status(own), is_held(own.session), at_us)
        if known.state == "approved":
            shown = keyed(shown, term_of_site(settings, known), at_us)
        shown = standing(shown, machines_of(folder, site))
        uploads, waiting_bytes = waiting(own)
        here = came(folder.backups_of(site))
    except (OSError, ValueError, SongshanError) as error:
        return _unreadable(site, error)
    return msgspec.structs.replace(
        shown,
        waiting_records=_waiting(folder, site, heads) if shown.state in ("approved", "fenced") else None,
        backup_came_at=moment.to_text(here[-1].at_us) if here else None,
        backups_here=len(here),
        uploads=uploads,
        uploads_max=settings.uploads_max,
        waiting_bytes=waiting_bytes,
        waiting_bytes_max=settings.site_bytes_max,
        waiting_is_full=uploads >= settings.uploads_max or waiting_bytes >= settings.site_bytes_max,
    )


def _unreadable(site: str, error: Exception) -> Row:
    what = f"{type(error).__name__}: {error}"[:200]
    alarm = Told(
        id="hub:unreadable",
        severity="red",
        text=Text(f"嵩山云读不出该县的文件：{what}", f"the hub cannot read the files of this county: {what}"),
        hint=Text("songshan-hub verify；从备份取回 sites/", "songshan-hub verify; bring sites/ back from the backup"),
    )
    return Row(site=site, name=site, state="approved", link="never", alarms=(alarm,))


def _waiting(folder: HubFolder, site: str, heads: dict[str, Head]) -> int:
    """Records of the hub's that the box has not acknowledged; in another epoch those of the newer one."""
    said = of_site(folder, site)
    count = 0
    for stream in streams_of(site):
        head = heads.get(stream)
        if head is None:
            continue
        have = said.streams.get(stream) if said is not None else None
        count += max(0, head.seq - have.seq) if have is not None and have.epoch == head.epoch else head.seq
    return count


def _heads(folder: HubFolder) -> Iterator[Head]:
    """Of every stream that there is; one that cannot be read is left out here, and `verify` names it."""
    journals = HubJournals(folder)
    names = ["all/control", "all/content"]
    for site in _names(folder):
        names += [each for each in streams_of(site) if each not in names] + [f"{site}/report"]
    for name in names:
        try:
            covered = journals.stream(name).covered()
        except (OSError, ValueError, SongshanError):
            continue
        if covered is not None:
            checkpoint = covered.checkpoint
            place = checkpoint.position
            yield Head(stream=name, epoch=place.epoch, seq=place.seq, signed_at=moment.to_text(checkpoint.at_us))


def _hub(
    folder: HubFolder, settings: HubSettings, rows: list[Row], heads: tuple[Head, ...], letters_waiting: int
) -> Hub:
    try:
        disk = shutil.disk_usage(folder.path)
        free, total = disk.free, disk.total
    except OSError:
        free, total = None, None
    return Hub(
        id=settings.id,
        version=metadata.version("songshan-edge"),
        disk_free_bytes=free,
        disk_total_bytes=total,
        sessions=sum(each.link == "connected" for each in rows),
        heads=heads,
        waiting_records=sum(each.waiting_records or 0 for each in rows),
        uploads=sum(each.uploads for each in rows),
        letters_waiting=letters_waiting,
    )
