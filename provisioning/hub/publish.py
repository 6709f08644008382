"""`songshan-hub publish`: files become assets, assets an item, and the item goes out."""

import secrets
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from appliance.command import language, say_json
from appliance.core import moment, records
from appliance.core.asset import Asset
from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.item import SECTIONS, Item, SignOff, problems_of
from provisioning.command import pass_hub
from provisioning.hub import checks, media
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.library import Library
from provisioning.hub.sites import Site, all_sites, targets

if TYPE_CHECKING:
    from appliance.packaging import Progress

BODY_BYTES_MAX: Final = 256 * 1024
ORIGIN: Final = "hub"


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--to", metavar="SITE|all", help="who gets it; by default all")
@click.option("--section", type=click.Choice(SECTIONS), default="news", show_default=True)
@click.option("--title", help="by default the first file's name")
@click.option("--summary", default="")
@click.option("--body", type=click.Path(path_type=Path), help="a file with the story's HTML")
@click.option("--at", "publish_at", help="not before this time, RFC 3339 with a zone")
@click.option("--until", help="not after this time")
@click.option("--id", "item_id", help="the item's id; one that exists is replaced")
@click.option("--offer", is_flag=True, help="put it into the supermarket, to be taken, instead of publishing it")
@click.option("--asset-only", is_flag=True, help="only bring the files into the pile; prints their digests")
@click.option("--filler", metavar="CHANNEL", help="make the files, in this order, the fillers of a channel")
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def publish(
    folder: HubFolder,
    files: tuple[Path, ...],
    to: str | None,
    section: str,
    title: str | None,
    summary: str,
    body: Path | None,
    publish_at: str | None,
    until: str | None,
    item_id: str | None,
    offer: bool,
    asset_only: bool,
    filler: str | None,
    as_json: bool,
) -> None:
    """Publish FILES as one item, and print its id. Clips are brought to house format first, once for all sites.

    Example: songshan-hub publish --to dengfeng --section government --title 通知 notice.mp4 poster.jpg
    """
    settings = folder.settings()
    if asset_only or filler:
        sites = targets(folder, to) if to else ()
        assets = files_as_assets(folder, files, settings.upload_bytes_max)
        if filler:
            _send_filler(folder, filler, sites or all_sites(folder), assets)
        else:
            _let_read(folder, sites, assets)
        _print_assets(assets, as_json)
        return
    text = _body_html(body)
    item = Item(
        id=item_id or new_id(folder.now_us()),
        title=title if title is not None else _title_of(files),
        section=section,  # type: ignore[arg-type]  # click.Choice has checked it
        origin=ORIGIN,
        created_at=moment.to_text(folder.now_us()),
        body_html=text,
        summary=summary,
        publish_at=_moment(publish_at),
        until=_moment(until),
        sign_offs=(SignOff("final", settings.id, moment.to_text(folder.now_us())),),
    )
    sites = targets(folder, to or "all")
    _check(item, files)
    item = msgspec.structs.replace(item, assets=files_as_assets(folder, files, settings.upload_bytes_max))
    send_item(folder, item, "all" if to in (None, "all") else sites[0].site, sites, offer)
    if as_json:
        found = {asset.digest: asset.check.findings for asset in item.assets if asset.check is not None}
        say_json({"item": item.id, "assets": [asset.digest for asset in item.assets], "findings": found})
    else:
        click.echo(item.id)


_PHASES: Final = {
    "listening": Text("测响度", "measuring the loudness of"),
    "coding": Text("转换", "bringing to house format"),
}


def new_id(now_us: int) -> str:
    """An id for an item, order or insertion: the day, then randomness."""
    return f"{moment.to_text(now_us)[:10].replace('-', '')}-{secrets.token_hex(5)}"


def show_progress(source: Path, now: "Progress") -> None:
    """How far the work on a file is, on one line of standard error, for a person who waits."""
    if sys.stderr.isatty():
        phase, name = _PHASES[now.phase], source.name
        left = "" if now.left_s is None else f"{now.left_s:.0f} s "
        text = Text(f"{phase.zh} {name}，还需 {left}", f"{phase.en} {name}, {left}left").in_language(language())
        click.echo(f"\r{text} {now.done:4.0%} ", err=True, nl=now.phase == "coding" and now.done >= 1)


def check_not_recalled(catalogue: Catalogue, assets: Sequence[Asset]) -> None:
    """Refused when one of the assets was recalled: it would vanish again everywhere."""
    recalled = [asset for asset in assets if asset.digest in catalogue.recalled]
    if recalled:
        names = [asset.name or asset.digest for asset in recalled]
        raise Refused(*(Text(f"{name} 已被撤回", f"{name} was recalled") for name in names))


