"""What a box last said of itself. Not journalled: only the newest counts."""

from collections.abc import Collection, Iterator
from typing import Any, Final

import msgspec

from appliance.core import moment
from appliance.durable import write_atomically
from provisioning.hub.folder import SiteFolder

PROSE: Final = frozenset({"title", "summary", "body", "body_html", "text", "contact", "note", "name"})
"""Keys of a record under which somebody's words stand."""

WORD_CHARS_MIN: Final = 2
"""A name has two characters; one alone stands everywhere."""


class Said(msgspec.Struct, frozen=True):
    """status.json: the box's own words, and when the hub heard them."""

    heard_at: str
    status: dict[str, Any]


def write_status(site: SiteFolder, status: dict[str, Any], at_us: int) -> None:
    write_atomically(site.status, msgspec.json.encode(Said(moment.to_text(at_us), status)))


def read_status(site: SiteFolder) -> Said | None:
    """None when the box never said anything."""
    try:
        return msgspec.json.decode(site.status.read_bytes(), type=Said)
    except FileNotFoundError:
        return None


def forget(site: SiteFolder, bodies: Collection[bytes]) -> None:
    """Take out of it whatever repeats the words of these records: its box may be away for months."""
    said = read_status(site)
    words = {word for body in bodies for word in _words_of(body)}
    if said is None or not words:
        return
    left = msgspec.structs.replace(said, status=_without(said.status, words))
    if left != said:
        write_atomically(site.status, msgspec.json.encode(left))


def _words_of(body: bytes) -> Iterator[str]:
    """A body that is no JSON was kept, and nobody could read it: nothing repeats it."""
    try:
        yield from _prose(msgspec.json.decode(body))
    except msgspec.DecodeError:
        return


def _prose(value: Any, key: str = "") -> Iterator[str]:
    match value:
        case dict():
            for name, inside in value.items():
                yield from _prose(inside, name)
        case list():
            for inside in value:
                yield from _prose(inside, key)
        case str() if key in PROSE and len(value.strip()) >= WORD_CHARS_MIN:
            yield value


def _without(value: Any, words: Collection[str]) -> Any:
    """The same, with nothing in the place of each text that repeats one of the words."""
    match value:
        case dict():
            return {name: _without(inside, words) for name, inside in value.items()}
        case list():
            return [_without(inside, words) for inside in value]
        case str() if any(word in value for word in words):
            return ""
        case _:
            return value
