"""What records say: one shape for each kind of body. Keys that are not known here are ignored, kinds are told apart.

Moments are RFC 3339 UTC texts, checked when a body is read. docs/formats.md, section 2.
"""

from typing import Annotated, Any, Final, Literal

import msgspec

from appliance.core.asset import Asset, parse_digest
from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.item import ITEM_ID, Item, problems_of
from appliance.core.journal import STREAM, Record
from appliance.core.moment import to_us


class UnknownKind(Refused):
    """A kind that this version does not know: keep the record, apply it after an upgrade."""


class BadBody(Refused):
    """A body that has not the shape of its kind, was redacted, or stands in a stream where its kind has no business."""


class _Body(msgspec.Struct, frozen=True, kw_only=True):
    def __post_init__(self) -> None:
        for name in ("at", "due", "until", "not_after"):
            moment = getattr(self, name, None)
            if moment is not None:
                to_us(moment)


class Recall(_Body, frozen=True):
    """An item or an asset must vanish everywhere. `target` is an item id or a digest."""

    target: str
    reason: str
    at: str


class Order(_Body, frozen=True):
    """The command desk tells a site to do something."""

    id: str
    title: str
    body: str = ""
    due: str | None = None


class Insert(_Body, frozen=True):
    """Break into a channel with an asset, from `at` (at once where None) until `until` (its end where None).

    After `not_after` it must not go on the air any more, however late it arrives.
    """

    id: str
    channel: str
    asset: Asset
    not_after: str
    at: str | None = None
    until: str | None = None


class Resume(_Body, frozen=True):
    """Go back to the schedule."""

    channel: str


class Receipt(_Body, frozen=True):
    """What the hub made of a submission."""

    submission: str
    item: str
    verdict: Literal["accepted", "refused"]
    reason: Text


class Schedule(_Body, frozen=True):
    """A day's schedule of a channel. `document` is the schedule file's JSON object, `assets` all that it names."""

    channel: str
    date: str
    version: int
    document: msgspec.Raw
    assets: tuple[Asset, ...] = ()


class Template(_Body, frozen=True):
    """What a channel plays on days without a schedule. `document` is the template file's JSON object, `assets` all that
    it names."""

    channel: str
    version: int
    document: msgspec.Raw
    assets: tuple[Asset, ...] = ()


class Filler(_Body, frozen=True):
    """The fillers of a channel, all of them, in the order of preference."""

    channel: str
    assets: tuple[Asset, ...] = ()


class Submission(_Body, frozen=True):
    """What a site sends up; the item's assets follow as files."""

    id: str
    item: Item


class Take(_Body, frozen=True):
    """The site takes an item from the supermarket."""

    item: str


class Untake(_Body, frozen=True):
    """The site gives it back."""

    item: str


class Answer(_Body, frozen=True):
    """What the site says to an order."""

    order: str
    answer: Literal["accepted", "done", "declined"]
    by: str
    at: str
    note: str = ""


class AsRun(_Body, frozen=True):
    """What a channel really aired; the rows are described with the air ledger."""

    channel: str
    rows: tuple[dict[str, Any], ...]


class Tip(_Body, frozen=True):
    """What a citizen wrote through the app."""

    id: str
    text: str
    at: str
    contact: str = ""


class Redact(_Body, frozen=True):
    """The body of one record must vanish, for it holds what nobody may keep; the record itself stays in the chain.

    `hash` is the record's `origin`, wherever it stands: after a restore its place may be another record's. "" in what
    was written before there was one: then it is whatever record has the place.
    """

    stream: str
    epoch: int
    seq: int
    reason: str
    at: str
    hash: Annotated[str, msgspec.Meta(pattern=r"\A([0-9a-f]{64})?\Z")] = ""

    def names(self, record: Record) -> bool:
        """Whether it is this record's body that must go."""
        if self.stream != record.header.stream:
            return False
        return self.hash == record.origin if self.hash else (self.epoch, self.seq) == record.header.place


class Rotate(_Body, frozen=True):
    """The hub signs with another key from here on. Keys in base64; `word` is the signature of the former one, `proof`
    that of the one which follows (`appliance.core.rotation`)."""

    former: str
    sign_key: str
    word: str
    proof: str
    at: str


FromHub = Rotate | Redact | Recall | Order | Insert | Resume | Receipt | Item | Schedule | Template | Filler


class SeenHead(msgspec.Struct, frozen=True):
    """A place of a stream, without its name."""

    epoch: int
    seq: int
    head: str


class Seen(_Body, frozen=True):
    """How far the site has been shown each of the hub's streams, and which history of it."""

    heads: dict[str, SeenHead]
    at: str


