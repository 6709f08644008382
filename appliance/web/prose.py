"""An item's HTML as it may be shown: what came with a record is never trusted, whoever signed it."""

import re
from typing import Final

import nh3

TAGS: Final = frozenset(
    (
        *("a", "b", "br", "code", "del", "em", "i", "img", "ins", "s", "small", "span", "strong", "sub", "sup", "u"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "p", "div", "hr", "pre", "blockquote", "figure", "figcaption"),
        *("ul", "ol", "li", "dl", "dt", "dd"),
        *("table", "thead", "tbody", "tfoot", "tr", "th", "td"),
    )
)
ATTRIBUTES: Final = {
    "a": frozenset({"href", "title"}),
    "img": frozenset({"src", "alt"}),
    "td": frozenset({"colspan", "rowspan"}),
    "th": frozenset({"colspan", "rowspan"}),
    "ol": frozenset({"start"}),
}
LOST_WITH_CONTENT: Final = frozenset(
    ("script", "style", "iframe", "object", "noscript", "template", "title", "svg", "math")
)

_OWN_MEDIA: Final = re.compile(r"/media/(?:sha256:)?[0-9a-f]{64}(?:/[^/?#]*)?")


def sanitised(html: str) -> str:
    """The same text with only the mark-up of an article; pictures only where they are media of this box.

    A box in an outage has no other hosts, and a page that asked them would tell them who reads it.
    """
    return nh3.clean(
        html,
        tags=set(TAGS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        clean_content_tags=set(LOST_WITH_CONTENT),
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel="noopener noreferrer nofollow",
        attribute_filter=_attribute,
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    if (tag, name) == ("img", "src"):
        return value if _OWN_MEDIA.fullmatch(value) else None
    return value
