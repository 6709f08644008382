"""Composes the web server of one box: quick parts in front, Flask behind, what every answer carries.

    create_app(config).wsgi_app is a Front:
        /media/…                 media.py    files, no database
        /live/…{.m3u8,.ts,…}     live.py     playlists and segments from the air ledger
        /catchup/…               catchup.py  programmes that are over
        /static/…                static_files.py
        everything else          Flask:      pages.py  api.py  status.py  xmltv.py

Nothing happens at import time. The database is opened when a request first needs it, and may be missing until then.
"""

import gzip
from typing import Final

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from appliance.config import Config
from appliance.core.errors import WorldError
from appliance.web import api, pages, playout, status, xmltv
from appliance.web.catchup import Catchup
from appliance.web.front import Front, Quick
from appliance.web.guides import Guides
from appliance.web.language import COOKIE, COOKIE_S, LANGUAGES, TEXTS, catalogues, language
from appliance.web.live import Live
from appliance.web.media import Media
from appliance.web.memory import MARK, Memory
from appliance.web.problems import Wrong
from appliance.web.reading import Reading
from appliance.web.static_files import StaticFiles
from appliance.web.worker import BODY_BYTES_MAX

PAGE_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        # hls.js gives the video element a blob: of its own making.
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Content-Security-Policy: a county in an outage has no other hosts, and a page that asks none cannot miss them."""

COMPRESSED_FROM_BYTES: Final = 1400
"""Less fits into one packet as it is."""
COMPRESSION_LEVEL: Final = 5


def create_app(config: Config) -> Flask:
    """The WSGI application of a box; see the module."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = BODY_BYTES_MAX
    reading = Reading(config.database)
    guides = Guides(config, reading)
    making = pages.Pages(config, reading, guides)
    _speak(app)
    static = StaticFiles()
    app.jinja_env.globals["static"] = static.address
    app.register_blueprint(pages.blueprint(making))
    app.register_blueprint(api.blueprint(config, reading, guides))
    app.register_blueprint(xmltv.blueprint(config, guides))
    app.register_blueprint(status.blueprint(config, reading))
    app.register_blueprint(playout.blueprint(config, reading))
    app.register_error_handler(HTTPException, lambda error: api.problem(error) if _is_api() else making.error(error))
    app.register_error_handler(WorldError, lambda error: app.handle_user_exception(_unavailable(error)))
    app.after_request(_compress)
    app.after_request(_guard)
    quick: dict[str, Quick] = {
        "/media/": Media(config.public),
        "/live/": Live(config, reading),
        "/catchup/": Catchup(config, reading),
        "/static/": static,
    }
    front = Front(quick, app.wsgi_app, Memory(config.database))
    app.wsgi_app = front  # type: ignore[method-assign]
    return app


def _is_api() -> bool:
    return request.path.startswith("/api/")


def _unavailable(error: WorldError) -> HTTPException:
    """No database yet, or none that can be read: the agent makes it, and makes it again."""
    return Wrong(*error.problems, code=503)


def _speak(app: Flask) -> None:
    """Give each request the texts of its language, and remember a language that was asked for."""
    texts = app.extensions[TEXTS] = catalogues()
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda message: texts[language()].gettext(message),
        lambda one, many, number: texts[language()].ngettext(one, many, number),
        newstyle=True,
    )

    @app.after_request
    def remember(response: Response) -> Response:
        asked = request.args.get("lang")
        if asked in LANGUAGES:
            response.set_cookie(COOKIE, asked, max_age=COOKIE_S, samesite="Lax")
        return response


def _guard(response: Response) -> Response:
    """What every answer of Flask's carries."""
    headers = response.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    if response.status_code >= 400:
        headers["Cache-Control"] = "no-store"
    elif "Cache-Control" not in headers:
        # Browsers ask each time; nginx asks once a second for all of them, and has a page when this server is away.
        # It comes first: nginx 1.22 gives the other the last word when that stands before it.
        headers[MARK[0]] = MARK[1]
        headers["Cache-Control"] = "no-cache"
    return response


def _compress(response: Response) -> Response:
    """Text at a third of its size, to whoever can read that."""
    response.vary.add("Accept-Encoding")
    if request.accept_encodings.quality("gzip") > 0 and response.status_code == 200 and not response.is_streamed:
        data = response.get_data()
        if len(data) >= COMPRESSED_FROM_BYTES:
            response.set_data(gzip.compress(data, COMPRESSION_LEVEL))
            response.content_encoding = "gzip"
    return response