FromSite = Redact | Submission | Take | Untake | Answer | AsRun | Tip | Seen
Body = FromHub | FromSite

SHAPES: Final[dict[str, dict[str, type[Body]]]] = {
    "control": {
        "recall": Recall,
        "rotate": Rotate,
        "order": Order,
        "insert": Insert,
        "resume": Resume,
        "receipt": Receipt,
        "redact": Redact,
    },
    "content": {"item": Item, "offer": Item, "schedule": Schedule, "template": Template, "filler": Filler},
    "report": {
        "submission": Submission,
        "take": Take,
        "untake": Untake,
        "answer": Answer,
        "asrun": AsRun,
        "tip": Tip,
        "seen": Seen,
        "redact": Redact,
    },
}
"""Kinds by the last part of the stream's name: what a site reports can never be a recall."""
ONLY_IN: Final = {"offer": "all/content", "rotate": "all/control"}
"""Kinds that one stream alone may have."""


def decode(record: Record) -> Body:
    """Read the body of a record. Raises UnknownKind or BadBody; either way the record itself stays valid."""
    kind, stream = record.header.kind, record.header.stream
    shape = SHAPES[stream.rpartition("/")[2]].get(kind)
    if shape is None and not any(kind in kinds for kinds in SHAPES.values()):
        raise UnknownKind(Text(f"本版本不识此类记录：{kind}", f"a kind that this version does not know: {kind}"))
    if shape is None or stream != ONLY_IN.get(kind, stream):
        raise BadBody(Text(f"{kind} 不该在流 {stream} 中", f"{kind} has no business in {stream}"))
    if record.body is None:
        raise BadBody(Text("正文已被抹除", "the body was redacted"))
    body = decode_body(shape, record.body)
    if isinstance(body, Redact) and not may_redact(stream, body.stream):
        raise BadBody(Text(f"{stream} 无权抹除 {body.stream}", f"{stream} has no say over {body.stream[:80]}"))
    return body


def may_redact(writer: str, target: str) -> bool:
    """Whether a `redact` in one stream may name a record of another: the hub within a scope, a site its own words."""
    if writer.endswith("/report"):
        return target == writer
    return STREAM.fullmatch(target) is not None and target.split("/")[0] == writer.split("/")[0]


def decode_body(shape: type[Body], body: bytes) -> Body:
    """Read a body of one shape; raises BadBody with every problem of its item, or the first problem of another."""
    try:
        read = msgspec.json.decode(body, type=shape)
        problems = _problems(read)
    except (ValueError, RecursionError) as error:
        raise BadBody(Text(f"正文格式不对：{error}", f"malformed body: {error}")) from error
    except OperatorError as error:
        raise BadBody(*error.problems) from error
    if problems:
        raise BadBody(*problems)
    return read


def encode(body: Body) -> bytes:
    """The body line of a record: one line of JSON, whatever line breaks a schedule file had."""
    line = msgspec.json.encode(body)
    return msgspec.json.format(line, indent=-1) if b"\n" in line else line


def assets_of(body: Body) -> tuple[Asset, ...]:
    """The assets that a body names; () where it names none."""
    match body:
        case Insert(asset=asset):
            return (asset,)
        case Submission(item=item):
            return item.assets
        case Item(assets=assets) | Schedule(assets=assets) | Template(assets=assets) | Filler(assets=assets):
            return assets
    return ()


def _problems(body: Body) -> tuple[Text, ...]:
    for asset in assets_of(body):
        _check_asset(asset)
    match body:
        case Item():
            return _item_problems(body)
        case Submission(item=item):
            return _item_problems(item)
        case Recall(target=target) if not ITEM_ID.fullmatch(target):
            parse_digest(target)
        case Schedule(document=document) | Template(document=document) if not bytes(document).lstrip().startswith(b"{"):
            return (Text("节目单不是 JSON 对象", "the schedule is no JSON object"),)
    return ()


def _item_problems(item: Item) -> tuple[Text, ...]:
    for moment in (item.created_at, item.publish_at, item.until, *(sign_off.at for sign_off in item.sign_offs)):
        if moment is not None:
            to_us(moment)
    return problems_of(item)


def _check_asset(asset: Asset) -> None:
    """Names on disk are made of digests, so one that is no digest must not get in."""
    named = (asset, asset.rendition) if asset.rendition is not None else (asset,)
    for each in named:
        if parse_digest(each.digest) != each.digest:
            raise OperatorError(Text("媒资指纹缺 sha256: 前缀", "a digest without sha256: before it"))
        if each.size_bytes < 0:
            raise OperatorError(Text(f"媒资大小为负：{each.size_bytes}", f"an asset of {each.size_bytes} bytes"))
