"""The app's pages for phones."""

import time
from datetime import timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, make_response, render_template, request
from markupsafe import Markup
from werkzeug.exceptions import HTTPException, NotFound

from appliance.config import Config
from appliance.core.asset import Asset
from appliance.core.errors import WorldError
from appliance.core.guide import Programme
from appliance.core.item import SECTION_NAMES, SECTIONS, Item
from appliance.core.moment import US, to_text
from appliance.store import items
from appliance.web import stories
from appliance.web.api import find_item, read_day
from appliance.web.guides import Guides
from appliance.web.language import HTML_LANG, Language, age, day, language, length, local, say, size, when
from appliance.web.listing import Asked, read_asked
from appliance.web.problems import headers_of, words_of
from appliance.web.prose import sanitised
from appliance.web.reading import Reading
from appliance.web.sync_age import SyncAge
from appliance.web.tips import CONTACT_CHARS_MAX, TEXT_CHARS_MAX

SHIFT_US: Final = 2 * 3600 * US
"""How far back the time-shift list reaches."""
OTHER: Final[dict[Language, tuple[Language, str]]] = {"zh": ("en", "EN"), "en": ("zh", "中文")}


class Story(NamedTuple):
    """An item as a line of a list."""

    id: str
    title: str
    summary: str
    section: str
    section_name: str
    origin_name: str
    at: str
    at_words: str
    picture_url: str | None
    has_video: bool
    duration_words: str | None


class Listing(NamedTuple):
    """A page of a list, and where its neighbours are."""

    stories: list[Story]
    number: int
    pages: int
    previous_url: str | None
    next_url: str | None


class Line(NamedTuple):
    """A programme as a line of the guide."""

    title: str
    kind: str
    state: str
    start: str
    start_words: str
    end_words: str
    percent: int
    is_filler: bool
    shift_ms: int | None
    catchup_url: str | None


