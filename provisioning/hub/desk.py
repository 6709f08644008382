"""market, schedule, recall, insert, order, orders: what the command desk does every day."""

from pathlib import Path
from typing import Any, Final

import click
import msgspec

from appliance.command import say, say_json
from appliance.core import moment, records
from appliance.core.asset import parse_digest
from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.item import Item
from appliance.core.template import WEEKDAYS
from provisioning.command import pass_hub
from provisioning.hub import checks, recalls, scheduling
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.library import Library
from provisioning.hub.publish import new_id, show_progress
from provisioning.hub.sites import Site, all_sites, site_of, targets

INSERT_GOOD_US: Final = 3600 * moment.US
"""How late an insertion may arrive and still go on the air, unless `--until` says otherwise."""
TITLE_CHARS_MAX: Final = 200
TEXT_CHARS_MAX: Final = 20_000


@click.command()
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def market(folder: HubFolder, as_json: bool) -> None:
    """The supermarket: what is offered, and who took it.

    Example: songshan-hub market --json
    """
    sites = [site.site for site in all_sites(folder)]
    catalogue = Catalogue().read(HubJournals(folder), sites)
    offers = []
    for name in catalogue.offered:
        offer = catalogue.live_offer(name)
        if offer is not None:
            offers.append({**_listed(offer), "taken_by": sorted(catalogue.takers.get(name, ()))})
    if as_json:
        say_json({"offers": offers})
        return
    for row in offers:
        takers = ", ".join(row["taken_by"]) or "-"
        click.echo(f"{row['id']}  {row['section']:<10}  {row['origin']:<12}  {row['title']}  [{takers}]")
    if not offers:
        say(Text("新闻超市里没有稿件", "nothing is offered"))


@click.command()
@click.argument("site")
@click.argument("channel")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def schedule(folder: HubFolder, site: str, channel: str, file: Path, as_json: bool) -> None:
    """Check the schedule in FILE and send it to SITE; refuses with all problems, and then nothing is sent.

    Example: songshan-hub schedule dengfeng dengfeng-1 2026-11-24.json
    """
    folder.settings()
    sent = scheduling.send(folder, site_of(folder, site), channel, file, show_progress)
    made = sent.schedule
    facts = {"site": site, "channel": channel, "date": made.date, "version": made.version, "entries": len(made.entries)}
    found = checks.of_schedule(Library(folder), made)
    checks.say_of_entries(found)
    if as_json:
        say_json({**facts, "warnings": sent.warnings, "findings": found})
        return
    say(
        Text(
            f"{channel} {made.date} 第 {made.version} 版已发出，{len(made.entries)} 条",
            f"{channel} {made.date} version {made.version} is out, {len(made.entries)} entries",
        )
    )
    for warning in sent.warnings:
        say(Text(f"注意：{warning.zh}", f"note: {warning.en}"))


@click.command()
@click.argument("site")
@click.argument("channel")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def template(folder: HubFolder, site: str, channel: str, file: Path, as_json: bool) -> None:
    """Check the day templates and the default programme in FILE and send them to SITE, in place of those before.

    They play on days without a schedule; refused with all problems, and then nothing is sent.

    Example: songshan-hub template dengfeng dengfeng-1 weekdays.json
    """
    folder.settings()
    sent = scheduling.send_template(folder, site_of(folder, site), channel, file, show_progress)
    on = sorted({word for pattern in sent.days for word in pattern.on}, key=WEEKDAYS.index)
    facts = {"site": site, "channel": channel, "version": sent.version, "on": on, "default": len(sent.default)}
    if as_json:
        say_json(facts)
        return
    days = " ".join(on) or "-"
    say(
        Text(
            f"{channel} 日模板第 {sent.version} 版已发出：{days}，默认节目 {len(sent.default)} 条",
            f"{channel} template version {sent.version} is out: {days}, default programme {len(sent.default)} entries",
        )
    )


@click.command()
@click.argument("target", metavar="ITEM|DIGEST")
@click.option("--reason", required=True, help="why; it is on record")
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def recall(folder: HubFolder, target: str, reason: str, as_json: bool) -> None:
    """Make an item or an asset vanish everywhere, at once.

    Example: songshan-hub recall 20261124-1f3a --reason 误发
    """
    folder.settings()
    gone = sorted(recalls.recall(folder, target, reason))
    if as_json:
        say_json({"target": target, "withdrawn": gone})
    else:
        say(Text(f"{target} 已撤回，撤下 {len(gone)} 个文件", f"{target} is recalled, {len(gone)} files withdrawn"))