def files_as_assets(folder: HubFolder, files: Sequence[Path], bytes_max: int) -> tuple[Asset, ...]:
    _check_files(files)
    library = Library(folder)
    library.sweep(folder.now_us())
    recalled = Catalogue().read(HubJournals(folder), ()).recalled
    taken = media.take_in(library, files, media.Intent(bytes_max, recalled, show_progress))
    checks.say_of_assets(taken)
    return taken


_RECALLED_LATER: Final = Text(
    "此编号的稿件在所注时刻之后已撤稿，各县不会再发布",
    "an item of this id was recalled later than the time that this one bears: no box would show it",
)


def send_item(folder: HubFolder, item: Item, to: str, sites: Sequence[Site], offer: bool) -> None:
    """Links first, then the record: whoever hears of the item can fetch its assets."""
    journals, catalogue = HubJournals(folder), Catalogue()
    with journals.writing("all/control") as pen:
        check_not_recalled(catalogue.read(journals, () if to == "all" else (to,)), item.assets)
        if not catalogue.is_live(item):
            raise Refused(
                _RECALLED_LATER, hint=Text("请校准本机时钟：chronyc tracking", "set this clock right: chronyc tracking")
            )
        item = _later_than_before(catalogue, item)
        if offer:
            pen.append("all/content", "offer", item.id, item)
            return
        _let_read(folder, sites, item.assets)
        pen.append(f"{to}/content", "item", item.id, item)


def _later_than_before(catalogue: Catalogue, item: Item) -> Item:
    """A version is made after the one before, whatever this clock says: a recall of this one is one of that one too, in
    whatever order a box hears of them."""
    made_us = max(moment.to_us(item.created_at), catalogue.made_us(item.id) + 1)
    return msgspec.structs.replace(item, created_at=moment.to_text(made_us))


def _send_filler(folder: HubFolder, channel: str, sites: Sequence[Site], assets: Sequence[Asset]) -> None:
    having = [site for site in sites if any(own.id == channel for own in site.channels)]
    if not having:
        raise Refused(Text(f"没有频道 {channel}", f"there is no channel {channel}"))
    unfit = [asset for asset in assets if asset.rendition is None]
    if unfit or not assets:
        raise Refused(*(Text(f"{asset.name} 不能播出", f"{asset.name} cannot be aired") for asset in unfit))
    journals, catalogue = HubJournals(folder), Catalogue()
    with journals.writing("all/control") as pen:
        check_not_recalled(catalogue.read(journals, ()), assets)
        for site in having:
            _let_read(folder, (site,), assets)
            pen.append(f"{site.site}/content", "filler", channel, records.Filler(channel, tuple(assets)))


def _let_read(folder: HubFolder, sites: Sequence[Site], assets: Sequence[Asset]) -> None:
    for site in sites:
        Library(folder).let_read(site.site, assets)


def _check(item: Item, files: Sequence[Path]) -> None:
    problems = list(problems_of(item))
    if not files and not item.body_html and not item.summary:
        problems.append(Text("没有文件也没有正文", "neither a file nor a body"))
    problems += _missing(files)
    if problems:
        raise OperatorError(*problems)


def _check_files(files: Sequence[Path]) -> None:
    if problems := _missing(files):
        raise OperatorError(*problems)


def _missing(files: Sequence[Path]) -> list[Text]:
    return [Text(f"没有文件 {path}", f"there is no file {path}") for path in files if not path.is_file()]


def _title_of(files: Sequence[Path]) -> str:
    return files[0].stem if files else ""


def _body_html(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        with path.open("rb") as file:
            data = file.read(BODY_BYTES_MAX + 1)
        text = data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(Text(f"读不出 {path}：{error}", f"cannot read {path}: {error}")) from error
    if len(data) > BODY_BYTES_MAX:
        raise OperatorError(Text(f"{path} 超过 {BODY_BYTES_MAX} 字节", f"{path} has more than {BODY_BYTES_MAX} bytes"))
    return text


def _moment(text: str | None) -> str | None:
    """In UTC, so that two moments compare as texts."""
    return None if text is None else moment.to_text(moment.to_us(text))


def _print_assets(assets: Sequence[Asset], as_json: bool) -> None:
    if as_json:
        say_json({"assets": assets})
    else:
        for asset in assets:
            click.echo(asset.digest)
