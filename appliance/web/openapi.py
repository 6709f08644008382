"""The API's own description, made from the shapes that the API really sends."""

from typing import Any, Final

import msgspec

from appliance.core.item import ITEM_ID, SECTIONS
from appliance.web import shapes
from appliance.web.problems import MEDIA_TYPE, Problem
from appliance.web.tips import Given, Taken

SHAPES: Final = (
    shapes.ItemPage,
    shapes.ItemDocument,
    shapes.ChannelList,
    shapes.Guide,
    Given,
    Taken,
    Problem,
)


def document(name: str, version: str) -> dict[str, Any]:
    """OpenAPI 3.1 of `/api/v1`; `name` is the site's."""
    _, components = msgspec.json.schema_components(SHAPES, ref_template="#/components/schemas/{name}")
    item_id = _path("item_id", {"type": "string", "pattern": f"^{ITEM_ID.pattern}$"})
    channel_id = _path("channel_id", {"type": "string", "pattern": "^[a-z][a-z0-9-]{1,63}$"})
    page = _query("page", {"type": "integer", "minimum": 1, "maximum": shapes.PAGE_MAX, "default": 1})
    per_page = _query("per_page", {"type": "integer", "minimum": 1, "maximum": shapes.PER_PAGE_MAX, "default": 20})
    section = _query("section", {"type": "string", "enum": list(SECTIONS)})
    words = _query("q", {"type": "string", "maxLength": shapes.WORDS_CHARS_MAX})
    day = _query("date", {"type": "string", "format": "date"})
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{name} · Songshan Edge", "version": version},
        "paths": {
            "/api/v1/items": {"get": _get("Items, newest first", "ItemPage", [page, per_page, section, words], 400)},
            "/api/v1/items/{item_id}": {
                "get": _get("One item; 410 when it was recalled", "ItemDocument", [item_id], 404, 410)
            },
            "/api/v1/channels": {"get": _get("Channels, with what is on", "ChannelList", [])},
            "/api/v1/channels/{channel_id}/epg": {
                "get": _get("The programme guide of one day", "Guide", [channel_id, day], 400, 404)
            },
            "/api/v1/tips": {"post": _post_tip()},
        },
        "components": {"schemas": components},
    }


def _get(summary: str, shape: str, parameters: list[dict[str, Any]], *refusals: int) -> dict[str, Any]:
    return {
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": _answer("As asked", "application/json", shape), **_refusals(*refusals, 503)},
    }


def _post_tip() -> dict[str, Any]:
    return {
        "summary": "Send the editors a tip",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Given"}}},
        },
        "responses": {
            "202": _answer("Taken; the editors will have it", "application/json", "Taken"),
            **_refusals(400, 403, 413, 415, 429, 503),
        },
    }


def _refusals(*statuses: int) -> dict[str, Any]:
    return {str(status): _answer("Refused", MEDIA_TYPE, "Problem") for status in statuses}


def _answer(description: str, media_type: str, shape: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {media_type: {"schema": {"$ref": f"#/components/schemas/{shape}"}}},
    }


def _path(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}
