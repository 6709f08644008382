"""Schedules on their way out: checked whole, their assets in house format and readable, then one record."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from appliance.core import records
from appliance.core import schedule as schedules
from appliance.core.asset import Asset, parse_digest
from appliance.core.errors import OperatorError, Refused, Text
from provisioning.hub import media
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.library import Library
from provisioning.hub.sites import Site

CUT_SLACK_S: Final = 0.04
"""One frame: what a duration that was rounded for people may be off."""


def send(folder: HubFolder, site: Site, channel: str, path: Path, progress: media.Progress) -> schedules.Schedule:
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
    document = msgspec.Raw(msgspec.json.encode(msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))))
    body = records.Schedule(parsed.channel, parsed.date, parsed.version, document, tuple(assets.values()))
    with journals.writing() as pen:
        if recalled := sorted(catalogue.read(journals, (site.site,)).recalled.keys() & assets.keys()):
            raise OperatorError(*(_recalled(digest) for digest in recalled))
        library.let_read(site.site, assets.values())
        pen.append(f"{site.site}/content", "schedule", parsed.channel, body)
    return parsed


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
    for entry in parsed.entries:
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
        document: Any = msgspec.json.decode(data[: schedules.SCHEDULE_BYTES_MAX])
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
            return file.read(schedules.SCHEDULE_BYTES_MAX + 1)
    except OSError as error:
        raise OperatorError(
            Text(f"读不出 {path}：{error.strerror}", f"cannot read {path}: {error.strerror}")
        ) from error


def _recalled(digest: str) -> Text:
    return Text(f"{digest} 已被撤回", f"{digest} was recalled")
