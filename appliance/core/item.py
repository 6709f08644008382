"""A story (稿件): text, pictures, video, section, times and sign-offs."""

import re
from typing import Final, Literal, get_args

import msgspec

from appliance.core.asset import Asset
from appliance.core.errors import OperatorError, Text

Section = Literal["news", "government", "service", "shop"]
SECTIONS: Final[tuple[str, ...]] = get_args(Section)
SECTION_NAMES: Final = {
    "news": Text("新闻", "News"),
    "government": Text("政务", "Government"),
    "service": Text("服务", "Services"),
    "shop": Text("电商", "Shop"),
}
ITEM_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
TITLE_CHARS_MAX: Final = 200
ASSETS_MAX: Final = 64


class SignOff(msgspec.Struct, frozen=True):
    """One of the three reviews (三审). Only an item with a `final` one may be published or aired."""

    step: Literal["first", "second", "final"]
    by: str
    at: str


class Item(msgspec.Struct, frozen=True):
    """What a record says of a story. Times are RFC 3339 UTC; `body_html` is sanitised before it is shown."""

    id: str
    title: str
    section: Section
    origin: str
    """`hub`, or the id of the site that sent it."""
    created_at: str
    body_html: str = ""
    summary: str = ""
    assets: tuple[Asset, ...] = ()
    publish_at: str | None = None
    until: str | None = None
    sign_offs: tuple[SignOff, ...] = ()

    def is_signed_off(self) -> bool:
        """Whether the final review has been given."""
        return any(sign_off.step == "final" for sign_off in self.sign_offs)


def problems_of(item: Item) -> tuple[Text, ...]:
    """All that is wrong with an item, () when it may be published."""
    problems = []
    if not ITEM_ID.fullmatch(item.id):
        problems.append(Text(f"稿件编号不合规：{item.id[:80]!r}", f"bad item id: {item.id[:80]!r}"))
    if not item.title.strip() or len(item.title) > TITLE_CHARS_MAX:
        problems.append(Text(f"标题须为 1 至 {TITLE_CHARS_MAX} 字", f"a title has 1 to {TITLE_CHARS_MAX} characters"))
    if len(item.assets) > ASSETS_MAX:
        problems.append(Text(f"媒资超过 {ASSETS_MAX} 个", f"more than {ASSETS_MAX} assets"))
    if item.publish_at is not None and item.until is not None and item.publish_at >= item.until:
        problems.append(Text("发布时间不早于下线时间", "publish_at is not before until"))
    return tuple(problems)


def parse_item(body: bytes) -> Item:
    """Decode and check an item; raise OperatorError with every problem."""
    try:
        item = msgspec.json.decode(body, type=Item)
    except msgspec.DecodeError as error:
        raise OperatorError(Text(f"稿件格式不对：{error}", f"not an item: {error}")) from error
    problems = problems_of(item)
    if problems:
        raise OperatorError(*problems)
    return item
