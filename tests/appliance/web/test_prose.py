"""What an item's HTML may do to a reader: nothing but be read."""

import html.parser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.web.prose import ATTRIBUTES, TAGS, sanitised

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<p>嵩山<script>alert(1)</script>秋色</p>", "<p>嵩山秋色</p>"),
        ('<p onclick="alert(1)">一</p>', "<p>一</p>"),
        ('<a href="javascript:alert(1)">看</a>', '<a rel="noopener noreferrer nofollow">看</a>'),
        ('<a href="JaVaScRiPt&#58;alert(1)">看</a>', '<a rel="noopener noreferrer nofollow">看</a>'),
        ('<a href="data:text/html,x">看</a>', '<a rel="noopener noreferrer nofollow">看</a>'),
        ('<img src="x" onerror="alert(1)">', "<img>"),
        ('<svg onload="alert(1)"><text>二</text></svg>', ""),
        ("<iframe src='http://evil.example/'></iframe>三", "三"),
        ('<p style="position:fixed">四</p>', "<p>四</p>"),
        ("<style>body{display:none}</style>五", "五"),
        ('<form action="http://evil.example/"><input name="a">六</form>', "六"),
        ('<meta http-equiv="refresh" content="0;url=http://evil.example/">七', "七"),
        ('<base href="http://evil.example/">八', "八"),
        ("<p>九<b>十", "<p>九<b>十</b></p>"),
        ("<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>", "<img>'&gt;"),
    ],
)
def test_scripts_and_all_that_acts_are_taken_out(written: str, shown: str) -> None:
    """A story comes from sixteen counties; a script in one of them must not run on any phone."""
    assert sanitised(written) == shown


def test_pictures_are_shown_only_from_this_box() -> None:
    """A picture elsewhere is missing in an outage, and tells that host who reads."""
    assert sanitised(f'<img src="/media/{HEX}/a.jpg" alt="图">') == f'<img src="/media/{HEX}/a.jpg" alt="图">'
    for elsewhere in (
        "https://cdn.example/a.jpg",
        f"//cdn.example/media/{HEX}",
        f"/media/{HEX}/../../x",
        "/api/v1/items",
    ):
        assert sanitised(f'<img src="{elsewhere}">') == "<img>", elsewhere


def test_what_an_article_needs_stays() -> None:
    """Editors who find their headings gone paste everything as pictures."""
    article = (
        "<h2>通知</h2><p>甲<br>乙 <strong>丙</strong></p><ul><li>一</li></ul><blockquote>引</blockquote>"
        '<table><tbody><tr><td colspan="2">格</td></tr></tbody></table>'
    )
    assert sanitised(article) == article


class _Reader(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen += [(tag, ""), *((tag, name) for name, _value in attrs)]


MARKUP = st.lists(
    st.sampled_from(
        (
            *("<script>", "</script>", "<p ", "onload=", "'", '"', ">", "<", "&lt;", "<!--", "-->", "<svg>", "嵩"),
            *("<math><mtext>", "<img src=x ", "href=javascript:a", "<a ", "<table><td>", "<style>", "</", "/>"),
            *("\x00", "&#x6a;", "<template>", "<noscript>", "<title>"),
        )
    ),
    max_size=20,
).map("".join)


@given(MARKUP)
def test_whatever_is_written_only_known_tags_and_attributes_come_out(written: str) -> None:
    """The list of what may be shown is the only promise; this holds it against broken mark-up of every kind."""
    reader = _Reader()
    reader.feed(sanitised(written))
    for tag, attribute in reader.seen:
        assert tag in TAGS
        assert attribute == "" or attribute in ATTRIBUTES.get(tag, ()) or (tag, attribute) == ("a", "rel")


@given(MARKUP)
def test_sanitising_again_changes_nothing(written: str) -> None:
    """Were it otherwise, something would come to life on the second look."""
    once = sanitised(written)
    assert sanitised(once) == once
