"""Which language a visitor reads, and how moments, lengths and sizes are said in it. Chinese unless told otherwise."""

import gettext
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton
from flask import current_app, g, request
from werkzeug.datastructures import LanguageAccept

from appliance.core.moment import US

Language = Literal["zh", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
TEXTS: Final = "songshan-texts"
"""Where an application keeps its catalogues: `app.extensions[TEXTS]`."""
COOKIE: Final = "lang"
COOKIE_S: Final = 365 * 86400
HTML_LANG: Final[dict[Language, str]] = {"zh": "zh-CN", "en": "en"}

_LOCALES: Final[dict[Language, str]] = {"zh": "zh_CN", "en": "en"}
_DOMAIN: Final = "web"


def catalogues() -> Mapping[Language, gettext.NullTranslations]:
    """The texts of each language; the English ones are the message ids themselves."""
    folder = Path(__file__).parent / "locale"
    return {"zh": gettext.translation(_DOMAIN, folder, [_LOCALES["zh"]]), "en": gettext.NullTranslations()}


def chosen(asked: str | None, remembered: str | None, accepted: LanguageAccept) -> Language:
    """`?lang=` first, then the cookie, then the browser; Chinese where none of them names one of ours."""
    for said in (asked, remembered):
        for language in LANGUAGES:
            if said == language:
                return language
    best = accepted.best_match(["zh", "zh-CN", "en"], default="zh")
    return "en" if best == "en" else "zh"


def language() -> Language:
    """Of the request being answered."""
    if "language" not in g:
        g.language = chosen(request.args.get("lang"), request.cookies.get(COOKIE), request.accept_languages)
    found: Language = g.language
    return found


def say(message: str, **values: object) -> str:
    """A text in the language of the request, filled in."""
    text: str = current_app.extensions[TEXTS][language()].gettext(message)
    return text % values if values else text


def say_plural(one: str, many: str, number: int) -> str:
    """The same for a number of things; `%(num)d` is the number."""
    text: str = current_app.extensions[TEXTS][language()].ngettext(one, many, number)
    return text % {"num": number}


def when(moment_us: int, now_us: int, zone: ZoneInfo) -> str:
    """A moment as a reader would say it: minutes for the last hour, the time for today, then the day."""
    minutes = (now_us - moment_us) // (60 * US)
    at, now = local(moment_us, zone), local(now_us, zone)
    if 0 <= minutes < 1:
        return say("just now")
    if 0 <= minutes < 60:
        return say_plural("%(num)d min ago", "%(num)d min ago", minutes)
    if at.date() == now.date():
        return say("today %(time)s", time=f"{at:%H:%M}")
    if at.date() == now.date() - timedelta(days=1):
        return say("yesterday %(time)s", time=f"{at:%H:%M}")
    return day(at) if at.year == now.year else f"{at:%Y-%m-%d}"


def day(at: datetime) -> str:
    """`11月24日` or `Nov 24`."""
    return format_skeleton("MMMd", at, locale=_LOCALES[language()])


def age(seconds: float) -> str:
    """How long something has lasted, in its two largest units."""
    minutes = int(seconds) // 60
    if minutes < 1:
        return say("less than a minute")
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return say("%(days)d d %(hours)d h", days=days, hours=hours)
    if hours:
        return say("%(hours)d h %(minutes)d min", hours=hours, minutes=minutes % 60)
    return say("%(minutes)d min", minutes=minutes)


def length(seconds: float) -> str:
    """`2:05` or `1:02:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(size_bytes: int) -> str:
    """In the unit that a person would choose."""
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 10 else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def local(moment_us: int, zone: ZoneInfo) -> datetime:
    """The moment on the county's clock."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment_us)).astimezone(zone)
