"""Lists that others write: numbers that leap or begin anew, discontinuities, old copies, and what leads elsewhere."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.errors import Refused
from appliance.core.moment import to_us
from appliance.core.source_list import (
    Followed,
    Listed,
    MediaList,
    Variants,
    form_of,
    leads_to,
    news,
    parse,
)

APART = b'#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nx.m3u8\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",URI="s.m3u8"\n'
URL = "http://10.1.2.3/cctv1/live.m3u8"


def listing(first: int, names: Sequence[str], *, tags: str = "", breaks: Sequence[str] = ()) -> MediaList:
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", f"#EXT-X-MEDIA-SEQUENCE:{first}", *tags.split()]
    for name in names:
        lines += [*(["#EXT-X-DISCONTINUITY"] if name in breaks else []), "#EXTINF:2.000,", f"{name}.ts"]
    found = parse("\n".join(lines).encode(), URL)
    assert isinstance(found, MediaList)
    return found


def follow(*lists: MediaList) -> list[tuple[str, bool]]:
    """(name, breaks) of what is fetched when these lists are seen one after the other."""
    followed, fetched = Followed(), []
    for each in lists:
        for one in news(each, followed):
            followed = followed.with_(one)
            fetched.append((one.url.rpartition("/")[2].removesuffix(".ts"), one.breaks))
    return fetched


def test_a_list_is_read_as_it_is_meant() -> None:
    """Numbers, lengths, addresses beside the list, and when each segment was shown."""
    text = b"""#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:71
#EXT-X-PROGRAM-DATE-TIME:2026-11-24T19:00:00.500+08:00
#EXTINF:3.960,title, with a comma
a/71.ts?token=x
#EXT-X-DISCONTINUITY
#EXTINF:4,
/b/72.ts
"""
    found = parse(text, URL)
    assert isinstance(found, MediaList)
    began_us = to_us("2026-11-24T19:00:00.500+08:00")
    assert found.segments == (
        Listed(number=71, url="http://10.1.2.3/cctv1/a/71.ts?token=x", duration_s=3.96, shown_us=began_us),
        Listed(number=72, url="http://10.1.2.3/b/72.ts", duration_s=4, breaks=True, shown_us=began_us + 3_960_000),
    )
    assert (found.target_s, found.longest_s, found.has_ended) == (4, 4, False)


def test_each_segment_is_fetched_once_and_only_the_newest_at_first() -> None:
    """What a list had before it was looked at would not be aired any more."""
    assert follow(listing(5, "abcd"), listing(5, "abcd"), listing(6, "bcde"), listing(8, "defg")) == [
        ("c", False), ("d", False), ("e", False), ("f", False), ("g", False),
    ]  # fmt: skip


def test_24_a_discontinuity_of_the_source_is_told_with_its_segment() -> None:
    """The decoder begins anew there; nothing else does."""
    assert follow(listing(5, "abc"), listing(6, "bcd", breaks="d"), listing(7, "cde", breaks="d")) == [
        ("b", False), ("c", False), ("d", True), ("e", False),
    ]  # fmt: skip


def test_24_numbers_that_begin_anew_are_followed_at_once() -> None:
    """The source's encoder was restarted: its list begins at 0, and is as good as before."""
    assert follow(listing(900, "abc"), listing(0, "wx"), listing(0, "wxy"), listing(1, "xyz")) == [
        ("b", False), ("c", False), ("w", True), ("x", False), ("y", False), ("z", False),
    ]  # fmt: skip


def test_an_old_copy_of_the_list_changes_nothing() -> None:
    """A cache between us may answer with what it had."""
    assert follow(listing(5, "abcd"), listing(4, "zabc"), listing(6, "bcde")) == [
        ("c", False), ("d", False), ("e", False),
    ]  # fmt: skip


def test_what_was_missed_is_a_break() -> None:
    """The list went on while we could not see it."""
    assert follow(listing(5, "abcd"), listing(20, "qr")) == [("c", False), ("d", False), ("q", True), ("r", False)]


