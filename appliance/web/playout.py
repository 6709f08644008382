"""`/playout/…`: days for other engines, the as-run to print, and the word of an engine on what it aired.

All of it is for the house, so all of it asks for the token that `songshan token` makes: as `Authorization: Bearer`, or
as the password of Basic, which players and browsers know. Nothing here is kept by any cache.
"""

import hashlib
import hmac
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import msgspec
from flask import Blueprint, Response, render_template, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import NotFound, ServiceUnavailable, TooManyRequests, Unauthorized, UnsupportedMediaType

from appliance import spool
from appliance.config import ChannelConfig, Config
from appliance.core.accidents import KIND_NAMES, KINDS, tally
from appliance.core.asrun import AiredRow, Evidence, later_words
from appliance.core.command import Asrun
from appliance.core.engine import EngineRow, problems_of_rows
from appliance.core.errors import OperatorError, Refused, Text, WorldError
from appliance.core.exports.asrun_csv import asrun_csv
from appliance.core.exports.formats import FORMATS, written
from appliance.core.ledger import KIND_NAMES as KINDS_OF_STRETCHES
from appliance.core.local_time import clock_text
from appliance.core.moment import US, to_us
from appliance.core.rundown import tick_of
from appliance.core.schedule import day_bounds_us
from appliance.store import air, asrun, exports
from appliance.web.allowance import Allowance
from appliance.web.language import HTML_LANG, language
from appliance.web.problems import Wrong
from appliance.web.reading import Reading

TOKEN_BYTES_MAX: Final = 256
ROWS_MAX: Final = 200
"""As many as fit into a body."""
BURST: Final = 30
EVERY_S: Final = 2.0


class Given(msgspec.Struct, frozen=True):
    """What an engine says."""

    rows: Annotated[tuple[EngineRow, ...], msgspec.Meta(min_length=1, max_length=ROWS_MAX)]


def blueprint(config: Config, reading: Reading) -> Blueprint:
    """The routes; see the module."""
    routes = Blueprint("playout", __name__, url_prefix="/playout")
    allowance = Allowance(BURST, EVERY_S)

    @routes.before_request
    def only_with_the_token() -> None:
        check_token(config)

    @routes.after_request
    def keep_nothing(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    @routes.get("/<channel_id>/<file>")
    def day(channel_id: str, file: str) -> Response:
        channel = _channel(config, channel_id)
        date, _dot, ending = file.partition(".")
        if ending in ("asrun.html", "asrun.csv"):
            return _asrun(config, reading, channel, date, ending)
        form = FORMATS.get(ending)
        if form is None:
            raise NotFound()
        root = "" if form.is_relative else f"{config.library}/"
        with reading.look() as db:
            found = exports.day_of_channel(db, channel.id, channel.name, config.zone, _date(date, config), root)
        return Response(written(found, form), content_type=form.media_type)

    @routes.post("/<channel_id>/asrun")
    def report(channel_id: str) -> tuple[Response, int]:
        channel = _channel(config, channel_id)
        wait_s = allowance.wait_s(channel.id, time.monotonic())
        if wait_s > 0:
            raise TooManyRequests("too many reports", retry_after=int(wait_s) + 1)
        name = _take(config, channel)
        return Response(msgspec.json.encode({"id": name}), content_type="application/json"), 202

    return routes


def check_token(config: Config) -> None:
    """Raises Unauthorized unless the request brings the token. What is compared are digests, in constant time."""
    try:
        expected = config.playout_token.read_text().strip()
    except OSError:
        expected = ""
    given = _token()
    digest = hashlib.sha256(given.encode()).hexdigest()
    if not expected or not given or not hmac.compare_digest(digest.encode(), expected.encode()):
        raise Unauthorized(www_authenticate=_challenge())


def _challenge() -> WWWAuthenticate:
    return WWWAuthenticate("basic", {"realm": "songshan playout"})


def _token() -> str:
    said = request.authorization
    if said is None:
        return ""
    given = said.token if said.type == "bearer" else said.password
    return given if given is not None and len(given) <= TOKEN_BYTES_MAX else ""


def _take(config: Config, channel: ChannelConfig) -> str:
    """Lay a report into the spool; the name of the command."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("a report is application/json")
    try:
        given = msgspec.json.decode(request.get_data(), type=Given)
    except (ValueError, RecursionError) as error:
        raise Wrong(Text(f"报告格式不对：{error}", f"not a report: {error}")) from error
    problems = problems_of_rows(given.rows)
    if problems:
        raise Wrong(*problems)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = tuple(msgspec.to_builtins(row) for row in given.rows)
    try:
        return spool.put(config, Asrun(channel=channel.id, rows=rows, by="engine", via="playout", at=now))
    except OperatorError as error:
        raise Wrong(*error.problems) from error
    except (Refused, WorldError) as error:
        raise ServiceUnavailable("the box cannot take reports now", retry_after=60) from error


def _asrun(config: Config, reading: Reading, channel: ChannelConfig, date: str, ending: str) -> Response:
    begin_us, end_us = day_bounds_us(_date(date, config), config.zone)
    with reading.look() as db:
        rows = asrun.aired(db, channel.id, begin_us, end_us)
        later = later_words(rows, asrun.sightings(db, channel.id, tick_of(begin_us), tick_of(end_us)))
        now_us = air.now_us(db, config.clock)
    if ending == "asrun.csv":
        return Response(asrun_csv(rows, config.zone, later), content_type="text/csv; charset=utf-8")
    counted = tally(rows, begin_us, end_us)
    page = render_template(
        "asrun.html",
        html_lang=HTML_LANG[language()],
        site=config.name,
        channel=channel,
        date=date,
        made=clock_text(now_us, ZoneInfo(config.zone)),
        text=lambda said: said.in_language(language()),
        rows=[_shown(row, config, later.get(row.seq, ())) for row in rows],
        counts=[(KIND_NAMES[kind], getattr(counted, kind)) for kind in KINDS],
        tally=counted,
        day_s=(end_us - begin_us) / US,
        first=rows[0].seq if rows else None,
        last=rows[-1].seq if rows else None,
    )
    return Response(page, content_type="text/html; charset=utf-8")


class Shown(msgspec.Struct, frozen=True):
    """A row as it is printed."""

    row: AiredRow
    start: str
    end: str
    kind: Text
    planned: str
    status: str
    evidence: str


def _shown(row: AiredRow, config: Config, later: Sequence[Evidence]) -> Shown:
    zone = ZoneInfo(config.zone)
    start_us = to_us(row.start)
    return Shown(
        row=row,
        start=clock_text(start_us, zone)[11:],
        end=clock_text(start_us + round(row.duration_s * US), zone)[11:],
        kind=KINDS_OF_STRETCHES.get(row.kind, Text(row.kind, row.kind)),
        planned=clock_text(to_us(row.planned_start), zone)[11:] if row.planned_start else "",
        status=", ".join(row.status),
        evidence=" ".join((*row.evidence, *(f"+{word}" for word in later))),
    )


def _channel(config: Config, channel_id: str) -> ChannelConfig:
    channel = config.channel(channel_id)
    if channel is None:
        raise NotFound()
    return channel


def _date(text: str, config: Config) -> str:
    try:
        day_bounds_us(text, config.zone)
    except OperatorError as error:
        raise NotFound() from error
    return text
