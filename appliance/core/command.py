"""Commands: what a person or a program asks of the box. Each lies in the spool as one JSON object, with its `kind`.

Every command says who asked (`by`), through which door (`via`) and when (`at`): the commands table is the audit trail.
"""

from typing import Annotated, Any, Final, Literal

import msgspec

from appliance.core.asset import parse_digest
from appliance.core.errors import OperatorError, Text
from appliance.core.incident import UNIT
from appliance.core.item import ITEM_ID, SECTIONS, TITLE_CHARS_MAX
from appliance.core.moment import to_us
from appliance.core.ts import TICKS_PER_S

COMMAND_BYTES_MAX: Final = 256 * 1024
FILES_MAX: Final = 64
ROWS_MAX: Final = 1000
OBSERVED_TICKS_MAX: Final = 86_400 * TICKS_PER_S

Via = Literal["cli", "tui", "web", "drop", "playout", "unit"]
Short = Annotated[str, msgspec.Meta(max_length=200)]
Long = Annotated[str, msgspec.Meta(max_length=4000)]


class Asked(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower):
    """What all commands say. `reason` is why the person wants it; it stands in the audit trail."""

    by: Short
    via: Via
    at: str
    reason: Long = ""


class Submit(Asked, frozen=True, kw_only=True):
    """Send an item up. The files lie beside the command in the spool, in the order of their names here."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=TITLE_CHARS_MAX)]
    files: Annotated[tuple[Short, ...], msgspec.Meta(min_length=1, max_length=FILES_MAX)]
    section: str = "news"
    summary: Long = ""


class Take(Asked, frozen=True, kw_only=True):
    """Take an item from the supermarket."""

    item: str


class Untake(Asked, frozen=True, kw_only=True):
    """Give it back."""

    item: str


class Answer(Asked, frozen=True, kw_only=True):
    """Answer an order."""

    order: Short
    answer: Literal["accepted", "done", "declined"]
    note: Long = ""


class Insert(Asked, frozen=True, kw_only=True):
    """Break into a channel: at once where `at_air` is None, until `until` or the asset's end."""

    channel: Short
    digest: str
    at_air: str | None = None
    until: str | None = None


class Resume(Asked, frozen=True, kw_only=True):
    """Let a channel go back to its schedule."""

    channel: Short


class Tip(Asked, frozen=True, kw_only=True):
    """What a citizen wrote through the app."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
    contact: Short = ""


class Asrun(Asked, frozen=True, kw_only=True):
    """A third-party engine reports what it aired."""

    channel: Short
    rows: Annotated[tuple[dict[str, Any], ...], msgspec.Meta(max_length=ROWS_MAX)]


class Observed(Asked, frozen=True, kw_only=True):
    """A probe received an output of a channel from the frame at one tick to the one at another: evidence of airing.

    `output` is where it listened. One for each minute, and one when errors begin, is enough.
    """

    channel: Short
    first_tick: Annotated[int, msgspec.Meta(ge=0)]
    last_tick: Annotated[int, msgspec.Meta(ge=0)]
    continuity_errors: Annotated[int, msgspec.Meta(ge=0)]
    output: Short


class Redact(Asked, frozen=True, kw_only=True):
    """Remove the words of a record of this site's own stream; `hash` is its `origin`, "" where nobody looked."""

    epoch: Annotated[int, msgspec.Meta(ge=1)]
    seq: Annotated[int, msgspec.Meta(ge=1)]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]
    hash: Annotated[str, msgspec.Meta(pattern=r"\A([0-9a-f]{64})?\Z")] = ""


class Import(Asked, frozen=True, kw_only=True):
    """Take in what lies on a stick of this site, which is mounted at `path`."""

    path: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


class Retry(Asked, frozen=True, kw_only=True):
    """Try transfers that failed, or wait after a broken line, again at once: that of one asset, or all without one."""

    digest: str = ""
    direction: Literal["down", "up", ""] = ""


class Repackage(Asked, frozen=True, kw_only=True):
    """Bring a clip that could not be brought to house format there once more."""

    digest: str


class Reapply(Asked, frozen=True, kw_only=True):
    """Apply a parked record again, or the oldest ones where no `stream` is named."""

    stream: Short = ""
    epoch: Annotated[int, msgspec.Meta(ge=0)] = 0
    seq: Annotated[int, msgspec.Meta(ge=0)] = 0


class Newdisk(Asked, frozen=True, kw_only=True):
    """Take the empty disk that is mounted in the place of the media for this box's own: the one it knows is away."""


