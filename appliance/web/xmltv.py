"""The guide as XMLTV, for set-top boxes and other programs: the order of children is the one its DTD asks for."""

import re
import time
from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request

from appliance.config import Config
from appliance.core.guide import Programme
from appliance.core.moment import US
from appliance.web.guides import Guides

CONTENT_TYPE: Final = "application/xml; charset=utf-8"
LANGUAGE: Final = "zh"
"""Titles are as the county wrote them."""


class Listing(NamedTuple):
    """A channel with its programmes, each with where it can be seen again."""

    id: str
    name: str
    kind: str
    programmes: Iterable[tuple[Programme, str | None]]


def blueprint(config: Config, guides: Guides) -> Blueprint:
    """`/epg.xml`: all channels, as far back as programmes can be seen again, and tomorrow."""
    routes = Blueprint("xmltv", __name__)
    zone = ZoneInfo(config.zone)

    @routes.get("/epg.xml")
    def whole_guide() -> Response:
        now_us = time.time_ns() // 1000
        services = [
            Listing(
                channel.id,
                channel.name,
                channel.kind,
                [each for day in guides.days(now_us) for each in guides.with_addresses(channel.id, day, now_us)],
            )
            for channel in config.channels
        ]
        # Its addresses hold the name that this box was asked by, so what one has asked is not told to another.
        data = document(services, zone, config.name, request.host_url.rstrip("/"))
        headers = {"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}
        return Response(data, headers=headers, content_type=CONTENT_TYPE)

    return routes


def document(services: Iterable[Listing], zone: ZoneInfo, site: str, origin: str) -> bytes:
    """The whole guide. `origin` is what stands before the paths of this box, as `http://10.0.0.5`.

    What only joins programmes is left out, and a programme without a title, which the DTD does not know.
    """
    root = Element("tv", {"source-info-name": _clean(site), "generator-info-name": "Songshan Edge"})
    told = list(services)
    for service in told:
        channel = SubElement(root, "channel", {"id": service.id})
        SubElement(channel, "display-name", {"lang": LANGUAGE}).text = _clean(service.name)
        SubElement(channel, "url").text = f"{origin}/live/{service.id}"
    for service in told:
        for programme, address in service.programmes:
            if programme.kind != "filler" and programme.title:
                _add(root, service, programme, zone, f"{origin}{address}" if address is not None else None)
    ElementTree.indent(root)
    head = b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tv SYSTEM "xmltv.dtd">\n'
    body: bytes = ElementTree.tostring(root, encoding="utf-8")
    return head + body + b"\n"


def _add(root: Element, service: Listing, programme: Programme, zone: ZoneInfo, url: str | None) -> None:
    times = {"start": _moment(programme.start_us, zone), "stop": _moment(programme.end_us, zone)}
    element = SubElement(root, "programme", {**times, "channel": service.id})
    SubElement(element, "title", {"lang": LANGUAGE}).text = _clean(programme.title)
    if programme.kind == "live":
        SubElement(element, "category", {"lang": "zh"}).text = "直播"
        SubElement(element, "category", {"lang": "en"}).text = "Live"
    seconds = max(1, (programme.end_us - programme.start_us) // US)
    SubElement(element, "length", {"units": "seconds"}).text = str(seconds)
    if url is not None:
        SubElement(element, "url").text = url
    if service.kind == "radio":
        SubElement(SubElement(element, "video"), "present").text = "no"


def _moment(moment_us: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(moment_us // US, zone).strftime("%Y%m%d%H%M%S %z")


def _clean(text: str) -> str:
    """Without what XML cannot hold at all: control characters, and halves of pairs."""
    return re.sub(r"[\x00-\x1f\ud800-\udfff\ufffe\uffff]", "", text)
