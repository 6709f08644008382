"""A live source's HLS list as somebody else writes it (RFC 8216), and which of its segments are new. Pure.

    parse(text, url) -> MediaList | Variants      raises Refused with what we do not take, or what is no list at all
    news(listed, followed) -> segments            what to fetch now: in order, each once, whatever the list does

Numbers of a source mean nothing here: they may leap, begin anew, or a cache may give an old list. What a segment is
known by is its address. A segment that does not go on from the one before it is told apart (`breaks`): the decoder
begins anew there.
"""

from datetime import datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

import msgspec

from appliance.core.errors import Refused, Text
from appliance.core.source_url import shown

LIST_BYTES_MAX: Final = 1024 * 1024
LINES_MAX: Final = 20_000
SEGMENT_S_MAX: Final = 30.0
BEGIN_SEGMENTS: Final = 2
"""So many of the newest are taken of a list that is seen for the first time: what is older would not be aired."""
BEHIND_S_MAX: Final = 14.0
"""Who has more to fetch than this is too late for it: he begins anew with the newest, and the delay does not grow."""
KNOWN_MAX: Final = 200
"""Addresses that are remembered: more than a list of ours would ever fall back."""
URL_CHARS_MAX: Final = 4000
BITS_PER_S_MAX: Final = 12_000_000
"""Of several variants the best up to this: the house format has a tenth of the pictures of 4K."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A segment. `shown_us`: when it was shown, by EXT-X-PROGRAM-DATE-TIME; `head_url`: the EXT-X-MAP before it."""

    number: int
    url: str
    duration_s: float
    breaks: bool = False
    head_url: str | None = None
    shown_us: int | None = None


class MediaList(msgspec.Struct, frozen=True, kw_only=True):
    """A media playlist. `has_ended`: it will not grow any more."""

    target_s: float
    segments: tuple[Listed, ...] = ()
    has_ended: bool = False

    @property
    def longest_s(self) -> float:
        """How much the source hands over at a time."""
        return max((segment.duration_s for segment in self.segments), default=self.target_s)


class Variant(msgspec.Struct, frozen=True):
    """One of the lists that a master playlist names. `has_sound_apart`: its sound has a list of its own."""

    url: str
    bits_per_s: int = 0
    has_sound_apart: bool = False


class Variants(msgspec.Struct, frozen=True):
    """A master playlist."""

    variants: tuple[Variant, ...]

    def best(self) -> Variant:
        """The one to follow. Raises Refused where sound and picture would have to be put together."""
        whole = [each for each in self.variants if not each.has_sound_apart]
        if not whole:
            raise _not_taken("画面与声音分开的多码流", "variants whose sound has a list of its own")
        fitting = [each for each in whole if each.bits_per_s <= BITS_PER_S_MAX] or whole[:1]
        return max(fitting, key=lambda each: each.bits_per_s)


class Followed(msgspec.Struct, frozen=True):
    """How far a list was followed: the last segment taken, and the addresses of those before it."""

    last: Listed | None = None
    known: tuple[str, ...] = ()

    def with_(self, segment: Listed) -> "Followed":
        """And one more."""
        return Followed(segment, (*self.known, segment.url)[-KNOWN_MAX:])


def parse(data: bytes, url: str) -> MediaList | Variants:
    """Read a list that came from `url`."""
    text = data[:LIST_BYTES_MAX].decode("utf-8", errors="replace").removeprefix("\ufeff")
    lines = [line.strip() for line in text.splitlines()[:LINES_MAX] if line.strip()]
    if not lines or not lines[0].startswith("#EXTM3U"):
        raise Refused(Text("不是 HLS 播放列表", "it is no HLS playlist"))
    if any(line.startswith("#EXT-X-STREAM-INF") for line in lines):
        return _variants(lines, url)
    return _media(lines, url)


def leads_to(base: str, reference: str) -> str:
    """The address that a list or an answer from `base` names. Raises Refused for all but http and https, and for
    a way from https to http: what began under a certificate ends under one."""
    try:
        target = urljoin(base, reference)
        parts, before = urlsplit(target), urlsplit(base)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and len(target) <= URL_CHARS_MAX
        is_good = is_good and (parts.port is None or parts.port > 0) and target.isprintable() and " " not in target
    except ValueError:
        is_good = False
    if not is_good:
        raise _not_taken(f"地址 {shown(reference)}", f"the address {shown(reference)}")
    if before.scheme == "https" and parts.scheme != "https":
        raise _not_taken("从 https 转到 http", "a way from https to http")
    return target


def news(listed: MediaList, followed: Followed) -> tuple[Listed, ...]:
    """The segments to fetch now."""
    segments, last = listed.segments, followed.last
    if last is None or not segments:
        return segments[-BEGIN_SEGMENTS:]
    unknown = [each for each in segments if each.url not in followed.known]
    fresh = tuple(each for each in unknown if each.number > last.number)
    if unknown and segments[-1].number <= last.number and segments[-1].url not in followed.known:
        # The numbers began anew.
        fresh = tuple(unknown[-BEGIN_SEGMENTS:])
    if sum(each.duration_s for each in fresh) > BEHIND_S_MAX and len(fresh) > BEGIN_SEGMENTS:
        fresh = fresh[-BEGIN_SEGMENTS:]
    if fresh and fresh[0].number != last.number + 1:
        fresh = (msgspec.structs.replace(fresh[0], breaks=True), *fresh[1:])
    return fresh