class Pages:
    """Makes the pages of one box."""

    def __init__(self, config: Config, reading: Reading, guides: Guides) -> None:
        self._config = config
        self._reading = reading
        self._guides = guides
        self._sync_age = SyncAge(config, reading)
        self._zone = ZoneInfo(config.zone)

    def front(self) -> str:
        """What is on, and the newest of all sections."""
        now_us = _now_us()
        on_air = [self._channel(channel.id, now_us) for channel in self._config.channels]
        return self._page("stories.html", "home", listing=self._listing(read_asked(request.args), "/"), on_air=on_air)

    def section(self, section: str) -> str:
        """The newest of one section."""
        if section not in SECTIONS:
            raise NotFound()
        asked = read_asked(request.args)._replace(section=section)
        heading = SECTION_NAMES[section].in_language(language())
        listing = self._listing(asked, f"/sections/{section}")
        return self._page("stories.html", section, listing=listing, on_air=(), heading=heading)

    def search(self) -> str:
        """What holds the words; only the field when there are none."""
        asked = read_asked(request.args)
        words = (asked.words or "").strip()
        listing = self._listing(asked._replace(words=words), "/search") if words else None
        return self._page("search.html", "search", listing=listing, words=words)

    def item(self, item_id: str) -> str:
        """One item with all that it has."""
        item = find_item(self._reading, item_id)
        shown = stories.shown(item, self._config.public)
        story = self._story(item, _now_us())
        poster = stories.url_of(shown.picture) if shown.picture else None
        return self._page(
            "item.html",
            item.section,
            story=story,
            body_html=Markup(sanitised(item.body_html)),  # noqa: S704 - sanitised right here
            videos=[_file(asset) for asset in shown.videos],
            sounds=[_file(asset) for asset in shown.sounds],
            # The first picture stands for the video until that plays; it is not shown twice.
            pictures=[_file(asset) for asset in shown.pictures[1 if shown.videos else 0 :]],
            files=[_file(asset) for asset in shown.files],
            missing=shown.missing,
            poster_url=poster if shown.videos else None,
        )

    def live(self, channel_id: str) -> str:
        """A channel's player and guide."""
        if self._config.channel(channel_id) is None:
            raise NotFound()
        now_us = _now_us()
        today = local(now_us, self._zone)
        asked = read_day(request.args.get("date"), today.date())
        shown = [today, today + timedelta(days=1)]
        if asked != today.date():
            shown = [today + (asked - today.date())]
        names = {today: say("Today"), today + timedelta(days=1): say("Tomorrow")}
        days = []
        for at in shown:
            words = names.get(at, "")
            found = [
                self._line(each, now_us, address)
                for each, address in self._guides.with_addresses(channel_id, at.date(), now_us)
            ]
            # What only joins programmes is told while it is on, lest the guide seem to stand still.
            told = [line for line in found if not line.is_filler or line.state == "current"]
            folded = [line for line in told if line.state == "past" and line.shift_ms is None]
            earlier = folded if at == today else []
            if told:
                later = told[len(earlier) :]
                days.append({"words": f"{words} {day(at)}".strip(), "earlier": earlier, "programmes": later})
        return self._page(
            "live.html",
            "live",
            channel=self._channel(channel_id, now_us),
            days=days,
            chosen=asked.isoformat(),
            other_days=[(each.isoformat(), day(today + (each - today.date()))) for each in self._guides.days(now_us)],
        )

    def tip(self) -> str:
        """The form for a tip."""
        return self._page("tip.html", "tip", text_chars_max=TEXT_CHARS_MAX, contact_chars_max=CONTACT_CHARS_MAX)

    def error(self, error: HTTPException) -> Response:
        """What went wrong, on a page."""
        status = error.code or 500
        words = words_of(status).in_language(language())
        more = say("Perhaps it was moved or withdrawn. The newest is on the home page.") if status in (404, 410) else ""
        page = self._page("error.html", "", heading=words, explanation=more)
        return make_response(page, status, headers_of(error))

    def _page(self, template: str, tab: str, **values: Any) -> str:
        other, other_name = OTHER[language()]
        page = {
            "site_name": self._config.name,
            "html_lang": HTML_LANG[language()],
            "other_html_lang": HTML_LANG[other],
            "other_language_name": other_name,
            "other_language_url": f"?{urlencode({**request.args, 'lang': other})}",
            "sections": [(section, name.in_language(language())) for section, name in SECTION_NAMES.items()],
            "channels": self._config.channels,
            "tab": tab,
            **self._sync_words(),
        }
        return render_template(template, page=page, **values)

    def _sync_words(self) -> dict[str, str | None]:
        """How old what is shown may be; a notice when the hub is away, for that is when it matters."""
        try:
            link = self._sync_age.link()
        except WorldError:
            return {"synced": "", "notice": say("This box is starting; its pages will be here in a moment.")}
        if link.state == "connected":
            return {"synced": say("Up to date with Songshan Cloud"), "notice": None}
        if link.state == "alone" or link.since_us is None:
            return {"synced": "", "notice": None}
        since = age((_now_us() - link.since_us) / US)
        notice = say("Offline from Songshan Cloud for %(age)s. Pages and live channels go on.", age=since)
        return {"synced": say("Last news from Songshan Cloud %(age)s ago", age=since), "notice": notice}

    def _listing(self, asked: Asked, path: str) -> Listing:
        now_us = _now_us()
        with self._reading.look() as db:
            found = items.published(db, now_us, asked.section, asked.words, asked.per_page, asked.offset)
            total = items.count_published(db, now_us, asked.section, asked.words)
        pages = max(1, -(-total // asked.per_page))
        # A section stands in the path of its page, not in the query.
        turned = asked._replace(section=None)
        return Listing(
            [self._story(item, now_us) for item in found],
            asked.page,
            pages,
            turned.address(path, min(asked.page - 1, pages)) if asked.page > 1 else None,
            turned.address(path, asked.page + 1) if asked.page < pages else None,
        )

    def _story(self, item: Item, now_us: int) -> Story:
        shown = stories.shown(item, self._config.public)
        at_us = stories.shown_from_us(item)
        duration_s = shown.videos[0].duration_s if shown.videos else None
        return Story(
            item.id,
            item.title,
            item.summary,
            item.section,
            SECTION_NAMES[item.section].in_language(language()),
            self._origin_name(item.origin),
            to_text(at_us),
            when(at_us, now_us, self._zone),
            stories.url_of(shown.picture) if shown.picture else None,
            bool(shown.videos),
            None if duration_s is None else length(duration_s),
        )

    def _origin_name(self, origin: str) -> str:
        if origin == "hub":
            return say("Songshan Cloud")
        return self._config.name if origin == self._config.site else origin

    def _channel(self, channel_id: str, now_us: int) -> dict[str, Any]:
        channel = self._config.channel(channel_id)
        assert channel is not None, "asked for by its own id"
        now, following = self._guides.now_and_next(channel_id, now_us)
        return {
            "id": channel.id,
            "name": channel.name,
            "is_radio": channel.kind == "radio",
            "now": None if now is None else self._line(now, now_us),
            "next": None if following is None else self._line(following, now_us),
        }

    def _line(self, programme: Programme, now_us: int, catchup_url: str | None = None) -> Line:
        start_us, end_us = programme.start_us, programme.end_us
        state = "past" if end_us <= now_us else "coming" if start_us > now_us else "current"
        can_shift = state == "past" and start_us > now_us - SHIFT_US and programme.kind != "filler"
        return Line(
            programme.title or say("Between programmes"),
            programme.kind,
            state,
            to_text(start_us),
            f"{local(start_us, self._zone):%H:%M}",
            f"{local(end_us, self._zone):%H:%M}",
            max(0, min(100, 100 * (now_us - start_us) // max(1, end_us - start_us))),
            programme.kind == "filler",
            start_us // 1000 if can_shift else None,
            catchup_url,
        )


def _file(asset: Asset) -> dict[str, str]:
    return {"url": stories.url_of(asset), "name": asset.name, "size_words": size(asset.size_bytes)}


def _now_us() -> int:
    return time.time_ns() // 1000


def blueprint(pages: Pages) -> Blueprint:
    """Where each page is."""
    routes = Blueprint("pages", __name__)
    routes.get("/")(pages.front)
    routes.get("/sections/<section>")(pages.section)
    routes.get("/items/<item_id>")(pages.item)
    routes.get("/live/<channel_id>")(pages.live)
    routes.get("/search")(pages.search)
    routes.get("/tip")(pages.tip)
    return routes
