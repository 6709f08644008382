"""Schedules and templates on their way out: checked whole, their assets in house format and readable, one record."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from appliance.core import records
from appliance.core import schedule as schedules
from appliance.core.asset import Asset, parse_digest
from appliance.core.entry import SCHEDULE_BYTES_MAX, Entry
from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.misfits import misfits
from appliance.core.rundown import Day, Packed, Stock, content, tick_of
from appliance.core.template import Template, parse_template
from appliance.core.template import assets_of as assets_of_template
from appliance.core.ts import FRAMES_PER_S
from provisioning.hub import media
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.library import Library
from provisioning.hub.sites import Site

CUT_SLACK_S: Final = 0.04
"""One frame: what a duration that was rounded for people may be off."""


DEFAULT_S_MIN: Final = 60.0
"""A shorter default programme would come round more than a thousand times a day."""


class Sent(msgspec.Struct, frozen=True):
    """A schedule that is out, and what in it does not fit: it goes out all the same."""

    schedule: schedules.Schedule
    warnings: tuple[Text, ...]


def send(folder: HubFolder, site: Site, channel: str, path: Path, progress: media.Progress) -> Sent:
    """Check a schedule file and send it to its site; OperatorError with every problem, and then nothing is sent."""
    data = _read(path)
    journals, library = HubJournals(folder), Library(folder)
    catalogue = Catalogue().read(journals, (site.site,))
    problems: list[Text] = []
    parsed = None
    try:
        parsed = schedules.parse_schedule(data, site.zone, {own.id for own in site.channels})
    except OperatorError as error:
        problems += error.problems
    digests = schedules.assets_of(parsed) if parsed else _digests_in(data)
    assets, unfit = _assets(library, catalogue, digests, progress)
    problems += unfit
    if parsed is not None:
        problems += _problems_of(parsed, channel, assets, catalogue, site.site)
    if problems or parsed is None:
        raise OperatorError(*problems)
    warnings = _misfits(parsed, site, assets, catalogue)
    body = records.Schedule(parsed.channel, parsed.date, parsed.version, _document(data), tuple(assets.values()))
    _append(journals, library, catalogue, site, "schedule", body)
    return Sent(parsed, warnings)


def send_template(folder: HubFolder, site: Site, channel: str, path: Path, progress: media.Progress) -> Template:
    """Check a template file and send it to its site; OperatorError with every problem, and then nothing is sent."""
    data = _read(path)
    journals, library = HubJournals(folder), Library(folder)
    catalogue = Catalogue().read(journals, (site.site,))
    problems: list[Text] = []
    parsed = None
    try:
        parsed = parse_template(data, {own.id for own in site.channels})
    except OperatorError as error:
        problems += error.problems
    assets, unfit = _assets(library, catalogue, assets_of_template(parsed) if parsed else (), progress)
    problems += unfit
    if parsed is not None:
        problems += _problems_of_template(parsed, channel, assets, catalogue, site.site)
    if problems or parsed is None:
        raise OperatorError(*problems)
    body = records.Template(parsed.channel, parsed.version, _document(data), tuple(assets.values()))
    _append(journals, library, catalogue, site, "template", body)
    return parsed


def _append(
    journals: HubJournals,
    library: Library,
    catalogue: Catalogue,
    site: Site,
    kind: str,
    body: records.Schedule | records.Template,
) -> None:
    """One record, unless something that it names was recalled meanwhile."""
    with journals.writing() as pen:
        recalled = catalogue.read(journals, (site.site,)).recalled.keys()
        if gone := sorted(asset.digest for asset in body.assets if asset.digest in recalled):
            raise OperatorError(*(_recalled(digest) for digest in gone))
        library.let_read(site.site, body.assets)
        pen.append(f"{site.site}/content", kind, body.channel, body)


def _document(data: bytes) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))))


def _misfits(
    parsed: schedules.Schedule, site: Site, assets: dict[str, Asset], catalogue: Catalogue
) -> tuple[Text, ...]:
    """What will be cut, dropped or left open, with the fillers that the site was sent last."""
    begin_us, end_us = schedules.day_bounds_us(parsed.date, site.zone)
    day = Day(parsed.date, tick_of(begin_us), tick_of(end_us), parsed)
    sent = catalogue.aired.get(f"{site.site}/content", {}).get(f"{parsed.channel} filler", ())
    packed = {digest: _packed(asset) for digest, asset in assets.items()} | {one.digest: _packed(one) for one in sent}
    ready = {digest: one for digest, one in packed.items() if one is not None}
    lengths = {digest: one.frames for digest, one in ready.items()}
    return misfits(day, lengths, Stock(ready, [asset.digest for asset in sent]), site.zone)


def _packed(asset: Asset) -> Packed | None:
    made = asset.rendition
    return Packed(made.digest, made.frames) if made is not None and made.frames > 0 else None


def asset_for_air(library: Library, catalogue: Catalogue, digest: str, progress: media.Progress) -> Asset:
    """An asset of the hub in house format. Refused when it is not here, was recalled, or cannot be aired."""
    if digest in catalogue.recalled:
        raise Refused(_recalled(digest))
    facts = library.facts(digest)
    known = facts.asset if facts is not None else catalogue.assets_known().get(digest)
    if known is None or not library.holds(digest):
        raise Refused(Text(f"嵩山云没有媒资 {digest}", f"the hub has no asset {digest}"))
    try:
        return media.with_rendition(library, known, progress)
    except Refused as refused:
        why = refused.problems[0]
        raise Refused(Text(f"{digest} 不能播出：{why.zh}", f"{digest} cannot be aired: {why.en}")) from refused


def _assets(
    library: Library, catalogue: Catalogue, digests: Sequence[str], progress: media.Progress
) -> tuple[dict[str, Asset], list[Text]]:
    found: dict[str, Asset] = {}
    problems: list[Text] = []
    for digest in digests:
        try:
            found[digest] = asset_for_air(library, catalogue, digest, progress)
        except Refused as refused:
            problems += refused.problems
    return found, problems


def _problems_of(
    parsed: schedules.Schedule, channel: str, assets: dict[str, Asset], catalogue: Catalogue, site: str
) -> list[Text]:
    problems = []
    if parsed.channel != channel:
        problems.append(
            Text(f"文件里的频道是 {parsed.channel}，不是 {channel}", f"the file is for {parsed.channel}, not {channel}")
        )
    sent = catalogue.schedules.get((site, parsed.channel, parsed.date), 0)
    if parsed.version <= sent:
        problems.append(
            Text(
                f"{parsed.date} 已发第 {sent} 版，version 须更大",
                f"version {sent} of {parsed.date} is out already",
            )
        )
    return problems + _problems_of_points(parsed.entries, assets)


def _problems_of_template(
    parsed: Template, channel: str, assets: dict[str, Asset], catalogue: Catalogue, site: str
) -> list[Text]:
    problems = []
    if parsed.channel != channel:
        problems.append(
            Text(f"文件里的频道是 {parsed.channel}，不是 {channel}", f"the file is for {parsed.channel}, not {channel}")
        )
    told = catalogue.told.get(f"{site}/content")
    sent = told.templates.get(parsed.channel, 0) if told is not None else 0
    if parsed.version <= sent:
        problems.append(Text(f"模板已发第 {sent} 版，version 须更大", f"version {sent} of the template is out already"))
    frames = 0
    for entry in parsed.default:
        made = assets[entry.asset].rendition if entry.asset in assets else None
        frames += content(entry, made.frames)[1] if made is not None else 0
    if parsed.default and frames < DEFAULT_S_MIN * FRAMES_PER_S and len(assets) == len(assets_of_template(parsed)):
        problems.append(
            Text(
                f"default 只有 {frames / FRAMES_PER_S:.1f} 秒，至少 {DEFAULT_S_MIN:.0f} 秒",
                f"default is {frames / FRAMES_PER_S:.1f} s long, {DEFAULT_S_MIN:.0f} s are the least",
            )
        )
    entries = [entry for pattern in parsed.days for entry in pattern.entries] + list(parsed.default)
    return problems + _problems_of_points(entries, assets)


def _problems_of_points(entries: Sequence[Entry], assets: dict[str, Asset]) -> list[Text]:
    problems = []
    for entry in entries:
        asset = assets.get(entry.asset or "")
        end_s = max(entry.in_s, entry.out_s or 0.0)
        if asset is not None and asset.duration_s is not None and end_s > asset.duration_s + CUT_SLACK_S:
            problems.append(
                Text(
                    f"{entry.id}：媒资只有 {asset.duration_s:.2f} 秒，取到 {end_s:.2f} 秒",
                    f"{entry.id}: the asset has {asset.duration_s:.2f} s, the entry wants {end_s:.2f} s",
                )
            )
    return problems


def _digests_in(data: bytes) -> tuple[str, ...]:
    """The digests in a file that is no good schedule, so that unknown ones are told with the rest."""
    try:
        document: Any = msgspec.json.decode(data[:SCHEDULE_BYTES_MAX])
    except (msgspec.DecodeError, RecursionError):
        return ()
    entries = document.get("entries") if isinstance(document, dict) else None
    found = []
    for entry in entries if isinstance(entries, list) else []:
        try:
            found.append(parse_digest(entry["asset"]))
        except (OperatorError, TypeError, KeyError):
            continue
    return tuple(dict.fromkeys(found))


def _read(path: Path) -> bytes:
    """One byte more than is taken, so that the size is judged with the rest."""
    try:
        with path.open("rb") as file:
            return file.read(SCHEDULE_BYTES_MAX + 1)
    except OSError as error:
        raise OperatorError(
            Text(f"读不出 {path}：{error.strerror}", f"cannot read {path}: {error.strerror}")
        ) from error


def _recalled(digest: str) -> Text:
    return Text(f"{digest} 已被撤回", f"{digest} was recalled")