def form_of(segment: bytes) -> bytes:
    """The parameter set of the pictures in a segment, as far as it is found at its beginning: pictures of another
    size have another. b"" for what has none."""
    for mark in (b"\x00\x00\x01\x67", b"\x00\x00\x01\x27", b"\x00\x00\x01\x42\x01"):
        at = segment.find(mark, 0, _FORM_WITHIN_BYTES)
        if at >= 0:
            end = segment.find(b"\x00\x00\x01", at + 4, at + _FORM_BYTES_MAX)
            return segment[at : end if end >= 0 else at + _FORM_BYTES_MAX].rstrip(b"\x00")
    return b""


_FORM_WITHIN_BYTES: Final = 64 * 1024
_FORM_BYTES_MAX: Final = 64


def _variants(lines: list[str], url: str) -> Variants:
    found: list[Variant] = []
    apart = {
        attributes.get("GROUP-ID")
        for attributes in (_attributes(line) for line in lines if line.startswith("#EXT-X-MEDIA:"))
        if attributes.get("TYPE") == "AUDIO" and attributes.get("URI")
    }
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("#EXT-X-STREAM-INF:") and following and not following.startswith("#"):
            attributes = _attributes(line)
            bits_per_s = int(_number(attributes.get("BANDWIDTH", "0")))
            has_sound_apart = attributes.get("AUDIO") in apart if attributes.get("AUDIO") else False
            found.append(Variant(leads_to(url, following), bits_per_s, has_sound_apart))
    if not found:
        raise Refused(Text("播放列表里没有码流", "the playlist names no variant"))
    return Variants(tuple(found))


def _media(lines: list[str], url: str) -> MediaList:
    target_s, number, has_ended = 0.0, 0, False
    found: list[Listed] = []
    duration_s, breaks, is_gap = 0.0, False, False
    head_url: str | None = None
    shown_us: int | None = None
    for line in lines[1:]:
        tag, _colon, value = line.partition(":")
        match tag:
            case "#EXT-X-TARGETDURATION":
                target_s = _number(value)
            case "#EXT-X-MEDIA-SEQUENCE":
                number = int(_number(value))
            case "#EXT-X-ENDLIST":
                has_ended = True
            case "#EXTINF":
                duration_s = _number(value.partition(",")[0])
            case "#EXT-X-DISCONTINUITY":
                breaks = True
            case "#EXT-X-GAP":
                is_gap = True
            case "#EXT-X-PROGRAM-DATE-TIME":
                shown_us = _moment_us(value)
            case "#EXT-X-MAP":
                uri = _attributes(line).get("URI", "")
                head_url = leads_to(url, uri)
            case "#EXT-X-KEY" if _attributes(line).get("METHOD") != "NONE":
                raise _not_taken("加密的直播源", "an encrypted source")
            case "#EXT-X-BYTERANGE":
                raise _not_taken("按字节区间分段的直播源", "a source whose segments are byte ranges")
            case _ if not line.startswith("#"):
                if not 0 < duration_s <= SEGMENT_S_MAX:
                    raise _not_taken(f"{duration_s:g} 秒长的分段", f"a segment of {duration_s:g} s")
                if not is_gap:
                    found.append(
                        Listed(
                            number=number,
                            url=leads_to(url, line),
                            duration_s=duration_s,
                            breaks=breaks,
                            head_url=head_url,
                            shown_us=shown_us,
                        )
                    )
                    breaks = False
                shown_us = None if shown_us is None else shown_us + round(duration_s * 1_000_000)
                number, is_gap = number + 1, False
    return MediaList(target_s=min(SEGMENT_S_MAX, target_s), segments=tuple(found), has_ended=has_ended)


def _attributes(line: str) -> dict[str, str]:
    """The attribute list of a tag; commas may stand in quotes."""
    found: dict[str, str] = {}
    rest = line.partition(":")[2]
    while rest:
        name, _equals, rest = rest.partition("=")
        if rest.startswith('"'):
            value, _quote, rest = rest[1:].partition('"')
            rest = rest.partition(",")[2]
        else:
            value, _comma, rest = rest.partition(",")
        found[name.strip()] = value.strip()
    return found


def _number(text: str) -> float:
    try:
        value = float(text.strip())
    except ValueError:
        value = -1.0
    if not 0 <= value < 2**62:
        raise Refused(Text(f"播放列表里的数不对：{text[:40]}", f"a number in the playlist is wrong: {text[:40]}"))
    return value


def _moment_us(text: str) -> int | None:
    """None for what is no moment with a zone: then it is not known."""
    try:
        moment = datetime.fromisoformat(text.strip())
        return None if moment.tzinfo is None else round(moment.timestamp() * 1_000_000)
    except (ValueError, OverflowError):
        return None


def _not_taken(zh: str, en: str) -> Refused:
    return Refused(Text(f"本机不接{zh}", f"this box does not take {en}"))
