"""`/api/v1`: the app's items, channels and guide as JSON, and the tips it sends."""

import re
import time
from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from flask import Blueprint, Response, request
from werkzeug.exceptions import Gone, HTTPException, NotFound

from appliance.config import ChannelConfig, Config
from appliance.core.asset import Asset
from appliance.core.errors import Text
from appliance.core.guide import Programme
from appliance.core.item import ITEM_ID, Item
from appliance.core.moment import to_text, to_us
from appliance.store import items
from appliance.web import openapi, shapes, stories
from appliance.web.guides import Guides
from appliance.web.listing import Asked, read_asked
from appliance.web.memory import MARK
from appliance.web.problems import MEDIA_TYPE, Wrong, headers_of, problem_of
from appliance.web.prose import sanitised
from appliance.web.reading import Reading
from appliance.web.tips import Tips

CACHED: Final = "public, max-age=1"
PREFIX: Final = "/api/v1"

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def blueprint(config: Config, reading: Reading, guides: Guides) -> Blueprint:
    """The API of one box."""
    api = Blueprint("api", __name__, url_prefix=PREFIX)
    tips = Tips(config)
    described = openapi.document(config.name, version("songshan-edge"))

    @api.get("/items")
    def list_items() -> Response:
        return answer(item_page(config, reading, read_asked(request.args)))

    @api.get("/items/<item_id>")
    def get_item(item_id: str) -> Response:
        return answer(item_document(config, find_item(reading, item_id)))

    @api.get("/channels")
    def list_channels() -> Response:
        now_us = time.time_ns() // 1000
        return answer(shapes.ChannelList([channel_entry(channel, guides, now_us) for channel in config.channels]))

    @api.get("/channels/<channel_id>/epg")
    def get_guide(channel_id: str) -> Response:
        channel = config.channel(channel_id)
        if channel is None:
            raise NotFound()
        zone = ZoneInfo(config.zone)
        day = read_day(request.args.get("date"), datetime.now(UTC).astimezone(zone).date())
        found = guides.with_addresses(channel.id, day, time.time_ns() // 1000)
        programmes = [programme_entry(each, address) for each, address in found]
        return answer(shapes.Guide(channel.id, channel.name, day.isoformat(), config.zone, programmes))

    @api.post("/tips")
    def send_tip() -> Response:
        response = answer(tips.take(request))
        response.status_code = 202
        response.headers["Cache-Control"] = "no-store"
        del response.headers[MARK[0]]
        return response

    @api.get("/openapi.json")
    def describe() -> Response:
        return answer(described)

    return api


def answer(shape: object) -> Response:
    """JSON that anybody may read for a second."""
    response = Response(msgspec.json.encode(shape), mimetype="application/json")
    response.headers[MARK[0]] = MARK[1]
    response.headers["Cache-Control"] = CACHED
    if request.method in ("GET", "HEAD"):
        response.headers["Access-Control-Allow-Origin"] = "*"
    return response


def problem(error: HTTPException) -> Response:
    """An error as the API tells it."""
    found = problem_of(error)
    return Response(msgspec.json.encode(found), found.status, headers_of(error), content_type=MEDIA_TYPE)


def find_item(reading: Reading, item_id: str) -> Item:
    """An item that may be seen now; Gone when it was recalled, NotFound when there is none or not yet."""
    if not ITEM_ID.fullmatch(item_id):
        raise NotFound()
    with reading.look() as db:
        item = items.one(db, item_id, time.time_ns() // 1000)
        if item is None and items.is_recalled(db, item_id):
            raise Gone()
    if item is None:
        raise NotFound()
    return item


def item_page(config: Config, reading: Reading, asked: Asked) -> shapes.ItemPage:
    """One page of a list."""
    now_us = time.time_ns() // 1000
    with reading.look() as db:
        found = items.published(db, now_us, asked.section, asked.words, asked.per_page, asked.offset)
        total = items.count_published(db, now_us, asked.section, asked.words)
    entries = [item_entry(config, item) for item in found]
    more = asked.offset + len(entries) < total and asked.page < shapes.PAGE_MAX
    following = asked.address(f"{PREFIX}/items", asked.page + 1) if more else None
    return shapes.ItemPage(entries, asked.page, asked.per_page, total, following)


def item_entry(config: Config, item: Item) -> shapes.ItemEntry:
    """An item as a line of a list."""
    shown = stories.shown(item, config.public)
    return shapes.ItemEntry(
        item.id,
        item.title,
        item.section,
        item.origin,
        item.summary,
        to_text(stories.shown_from_us(item)),
        f"/items/{item.id}",
        stories.url_of(shown.picture) if shown.picture else None,
        bool(shown.videos),
    )


def item_document(config: Config, item: Item) -> shapes.ItemDocument:
    """An item whole."""
    return shapes.ItemDocument(
        item.id,
        item.title,
        item.section,
        item.origin,
        item.summary,
        sanitised(item.body_html),
        to_text(stories.shown_from_us(item)),
        to_text(to_us(item.created_at)),
        None if item.until is None else to_text(to_us(item.until)),
        f"/items/{item.id}",
        [asset_entry(config, asset) for asset in item.assets],
    )


def asset_entry(config: Config, asset: Asset) -> shapes.AssetEntry:
    """An asset of an item."""
    return shapes.AssetEntry(
        asset.digest,
        stories.url_of(asset),
        asset.name,
        asset.media_type,
        asset.role,
        asset.size_bytes,
        asset.duration_s,
        stories.is_public(config.public, asset),
    )


def channel_entry(channel: ChannelConfig, guides: Guides, now_us: int) -> shapes.ChannelEntry:
    """A channel and what is on."""
    now, following = guides.now_and_next(channel.id, now_us)
    page = f"/live/{channel.id}"
    return shapes.ChannelEntry(
        channel.id,
        channel.name,
        "radio" if channel.kind == "radio" else "tv",
        page,
        f"{page}/index.m3u8",
        f"{page}/dvr.m3u8",
        None if channel.kind == "radio" else f"{page}/cmaf.m3u8",
        None if now is None else programme_entry(now),
        None if following is None else programme_entry(following),
    )


def programme_entry(programme: Programme, address: str | None = None) -> shapes.ProgrammeEntry:
    """A line of the guide; `address`: where it can be seen again."""
    entry = f"{programme.date}/{programme.entry_id}" if programme.entry_id is not None else None
    start, end = to_text(programme.start_us), to_text(programme.end_us)
    return shapes.ProgrammeEntry(programme.title, programme.kind, start, end, entry, address)


def read_day(given: str | None, today: date) -> date:
    """`YYYY-MM-DD`, today when nothing is given; Wrong for anything else."""
    if given is None:
        return today
    try:
        if not _DAY.fullmatch(given):
            raise ValueError(given)
        return date.fromisoformat(given)
    except ValueError:
        raise Wrong(Text("date 须为日期，例：2026-11-24", "date is a day, for example 2026-11-24")) from None