def test_who_is_far_behind_begins_anew_with_the_newest() -> None:
    """A box that was busy for half a minute must not stay half a minute late for the rest of the evening."""
    assert follow(listing(5, "abcd"), listing(8, "defghijklmnop")) == [
        ("c", False), ("d", False), ("o", True), ("p", False),
    ]  # fmt: skip
    assert follow(listing(5, "abcd"), listing(8, "defghij"))[2:] == [(each, False) for each in "efghij"]


def test_of_several_variants_the_best_that_is_not_too_much_is_followed() -> None:
    """A county's line is not for 4K, and sound is not put together from two lists."""
    master = b"""#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x, y",URI="sound.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=900000
low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=3000000,CODECS="avc1.64001f,mp4a.40.2"
mid.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=4000000,AUDIO="a"
apart.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=25000000
uhd.m3u8
"""
    found = parse(master, URL)
    assert isinstance(found, Variants)
    assert found.best().url == "http://10.1.2.3/cctv1/mid.m3u8"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"<html>login</html>", "no HLS playlist"),
        (b"", "no HLS playlist"),
        (b'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXTINF:2,\na.ts\n', "encrypted"),
        (b"#EXTM3U\n#EXT-X-BYTERANGE:1@0\n#EXTINF:2,\na.ts\n", "byte ranges"),
        (b"#EXTM3U\n#EXTINF:99,\na.ts\n", "segment of 99 s"),
        (b"#EXTM3U\n#EXTINF:-1,\na.ts\n", "number"),
        (b"#EXTM3U\n#EXTINF:nan,\na.ts\n", "number"),
        (b"#EXTM3U\n#EXTINF:2,\nfile:///etc/passwd\n", "does not take the address"),
        (b"#EXTM3U\n#EXTINF:2,\nconcat:a|b\n", "does not take the address"),
        (b'#EXTM3U\n#EXT-X-MAP:URI="gopher://x/"\n#EXTINF:2,\na.ts\n', "does not take the address"),
        (APART, "sound"),
    ],
)  # fmt: skip
def test_what_is_not_taken_is_said(body: bytes, word: str) -> None:
    """A technician must read why, not that something failed."""
    with pytest.raises(Refused) as refused:
        found = parse(body, URL)
        assert isinstance(found, Variants)
        found.best()
    assert word in refused.value.problems[0].en


@pytest.mark.parametrize(
    "reference",
    ["file:///etc/passwd", "ftp://x/y", "http://[::1", "data:,x", "a b", "http://x:99999/"],
)
def test_nothing_leads_away_from_http(reference: str) -> None:
    """Lists and redirects come from whoever runs the source."""
    with pytest.raises(Refused):
        leads_to(URL, reference)


def test_what_began_under_a_certificate_ends_under_one() -> None:
    """Another host is another matter: a source may keep its segments elsewhere."""
    assert leads_to("https://a/x.m3u8", "https://b/y.ts") == "https://b/y.ts"
    assert leads_to("http://a/x.m3u8", "https://b/y.ts") == "https://b/y.ts"
    with pytest.raises(Refused):
        leads_to("https://a/x.m3u8", "http://a/y.ts")


def test_pictures_of_another_size_have_another_form() -> None:
    """So the decoder begins anew before it meets them."""
    sps = bytes.fromhex("0000000167640028acd9405005bb011000000300100000030320f18319600000000168ebe3cb22c0")
    assert form_of(b"\x47" + b"\xff" * 180 + sps) == sps[1:].partition(b"\x00\x00\x01\x68")[0].rstrip(b"\x00")
    assert form_of(b"\x47" * 188) == b""


@given(st.binary(max_size=400))
def test_any_bytes_are_a_list_or_refused(body: bytes) -> None:
    """Nothing that a source sends is a fault of ours."""
    for data in (body, b"#EXTM3U\n" + body):
        try:
            parse(data, URL)
        except Refused:
            continue