@click.command()
@click.argument("site", metavar="SITE|all")
@click.argument("channel", metavar="CHANNEL|all")
@click.argument("digest")
@click.option("--at", help="from this time on, RFC 3339 with a zone; by default at once")
@click.option("--until", help="until this time; by default to the asset's end")
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def insert(
    folder: HubFolder, site: str, channel: str, digest: str, at: str | None, until: str | None, as_json: bool
) -> None:
    """Break into a channel with an asset. What arrives too late to be meant does not air any more.

    Example: songshan-hub insert dengfeng dengfeng-1 sha256:… --at 2026-11-24T20:00:00+08:00
    """
    folder.settings()
    at_us, until_us = _moments(at, until, folder.now_us())
    chosen = [(one, own.id) for one in targets(folder, site) for own in one.channels if channel in ("all", own.id)]
    if not chosen:
        raise Refused(Text(f"{site} 没有频道 {channel}", f"{site} has no channel {channel}"))
    journals, library = HubJournals(folder), Library(folder)
    catalogue = Catalogue().read(journals, ())
    asset = scheduling.asset_for_air(library, catalogue, parse_digest(digest), show_progress)
    body = records.Insert(
        id=new_id(folder.now_us()),
        channel="",
        asset=asset,
        not_after=moment.to_text(until_us or (at_us or folder.now_us()) + INSERT_GOOD_US),
        at=None if at_us is None else moment.to_text(at_us),
        until=None if until_us is None else moment.to_text(until_us),
    )
    with journals.writing() as pen:
        for one, own in chosen:
            library.let_read(one.site, (asset,))
            pen.append(f"{one.site}/control", "insert", own, _on(body, own))
    if as_json:
        say_json({"insert": body.id, "channels": [own for _one, own in chosen]})
    else:
        click.echo(body.id)


@click.command()
@click.argument("site", metavar="SITE|all")
@click.option("--title", required=True)
@click.option("--body", default="", help="the text of the order")
@click.option("--due", help="by when, RFC 3339 with a zone")
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def order(folder: HubFolder, site: str, title: str, body: str, due: str | None, as_json: bool) -> None:
    """Tell a site, or all, what to do; prints the order's id.

    Example: songshan-hub order dengfeng --title 报送秋收一线画面 --due 2026-11-24T18:00:00+08:00
    """
    folder.settings()
    sites = targets(folder, site)
    due_us, _ = _moments(due, None, folder.now_us())
    problems = []
    if not title.strip() or len(title) > TITLE_CHARS_MAX:
        problems.append(Text(f"标题须为 1 至 {TITLE_CHARS_MAX} 字", f"a title has 1 to {TITLE_CHARS_MAX} characters"))
    if len(body) > TEXT_CHARS_MAX:
        problems.append(Text(f"正文至多 {TEXT_CHARS_MAX} 字", f"a body has at most {TEXT_CHARS_MAX} characters"))
    if problems:
        raise OperatorError(*problems)
    given = records.Order(new_id(folder.now_us()), title, body, None if due_us is None else moment.to_text(due_us))
    scope = "all" if site == "all" else sites[0].site
    HubJournals(folder).append(f"{scope}/control", "order", given.id, given)
    if as_json:
        say_json({"order": given.id})
    else:
        click.echo(given.id)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def orders(folder: HubFolder, as_json: bool) -> None:
    """All orders, the newest first, and what the sites answered.

    Example: songshan-hub orders --json
    """
    listed = _orders(folder, all_sites(folder))
    if as_json:
        say_json({"orders": listed})
        return
    for row in listed:
        click.echo(f"{row['id']}  {row['to']:<12}  {row['title']}")
        for answer in row["answers"]:
            click.echo(f"    {answer['site']:<12}  {answer['answer']:<9}  {answer['by']}  {answer['note']}")
    if not listed:
        say(Text("没有调度指令", "no orders"))


def _orders(folder: HubFolder, sites: tuple[Site, ...]) -> list[dict[str, Any]]:
    catalogue = Catalogue().read(HubJournals(folder), (site.site for site in sites))
    listed: dict[str, dict[str, Any]] = {}
    for scope in ("all", *(site.site for site in sites)):
        for at, order in catalogue.told[f"{scope}/control"].orders.values():
            facts = {"id": order.id, "to": scope, "title": order.title, "body": order.body, "due": order.due}
            listed[order.id] = {**facts, "at": at, "answers": []}
    for site in sites:
        for answer in catalogue.told[f"{site.site}/report"].answers:
            if answer.order in listed:
                said = {"answer": answer.answer, "note": answer.note, "by": answer.by, "at": answer.at}
                listed[answer.order]["answers"].append({"site": site.site, **said})
    return sorted(listed.values(), key=lambda row: str(row["at"]), reverse=True)


def _listed(item: Item) -> dict[str, Any]:
    facts = ("digest", "name", "role", "size_bytes", "duration_s")
    assets = [{fact: getattr(asset, fact) for fact in facts} for asset in item.assets]
    return {
        "id": item.id,
        "title": item.title,
        "section": item.section,
        "origin": item.origin,
        "summary": item.summary,
        "created_at": item.created_at,
        "assets": assets,
    }


def _on(body: records.Insert, channel: str) -> records.Insert:
    return msgspec.structs.replace(body, channel=channel)


def _moments(at: str | None, until: str | None, now_us: int) -> tuple[int | None, int | None]:
    at_us = None if at is None else moment.to_us(at)
    until_us = None if until is None else moment.to_us(until)
    if until_us is not None and until_us <= (at_us or now_us):
        raise OperatorError(Text("结束时间不晚于开始时间", "it would end before it begins"))
    return at_us, until_us
