"""Tips: the one thing that anybody may write. Checked, bounded, rationed, then laid into the spool."""

import time
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec
from flask import Request
from werkzeug.exceptions import BadRequest, Forbidden, ServiceUnavailable, TooManyRequests, UnsupportedMediaType

from appliance import spool
from appliance.config import Config
from appliance.core.command import Tip
from appliance.core.errors import OperatorError, Refused, WorldError
from appliance.web.allowance import Allowance

TEXT_CHARS_MAX: Final = 2000
CONTACT_CHARS_MAX: Final = 100
BURST: Final = 5
EVERY_S: Final = 30.0


class Given(msgspec.Struct, frozen=True):
    """What a citizen writes."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=TEXT_CHARS_MAX, pattern=r"\S")]
    contact: Annotated[str, msgspec.Meta(max_length=CONTACT_CHARS_MAX)] = ""


class Taken(msgspec.Struct, frozen=True):
    """The receipt: the name of the command in the spool."""

    id: str


class Tips:
    """Takes tips for one box."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._allowance = Allowance(BURST, EVERY_S)

    def take(self, request: Request) -> Taken:
        """Lay a tip into the spool. Raises the HTTP error that says why not."""
        _refuse_other_sites(request)
        if request.mimetype != "application/json":
            raise UnsupportedMediaType("a tip is application/json")
        given = _read(request.get_data())
        wait_s = self._allowance.wait_s(client_of(request), time.monotonic())
        if wait_s > 0:
            raise TooManyRequests("too many tips from this address", retry_after=int(wait_s) + 1)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        tip = Tip(by="app", via="web", at=now, text=given.text.strip(), contact=given.contact.strip())
        try:
            return Taken(spool.put(self._config, tip))
        except OperatorError as error:
            raise BadRequest(str(error)) from error
        except (Refused, WorldError) as error:
            raise ServiceUnavailable("the box cannot take tips now", retry_after=60) from error


def client_of(request: Request) -> str:
    """The address of who asks; what nginx says of it counts only where nginx, on this machine, says it."""
    peer = request.remote_addr or ""
    said = request.headers.get("X-Real-IP", "")
    return said[:64] if said and _is_loopback(peer) else peer


def _read(data: bytes) -> Given:
    try:
        return msgspec.json.decode(data, type=Given)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(str(error)) from error


def _refuse_other_sites(request: Request) -> None:
    """A form on another site cannot send JSON unasked; browsers also say where a request comes from."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("tips are sent from this app's own pages")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        raise Forbidden("tips are sent from this app's own pages")


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