class Did(Asked, frozen=True, kw_only=True):
    """A person did something to the box without the agent, a restart of the machine: it is put on record."""

    what: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Incident(Asked, frozen=True, kw_only=True):
    """A service of the box ended badly: how, as systemd says it (core/incident.py). Its journal is not in it."""

    unit: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    result: Annotated[str, msgspec.Meta(max_length=40)] = ""
    code: Annotated[str, msgspec.Meta(max_length=40)] = ""
    status: Annotated[str, msgspec.Meta(max_length=40)] = ""


Command = (
    Redact
    | Submit
    | Take
    | Untake
    | Answer
    | Insert
    | Resume
    | Tip
    | Asrun
    | Observed
    | Import
    | Retry
    | Repackage
    | Reapply
    | Newdisk
    | Did
    | Incident
)


def kind_of(command: Command) -> str:
    """`submit`, `take` and so on, as in the file."""
    return type(command).__name__.lower()


def about(command: Command) -> str:
    """What a command is about, by its id, for the audit trail. Never what somebody wrote: that may be redacted."""
    match command:
        case Take(item=item) | Untake(item=item):
            return item
        case Answer(order=order, answer=answer):
            return f"{order} {answer}"
        case Insert(channel=channel, digest=digest):
            return f"{channel} {digest}"
        case Resume(channel=channel) | Asrun(channel=channel) | Observed(channel=channel):
            return channel
        case Redact(epoch=epoch, seq=seq):
            return f"{epoch}:{seq}"
        case Import(path=path):
            return path
        case Repackage(digest=digest):
            return digest
        case Retry(digest=digest, direction=direction):
            return f"{direction} {digest}".strip()
        case Reapply(stream=stream, epoch=epoch, seq=seq):
            return f"{stream} {epoch}:{seq}" if stream else ""
        case Did(what=what):
            return what
        case Incident(unit=unit, result=result, status=status):
            return f"{unit} {result} {status}".strip()
        case _:
            return ""


def encode_command(command: Command) -> bytes:
    """The bytes of the file; OperatorError with every problem when it is none that could be carried out."""
    try:
        data = msgspec.json.encode(command)
    except UnicodeEncodeError as error:
        raise OperatorError(Text("文字中有不能编码的字符", "a character that cannot be encoded")) from error
    parse_command(data)
    return data


def parse_command(data: bytes) -> Command:
    """Read a command from anybody; OperatorError with every problem."""
    if len(data) > COMMAND_BYTES_MAX:
        raise OperatorError(
            Text(f"命令超过 {COMMAND_BYTES_MAX} 字节", f"a command of more than {COMMAND_BYTES_MAX} bytes")
        )
    try:
        command: Command = msgspec.json.decode(data, type=Command)
    except (ValueError, RecursionError) as error:
        raise OperatorError(Text(f"命令格式不对：{error}", f"not a command: {error}")) from error
    problems = _problems(command)
    if problems:
        raise OperatorError(*problems)
    return command


def _problems(command: Command) -> tuple[Text, ...]:
    problems: list[Text] = []
    for moment in (command.at, getattr(command, "at_air", None), getattr(command, "until", None)):
        if moment is not None:
            problems += _refusal(to_us, moment)
    match command:
        case Submit(section=section) if section not in SECTIONS:
            choice = ", ".join(SECTIONS)
            problems.append(Text(f"栏目须为 {choice} 之一：{section!r}", f"section is one of {choice}: {section!r}"))
        case Take(item=item) | Untake(item=item) if not ITEM_ID.fullmatch(item):
            problems.append(Text(f"稿件编号不合规：{item[:80]!r}", f"bad item id: {item[:80]!r}"))
        case Insert(digest=digest) | Repackage(digest=digest) | Retry(digest=digest) if digest or not isinstance(
            command, Retry
        ):
            problems += _refusal(parse_digest, digest)
        case Observed(first_tick=first, last_tick=last) if not 0 <= last - first <= OBSERVED_TICKS_MAX:
            problems.append(
                Text("观测时段须在一天之内且不倒退", "what was observed ends before it begins, or lasts too long")
            )
        case Incident(unit=unit) if not UNIT.fullmatch(unit):
            problems.append(Text(f"不是本节点的服务：{unit[:80]!r}", f"no unit of this box: {unit[:80]!r}"))
        case Import(path=path) if not path.startswith("/") or "\0" in path:
            problems.append(Text(f"须为绝对路径：{path[:80]!r}", f"an absolute path is needed: {path[:80]!r}"))
    return tuple(problems)


def _refusal(parse: Any, text: str) -> tuple[Text, ...]:
    try:
        parse(text)
    except OperatorError as error:
        return error.problems
    return ()
